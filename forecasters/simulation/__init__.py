"""The fitted model as customers: sampled under any prices, its means settled, played before it is trusted."""

from .demand import DemandProcess, Outlook, Period
from .free_run import anchored
from .learned import LearnedDemand
from .paths import sample_paths
from .settling import settle

__all__ = [
    "DemandProcess",
    "LearnedDemand",
    "Outlook",
    "Period",
    "anchored",
    "sample_paths",
    "settle",
]
