"""Sequence models over (time, location, item) that step as well as they scan."""

from .transformer import Across, RingCache, Transformer, TrunkSettings

__all__ = ["Across", "RingCache", "Transformer", "TrunkSettings"]
