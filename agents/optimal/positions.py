"""Rules that read the inventory position: the newsvendor's level and the (s, S) policy, both optimal where
they are solved here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...envs.engine.view import View
from ...envs.problems import FixedOrderCost, Newsvendor

_LEAST, _TAIL = 64, 1e-13  # counts of demand told apart at least; probability beyond them


@dataclass(frozen=True)
class ReorderPoint:
    """Order up to S = ``level`` where the inventory position is s = ``reorder`` or less."""

    reorder: int
    level: int

    def order(self, view: View, price: Tensor) -> Tensor:
        """Units (B, S, I)."""
        position = view.position()
        return torch.where(position <= self.reorder, self.level - position, 0.0)


def newsvendor_level(problem: Newsvendor) -> tuple[ReorderPoint, float]:
    """The smallest level whose chance to suffice is p / (p + h), and its cost a period, in closed form."""
    costs, reached = _expected_costs(problem, 1), _demand(problem, 1).cumsum()
    level = int(np.argmax(reached >= problem.penalty / (problem.penalty + problem.holding)))
    return ReorderPoint(level - 1, level), float(costs(np.array([level]))[0])


def best_reorder_point(problem: FixedOrderCost) -> tuple[ReorderPoint, float]:
    """The best (s, S) policy, which is optimal, and its cost a period: Zheng and Federgruen 1991, section 3.

    G(y) is the expected cost of a period whose demand, with that of the lead time, meets the position y. What
    a policy costs comes from the renewals of demand: c(s, S) = (K + Σ_{j < S - s} m(j) G(S - j)) / M(S - s).
    """
    demand, costs = _demand(problem, 1), _expected_costs(problem, problem.lead_time + 1)
    renewals = _Renewals(demand, problem.fixed, costs)
    start = int(np.argmin(costs(np.arange(len(_demand(problem, problem.lead_time + 1))))))
    low, high = start - 1, start
    while renewals.cost(low, high) > renewals.at(low):
        low -= 1
    best, level = renewals.cost(low, high), high + 1
    while renewals.at(level) <= best:
        if renewals.cost(low, level) < best:
            high = level
            while renewals.cost(low, high) <= renewals.at(low + 1):
                low += 1
            best = renewals.cost(low, high)
        level += 1
    return ReorderPoint(low, high), best


class _Renewals:
    """Costs of (s, S) policies."""

    def __init__(self, demand: np.ndarray, fixed: float, costs: _Costs) -> None:
        self.demand, self.fixed, self.costs = demand, fixed, costs
        self.often = [1 / (1 - demand[0])]  # m(j): periods that the position spends j below S, in a cycle

    def at(self, position: int) -> float:
        """G(y)."""
        return float(self.costs(np.array([position]))[0])

    def cost(self, low: int, high: int) -> float:
        """c(s, S)."""
        while len(self.often) < high - low:
            known = np.array(self.often[::-1])[: len(self.demand) - 1]
            self.often.append(float(known @ self.demand[1 : len(known) + 1]) / (1 - self.demand[0]))
        often = np.array(self.often[: high - low])
        return float((self.fixed + often @ self.costs(high - np.arange(high - low))) / often.sum())


class _Costs:
    """E[h·(y - D)+ + p·(D - y)+] at positions y."""

    def __init__(self, demand: np.ndarray, holding: float, penalty: float) -> None:
        self.demand, self.holding, self.penalty = demand, holding, penalty
        self.units = np.arange(len(demand))

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        beyond = positions[:, None] - self.units
        cost = self.holding * beyond.clip(min=0) - self.penalty * beyond.clip(max=0)
        return cost @ self.demand


def _expected_costs(problem: Newsvendor | FixedOrderCost, periods: int) -> _Costs:
    return _Costs(_demand(problem, periods), problem.holding, problem.penalty)


def _demand(problem: Newsvendor | FixedOrderCost, periods: int) -> np.ndarray:
    """P(D = d) of the demand of some periods, d from 0 to what is next to impossible."""
    counts = _LEAST
    while True:
        single = problem.probabilities(counts)
        if 1 - single.sum() < _TAIL:
            break
        counts *= 2
    total = single
    for _ in range(periods - 1):
        total = np.convolve(total, single)
    return total
