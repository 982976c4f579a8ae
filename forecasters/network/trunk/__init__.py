"""Sequence models over (time, location, item) that step as well as they scan."""

from .attention import Across
from .recurrent import GRU, LSTM
from .transformer import RingCache, Transformer
from .trunk import KINDS, Kept, Trunk, TrunkSettings

TRUNKS: dict[str, type[Transformer] | type[GRU] | type[LSTM]] = {
    "transformer": Transformer,
    "gru": GRU,
    "lstm": LSTM,
}
"""Those that there are; a network without one adds nothing to the regressions."""

__all__ = [
    "GRU",
    "KINDS",
    "LSTM",
    "TRUNKS",
    "Across",
    "Kept",
    "RingCache",
    "Transformer",
    "Trunk",
    "TrunkSettings",
]
