"""A panel as dense tensors, and what a model reads of it: the past, the calendar, the calendar by place."""

from .history import History, build_history
from .local_calendar import COLUMNS, local_calendar, local_news, local_year, with_local_year
from .past import KEPT, LAGS, PARTS, SHRINK, Past, past_features, scan

__all__ = [
    "COLUMNS",
    "KEPT",
    "LAGS",
    "PARTS",
    "SHRINK",
    "History",
    "Past",
    "build_history",
    "local_calendar",
    "local_news",
    "local_year",
    "past_features",
    "scan",
    "with_local_year",
]
