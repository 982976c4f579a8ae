"""A forecaster for any shop: pre-trained on drawn markets, adapted to a panel, direct for every horizon."""

from .adaptation import AdaptationSettings, adapted
from .direct import DirectModel, Linear, Trees, learn_direct
from .explanation import Explanation, explain
from .features import Features, build_features
from .future import Future, forecast_future
from .lesson import learning_origins
from .model import MarketModel, forecast, in_units, log_deciles, mean_units, shipped
from .network import MarketNetwork, MarketNetworkSettings
from .observed import Observed, observe
from .pretraining import PretrainingSettings, pretrain
from .prior import PriorSettings, draw

__all__ = [
    "AdaptationSettings",
    "DirectModel",
    "Explanation",
    "Features",
    "Future",
    "Linear",
    "MarketModel",
    "MarketNetwork",
    "MarketNetworkSettings",
    "Observed",
    "PretrainingSettings",
    "PriorSettings",
    "Trees",
    "adapted",
    "build_features",
    "draw",
    "explain",
    "forecast",
    "forecast_future",
    "in_units",
    "learn_direct",
    "learning_origins",
    "log_deciles",
    "mean_units",
    "observe",
    "pretrain",
    "shipped",
]
