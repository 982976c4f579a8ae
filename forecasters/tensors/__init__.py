"""Tools for tensors: sub-markets, addressable noise, work side by side, memory that is free, checkpoints,
processes."""

from .checkpoint import Checkpoint, moments, named, put_back, taken
from .cut import Cut, numbered, positions
from .machine_memory import room_for
from .noise import NoiseKey, series_ids, stable_id
from .processes import Alone, Processes, processes
from .side_by_side import side_by_side

__all__ = [
    "Alone",
    "Checkpoint",
    "Cut",
    "NoiseKey",
    "Processes",
    "moments",
    "named",
    "numbered",
    "positions",
    "processes",
    "put_back",
    "room_for",
    "series_ids",
    "side_by_side",
    "stable_id",
    "taken",
]
