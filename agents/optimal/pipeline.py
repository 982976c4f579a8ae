"""The lost-sales system as a Markov chain: states, transitions, and the cost of a policy in the long run.

A state is (x_0, …, x_{L-1}): stock on hand after the period's arrivals, then the orders of the last L - 1
periods, the oldest first. With the order q and the demand D the next one is ((x_0 - D)+ + x_1, x_2, …, q).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...envs.problems import LostSales

Orders = Callable[[np.ndarray], np.ndarray]
"""A policy: units (N,) that it orders in the states (N, L)."""


def leftover(problem: LostSales, stock: int) -> np.ndarray:
    """P((x - D)+ = i) at [x, i], each from 0 to ``stock``; exact, for D >= x leaves nothing."""
    chances = problem.probabilities(stock + 1)
    x, i = np.mgrid[: stock + 1, : stock + 1]
    table = np.where(i <= x, chances[np.abs(x - i)], 0.0)
    table[:, 0] += 1 - table.sum(1)
    return table


def period_costs(problem: LostSales, leftover: np.ndarray) -> np.ndarray:
    """E[h·(x - D)+ + p·(D - x)+] at each stock x, of which ``leftover`` has the rows."""
    left = leftover @ np.arange(len(leftover))
    short = problem.mean - np.arange(len(leftover)) + left  # (D - x)+ = D - x + (x - D)+
    return problem.holding * left + problem.penalty * short


def average_cost(problem: LostSales, orders: Orders, tolerance: float = 1e-7) -> float:
    """Cost a period in the long run of a policy that keeps the inventory position bounded.

    All states that it reaches from an empty system are enumerated; the cost is that of value iteration with
    the policy fixed, whose smallest and largest change bound it (Odoni 1969, Operations Research 17(5)), to
    ``tolerance``.
    """
    states, transitions = _chain(problem, orders)
    costs = period_costs(problem, leftover(problem, states[:, 0].max()))[states[:, 0]]
    value, lowest, highest = costs, -np.inf, np.inf
    while highest - lowest > tolerance:
        after = costs + transitions @ value
        lowest, highest = (after - value).min(), (after - value).max()
        value = after - after[0]
    return float(lowest + highest) / 2


def _chain(problem: LostSales, orders: Orders) -> tuple[np.ndarray, Any]:
    """States (N, L) that are reached, and their transitions (N, N), sparse."""
    from scipy.sparse import csr_array

    new = np.zeros((1, problem.lead_time), dtype=np.int64)
    known = _keys(new)
    states = new
    while len(new):
        after, _ = _successors(new, orders)
        keys, first = np.unique(_keys(after), return_index=True)
        fresh = ~np.isin(keys, known, assume_unique=True)
        new, known = after[first[fresh]], np.concatenate([known, keys[fresh]])
        states = np.concatenate([states, new])
    after, left = _successors(states, orders)
    by_key = np.argsort(known)
    place = by_key[np.searchsorted(known, _keys(after), sorter=by_key)]
    rows = np.repeat(np.arange(len(states)), states[:, 0] + 1)
    chances = leftover(problem, states[:, 0].max())[states[rows, 0], left]
    return states, csr_array((chances, (rows, place)), shape=(len(states), len(states)))


def _successors(states: np.ndarray, orders: Orders) -> tuple[np.ndarray, np.ndarray]:
    """The states (M, L) that follow ``states`` (N, L), x_0 + 1 of each, and the stock (M,) left before."""
    ways = states[:, 0] + 1
    left = np.arange(ways.sum()) - np.repeat(ways.cumsum() - ways, ways)
    later = np.column_stack([states[:, 1:], orders(states)]).repeat(ways, axis=0)
    later[:, 0] += left
    return later, left


def _keys(states: np.ndarray) -> np.ndarray:
    """A number (N,) of each state (N, L)."""
    return states @ (2 ** (np.arange(states.shape[1]) * (62 // states.shape[1])))
