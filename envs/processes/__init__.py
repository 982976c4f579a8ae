"""Demand that is not learned: independent periods, a replayed history, nature behind an observer."""

from .iid import DiscreteWeibull, Geometric, Independent, NegativeBinomial, Poisson
from .observed import ObservedDemand
from .replay import Replay

__all__ = [
    "DiscreteWeibull",
    "Geometric",
    "Independent",
    "NegativeBinomial",
    "ObservedDemand",
    "Poisson",
    "Replay",
]
