"""The first stage: what moved prices beyond anything foreseeable, and what that did to demand."""

from .elasticity import Elasticities, estimate
from .nuisance import ROUNDS, Known, Residuals, fit_nuisances, impute_demand

__all__ = [
    "ROUNDS",
    "Elasticities",
    "Known",
    "Residuals",
    "estimate",
    "fit_nuisances",
    "impute_demand",
]
