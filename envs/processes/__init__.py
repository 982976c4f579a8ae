"""Demand that is not learned: independent periods, logit customers, a replayed history, observed nature."""

from .counts import Counts, DiscreteWeibull, Geometric, NegativeBinomial, Poisson
from .customers import CustomerMarket, CustomerState
from .iid import Independent, constant_elasticity, exponential, linear
from .logit import Logit, LogitDemand
from .observed import ObservedDemand
from .replay import Replay

__all__ = [
    "Counts",
    "CustomerMarket",
    "CustomerState",
    "DiscreteWeibull",
    "Geometric",
    "Independent",
    "Logit",
    "LogitDemand",
    "NegativeBinomial",
    "ObservedDemand",
    "Poisson",
    "Replay",
    "constant_elasticity",
    "exponential",
    "linear",
]
