"""Exact optima of problems that are small enough, and exact costs of policies in them."""

from .lost_sales import (
    CappedBaseStock,
    Optimum,
    average_cost,
    best_capped,
    best_constant,
    best_level,
    constant_cost,
    optimum,
)
from .play import ByState, simulated_cost

__all__ = [
    "ByState",
    "CappedBaseStock",
    "Optimum",
    "average_cost",
    "best_capped",
    "best_constant",
    "best_level",
    "constant_cost",
    "optimum",
    "simulated_cost",
]
