"""Base demand around a given price response: regressions on the past, and a trunk on top."""

from .base import Base, chain_news, fit_base, known_ahead
from .demand_network import DemandNetwork, Seen, demand_network, history_tokens, loaded_network
from .recalled import Recalled
from .stability import gain, stabilised
from .training import Loss, SubMarket, TrainingSettings, losses_by_period, train_network
from .trunk import Across, Kept, RingCache, Transformer, TrunkSettings
from .trunk.attention import KEYS, Attention
from .unmoving import Unmoving

__all__ = [
    "KEYS",
    "Across",
    "Attention",
    "Base",
    "DemandNetwork",
    "Kept",
    "Loss",
    "Recalled",
    "RingCache",
    "Seen",
    "SubMarket",
    "TrainingSettings",
    "Transformer",
    "TrunkSettings",
    "Unmoving",
    "chain_news",
    "demand_network",
    "fit_base",
    "gain",
    "history_tokens",
    "known_ahead",
    "loaded_network",
    "losses_by_period",
    "stabilised",
    "train_network",
]
