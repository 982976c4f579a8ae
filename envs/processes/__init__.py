"""Demand that is not learned: independent periods, logit customers, a replayed history, observed nature."""

from .iid import DiscreteWeibull, Geometric, Independent, NegativeBinomial, Poisson
from .logit import Logit, LogitDemand
from .observed import ObservedDemand
from .replay import Replay

__all__ = [
    "DiscreteWeibull",
    "Geometric",
    "Independent",
    "Logit",
    "LogitDemand",
    "NegativeBinomial",
    "ObservedDemand",
    "Poisson",
    "Replay",
]
