"""The optimum of a problem with its policy, and the best of simpler rules, all exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...envs.problems import FixedOrderCost, JointReplenishment, LostSales, Newsvendor, Pricing, Problem
from ...forecasters.errors import InputError
from ..baselines.prices import LastPrice
from ..policy import OrderRule, Pair, Policy
from .joint_replenishment import best_joint
from .lost_sales import Constant, best_capped, best_constant, best_level, optimum
from .play import ByState
from .positions import best_reorder_point, newsvendor_level
from .pricing import best_pricing, best_static_price


@dataclass(frozen=True)
class Rule:
    """The best of a kind, and its exact value."""

    value: float  # of the problem's objective
    policy: Policy


@dataclass(frozen=True)
class Solution:
    """What the problem's objective can be at best, and how."""

    value: float
    policy: Policy
    rules: Mapping[str, Rule] = field(default_factory=dict)  # the best of simpler kinds, by kind


def solve(problem: Problem) -> Solution:
    """The exact optimum of a problem of ``mercato.envs.problems``.

    Raises:
        InputError: a problem of a kind that has no solver here.
    """
    if (solver := SOLVERS.get(type(problem))) is None:
        known = ", ".join(kind.__name__ for kind in SOLVERS)
        raise InputError(f"solve: expected one of {known}, found {type(problem).__name__}")
    return solver(problem)


def ordering(name: str, rule: OrderRule) -> Pair:
    """A policy that orders by a rule and never touches the price."""
    return Pair(name, LastPrice(), rule)


def _lost_sales(problem: LostSales) -> Solution:
    best, (constant, constant_cost) = optimum(problem), best_constant(problem)
    (level, level_cost), (capped, capped_cost) = best_level(problem), best_capped(problem)
    return Solution(
        best.cost,
        ordering("optimum", ByState(best)),
        {
            "base-stock": Rule(level_cost, ordering("base-stock", ByState(level))),
            "capped base-stock": Rule(capped_cost, ordering("capped base-stock", ByState(capped))),
            "constant order": Rule(constant_cost, ordering("constant order", ByState(Constant(constant)))),
        },
    )


def _newsvendor(problem: Newsvendor) -> Solution:
    rule, cost = newsvendor_level(problem)
    return Solution(cost, ordering("optimum", rule))


def _fixed_order_cost(problem: FixedOrderCost) -> Solution:
    rule, cost = best_reorder_point(problem)
    return Solution(cost, ordering("optimum", rule))


def _joint_replenishment(problem: JointReplenishment) -> Solution:
    rule, cost = best_joint(problem)
    return Solution(cost, ordering("optimum", rule))


def _pricing(problem: Pricing) -> Solution:
    (best, value), (static, static_value) = best_pricing(problem), best_static_price(problem)
    return Solution(value, best, {"static price": Rule(static_value, static)})


SOLVERS: dict[type, Callable[[Any], Solution]] = {
    LostSales: _lost_sales,
    Newsvendor: _newsvendor,
    FixedOrderCost: _fixed_order_cost,
    JointReplenishment: _joint_replenishment,
    Pricing: _pricing,
}
