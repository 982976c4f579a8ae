"""Base demand around a given price response: regressions on the past, and the Transformer on top."""

from .base import Base, chain_news, fit_base, known_ahead
from .demand_network import DemandNetwork, demand_token, history_tokens
from .stability import gain, stabilised
from .training import Loss, SubMarket, TrainingSettings, losses_by_period, train_network
from .trunk import Across, RingCache, TrunkSettings
from .trunk.transformer import gather_cache

__all__ = [
    "Across",
    "Base",
    "DemandNetwork",
    "Loss",
    "RingCache",
    "SubMarket",
    "TrainingSettings",
    "TrunkSettings",
    "chain_news",
    "demand_token",
    "fit_base",
    "gain",
    "gather_cache",
    "history_tokens",
    "known_ahead",
    "losses_by_period",
    "stabilised",
    "train_network",
]
