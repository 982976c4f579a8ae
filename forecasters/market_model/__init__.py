"""A forecaster for any shop: pre-trained on drawn markets, adapted to a panel, direct for every horizon."""

from .adaptation import AdaptationSettings, LowRank, Prompt, Way, Whole, adapted
from .direct import DirectModel, Linear, Trees, learn_direct
from .ensemble import (
    ADAPTED,
    GENERAL,
    INFORMED,
    LINEAR,
    TREES,
    Ensemble,
    Recipe,
    learn_ensemble,
    learn_members,
)
from .explanation import explain
from .export import OnnxNetwork, export_model
from .features import Features, build_features
from .future import Future, forecast_future
from .lesson import learning_origins
from .model import MarketModel, forecast, in_units, log_deciles, mean_units, shipped
from .network import MarketNetwork, MarketNetworkSettings
from .observed import Observed, observe
from .pretraining import PretrainingSettings, pretrain
from .prior import PriorSettings, draw
from .stack import Stack, quantile_loss

__all__ = [
    "ADAPTED",
    "GENERAL",
    "INFORMED",
    "LINEAR",
    "TREES",
    "AdaptationSettings",
    "DirectModel",
    "Ensemble",
    "Features",
    "Future",
    "Linear",
    "LowRank",
    "MarketModel",
    "MarketNetwork",
    "MarketNetworkSettings",
    "Observed",
    "OnnxNetwork",
    "PretrainingSettings",
    "PriorSettings",
    "Prompt",
    "Recipe",
    "Stack",
    "Trees",
    "Way",
    "Whole",
    "adapted",
    "build_features",
    "draw",
    "explain",
    "export_model",
    "forecast",
    "forecast_future",
    "in_units",
    "learn_direct",
    "learn_ensemble",
    "learn_members",
    "learning_origins",
    "log_deciles",
    "mean_units",
    "observe",
    "pretrain",
    "quantile_loss",
    "shipped",
]
