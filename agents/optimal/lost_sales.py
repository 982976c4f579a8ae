"""Lost sales with a lead time: the optimal policy, and the best of the simple ones, all exact.

The optimum is found by relative value iteration on the states that Zipkin 2008 (Operations Research 56(5),
section 4) leaves: however the orders of the last periods are added up, the optimal order never raises the sum
above the newsvendor's level for the demand that those units will meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

import numpy as np

from ...envs.problems import LostSales
from .pipeline import average_cost, leftover, period_costs

_NEVER = 100  # periods of demand that a constant order below mean demand does not leave in stock


@dataclass(frozen=True)
class Optimum:
    """What the optimal policy orders and costs."""

    cost: float  # a period, in the long run
    table: np.ndarray  # (X, Q, …, Q) int, units ordered at stock on hand and at each of L - 1 orders

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Units (N,) ordered in the states (N, L); none beyond those that the policy stays in."""
        most = np.array(self.table.shape) - 1
        orders = self.table[tuple(np.minimum(states, most).T)]
        return np.where((states <= most).all(1), orders, 0)


@dataclass(frozen=True)
class CappedBaseStock:
    """Order up to ``level``, at most ``cap`` units (Xin 2021, Operations Research 69(1)).

    With the cap at the level it is base-stock.
    """

    level: int
    cap: int

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Units (N,) ordered in the states (N, L)."""
        return (self.level - states.sum(1)).clip(0, self.cap)


@dataclass(frozen=True)
class Constant:
    """The same units in every period."""

    units: int

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Units (N,) ordered in the states (N, L)."""
        return np.full(len(states), self.units)


def optimum(problem: LostSales, tolerance: float = 1e-6) -> Optimum:
    """The optimal policy; its cost is right to half of ``tolerance``."""
    levels = vector_levels(problem)
    stock, orders = levels[0], levels[-1] + 1
    kept, room = _states(levels)
    forbidden = np.arange(orders) > room[..., None]
    chances = leftover(problem, stock)
    costs = period_costs(problem, chances).reshape(-1, *(1,) * (problem.lead_time - 1))
    value, lowest, highest = np.broadcast_to(costs, room.shape), -np.inf, np.inf
    while highest - lowest > tolerance:
        later = _later(value, chances, orders)
        later[forbidden] = np.inf
        after = costs + later.min(-1)
        lowest, highest = (after - value)[kept].min(), (after - value)[kept].max()
        value = after - after.flat[0]
    return Optimum(float(lowest + highest) / 2, later.argmin(-1))


def vector_levels(problem: LostSales) -> list[int]:
    """s_0 … s_L: the most that on hand plus orders, the oldest l left out, and the new order add up to.

    s_l is the smallest s with P(D[l, L] > s) <= h / (h + p), D[l, L] being the demand of L - l + 1 periods:
    of more units the last is held in vain too often, whatever happens before (Zipkin 2008, section 4, c = 0).
    """
    allowed = problem.holding / (problem.holding + problem.penalty)
    single = problem.probabilities(int(60 * problem.mean * (problem.lead_time + 1)) + 60)
    total, levels = single, []
    for _ in range(problem.lead_time + 1):
        levels.append(int(np.argmax(total.cumsum() >= 1 - allowed)))
        total = np.convolve(total, single)[: len(single)]
    return levels[::-1]


def _states(levels: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Which states (X, Q, …) the optimal policy stays in, and the most that it orders in each."""
    shape = (levels[0] + 1, *(levels[-1] + 1,) * (len(levels) - 2))
    amounts = np.indices(shape)
    sums = amounts[::-1].cumsum(0)[::-1]  # x_l + … + x_{L-1}
    room = (np.array(levels[:-1]).reshape(-1, *(1,) * len(shape)) - sums).min(0)
    return room >= 0, room.clip(min=0)


def _later(value: np.ndarray, chances: np.ndarray, orders: int) -> np.ndarray:
    """Expected value (X, Q, …, Q) of the next state, at the state (X, Q, …) and the order (last axis).

    What arrives next, x_1, shifts the stock that is left. Beyond the largest stock, where no state that is
    kept leads, the value is that of the largest.
    """
    stock = len(value)
    flat = value.reshape(stock, -1)
    flat = np.concatenate([flat, np.broadcast_to(flat[-1], (orders - 1, flat.shape[1]))])
    later = np.empty((stock, orders, flat.shape[1]))
    for arriving in range(orders):
        later[:, arriving] = chances @ flat[arriving : arriving + stock]
    return later.reshape(*value.shape, orders)


def best_level(problem: LostSales) -> tuple[CappedBaseStock, float]:
    """The best base-stock policy and its cost, which is convex in the level (Janakiraman and Roundy 2004,
    Operations Research 52(5))."""
    start = vector_levels(problem)[0]
    (level,), cost = _descend(
        (start,), lambda levels: average_cost(problem, CappedBaseStock(levels[0], levels[0]))
    )
    return CappedBaseStock(level, level), cost


def best_capped(problem: LostSales) -> tuple[CappedBaseStock, float]:
    """The best capped base-stock policy and its cost, by descent over neighbouring levels and caps."""
    start = (vector_levels(problem)[0], int(problem.mean) + 2)
    found, cost = _descend(start, lambda pair: average_cost(problem, CappedBaseStock(*pair)))
    return CappedBaseStock(*found), cost


def best_constant(problem: LostSales) -> tuple[int, float]:
    """The best whole number of units below mean demand to order in every period, and its cost."""
    costs = [constant_cost(problem, order) for order in range(ceil(problem.mean))]
    best = int(np.argmin(costs))
    return best, costs[best]


def constant_cost(problem: LostSales, order: int) -> float:
    """Cost of ordering the same units, fewer than mean demand, in every period, at any lead time.

    The stock left, i, becomes (i + order - D)+: its stationary distribution, up to a stock whose probability
    is nothing. What is ordered is sold, and the rest of demand is lost.
    """
    stock = int(_NEVER * problem.mean)
    chain = leftover(problem, stock + order)[order:]
    chain[:, stock] += chain[:, stock + 1 :].sum(1)
    balance = chain[:, : stock + 1].T - np.eye(stock + 1)
    balance[0] = 1  # probabilities add up to 1, in place of an equation that the others imply
    stationary = np.linalg.solve(balance, np.eye(stock + 1)[0])
    left = float(stationary @ np.arange(stock + 1))
    return problem.holding * left + problem.penalty * (problem.mean - order)


def _descend(
    start: tuple[int, ...], cost: Callable[[tuple[int, ...]], float]
) -> tuple[tuple[int, ...], float]:
    """The point none of whose neighbours, diagonal ones included, costs less; and its cost."""
    known = {start: cost(start)}
    best = start
    while True:
        for point in _neighbours(best):
            if point not in known:
                known[point] = cost(point)
        lowest = min(known, key=known.__getitem__)
        if lowest == best:
            return best, known[best]
        best = lowest


def _neighbours(point: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
    for steps in np.ndindex(*(3,) * len(point)):
        near = tuple(x + step - 1 for x, step in zip(point, steps, strict=True))
        if min(near) > 0:
            yield near
