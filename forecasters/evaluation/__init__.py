"""How good forecasts are: backtests, scores, calibration; and a market anchored to the best of them."""

from .anchoring import Forecaster, anchored_to_forecast
from .backtest import OURS, Backtest, run_backtest, with_forecast, with_peers
from .calibration import calibration, one_step_pit
from .members import MARKET

__all__ = [
    "MARKET",
    "OURS",
    "Backtest",
    "Forecaster",
    "anchored_to_forecast",
    "calibration",
    "one_step_pit",
    "run_backtest",
    "with_forecast",
    "with_peers",
]
