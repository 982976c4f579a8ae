"""How good forecasts are: backtests, scores, calibration; and the best of them, a mean of several."""

from .backtest import OURS, Backtest, run_backtest, with_forecast
from .calibration import calibration
from .members import MARKET
from .stack import Stack

__all__ = [
    "MARKET",
    "OURS",
    "Backtest",
    "Stack",
    "calibration",
    "run_backtest",
    "with_forecast",
]
