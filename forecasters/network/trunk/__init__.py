"""Sequence models over (time, location, item) that step as well as they scan."""

from .transformer import RingCache, Transformer, TrunkSettings

__all__ = ["RingCache", "Transformer", "TrunkSettings"]
