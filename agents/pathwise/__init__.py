"""Pathwise policy optimisation: simulated profit differentiated through the market itself."""

from .training import PathwiseSettings, train_pathwise

__all__ = ["PathwiseSettings", "train_pathwise"]
