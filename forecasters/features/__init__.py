"""A panel as dense tensors, and what a model reads of it: the past, the calendar, the calendar by place."""

from .history import AHEAD, HARMONICS, History, build_history
from .local_calendar import local_calendar, local_news
from .past import KEPT, LAGS, PARTS, SHRINK, Past, past_features, scan

__all__ = [
    "AHEAD",
    "HARMONICS",
    "KEPT",
    "LAGS",
    "PARTS",
    "SHRINK",
    "History",
    "Past",
    "build_history",
    "local_calendar",
    "local_news",
    "past_features",
    "scan",
]
