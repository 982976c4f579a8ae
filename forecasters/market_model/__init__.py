"""A forecaster for any shop: pre-trained on drawn markets, adapted to a panel, direct for every horizon."""

from .adaptation import AdaptationSettings, adapted
from .explanation import Explanation, explain
from .features import Features, build_features
from .future import Future, forecast_future
from .model import MarketModel, forecast, shipped
from .network import MarketNetwork, MarketNetworkSettings
from .observed import Observed, observe
from .pretraining import PretrainingSettings, pretrain
from .prior import PriorSettings, draw

__all__ = [
    "AdaptationSettings",
    "Explanation",
    "Features",
    "Future",
    "MarketModel",
    "MarketNetwork",
    "MarketNetworkSettings",
    "Observed",
    "PretrainingSettings",
    "PriorSettings",
    "adapted",
    "build_features",
    "draw",
    "explain",
    "forecast",
    "forecast_future",
    "observe",
    "pretrain",
    "shipped",
]
