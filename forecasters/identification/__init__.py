"""The first stage: what moved prices beyond anything foreseeable, and what that did to demand."""

from .elasticity import Elasticities, estimate
from .knowledge import with_knowledge
from .nuisance import ROUNDS, Known, Residuals, fit_nuisances, impute_demand

__all__ = [
    "ROUNDS",
    "Elasticities",
    "Known",
    "Residuals",
    "estimate",
    "fit_nuisances",
    "impute_demand",
    "with_knowledge",
]
