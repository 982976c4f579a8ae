"""How good forecasts are: backtests, scores, calibration."""

from .backtest import Backtest, run_backtest
from .calibration import calibration

__all__ = [
    "Backtest",
    "calibration",
    "run_backtest",
]
