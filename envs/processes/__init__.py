"""Demand that is not learned: independent periods, a replayed history, nature behind an observer."""

from .iid import Geometric, Independent, Poisson
from .observed import ObservedDemand
from .replay import Replay

__all__ = ["Geometric", "Independent", "ObservedDemand", "Poisson", "Replay"]
