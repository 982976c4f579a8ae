"""Exact optima of problems that are small enough, and exact costs of policies in them."""

from .bound import Bound, Typical, bound, bound_of, typical_series
from .joint_replenishment import JointTable, best_joint
from .lost_sales import (
    CappedBaseStock,
    Constant,
    Optimum,
    average_cost,
    best_capped,
    best_constant,
    best_level,
    constant_cost,
    optimum,
)
from .play import ByState, mean_error, runs, simulated
from .positions import ReorderPoint, best_reorder_point, newsvendor_level
from .pricing import Tabulated, best_pricing, best_static_price, continuous_time, fluid_bound
from .series import Plan, Program, Series
from .solution import Rule, Solution, solve

__all__ = [
    "Bound",
    "ByState",
    "CappedBaseStock",
    "Constant",
    "JointTable",
    "Optimum",
    "Plan",
    "Program",
    "ReorderPoint",
    "Rule",
    "Series",
    "Solution",
    "Tabulated",
    "Typical",
    "average_cost",
    "best_capped",
    "best_constant",
    "best_joint",
    "best_level",
    "best_pricing",
    "best_reorder_point",
    "best_static_price",
    "bound",
    "bound_of",
    "constant_cost",
    "continuous_time",
    "fluid_bound",
    "mean_error",
    "newsvendor_level",
    "optimum",
    "runs",
    "simulated",
    "solve",
    "typical_series",
]
