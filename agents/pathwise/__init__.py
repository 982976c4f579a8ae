"""Pathwise policy optimisation: simulated profit differentiated through the market itself."""

from .shops import ShopsSettings, train_shops
from .starting import start_in
from .training import FINE_TUNING, PathwiseSettings, train_pathwise

__all__ = ["FINE_TUNING", "PathwiseSettings", "ShopsSettings", "start_in", "train_pathwise", "train_shops"]
