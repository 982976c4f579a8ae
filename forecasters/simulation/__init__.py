"""The fitted model as customers: sampled under any prices, means calibrated, played before it is trusted."""

from .attribution import attribute
from .demand import DemandProcess, Outlook, Period
from .free_run import anchored
from .informed import Informed
from .learned import LearnedDemand
from .mean_calibration import calibrated, with_spreads
from .paths import mean_path, sample_paths
from .state import LearnedState

__all__ = [
    "DemandProcess",
    "Informed",
    "LearnedDemand",
    "LearnedState",
    "Outlook",
    "Period",
    "anchored",
    "attribute",
    "calibrated",
    "mean_path",
    "sample_paths",
    "with_spreads",
]
