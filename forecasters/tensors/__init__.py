"""Tools for tensors: sub-markets, addressable noise, work side by side, memory that is free, checkpoints."""

from .checkpoint import Checkpoint, moments, named, put_back, taken
from .cut import Cut, numbered, positions
from .machine_memory import room_for
from .noise import NoiseKey, series_ids, stable_id
from .side_by_side import side_by_side

__all__ = [
    "Checkpoint",
    "Cut",
    "NoiseKey",
    "moments",
    "named",
    "numbered",
    "positions",
    "put_back",
    "room_for",
    "series_ids",
    "side_by_side",
    "stable_id",
    "taken",
]
