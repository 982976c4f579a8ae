"""Two items that share the cost of an order: the optimal policy, by value iteration over both stocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
import torch
from torch import Tensor

from ...envs.engine.view import View
from ...envs.problems import JointReplenishment
from ...envs.processes import Poisson

_DAMPING = 0.9  # of a step, without which policies that go round and round never settle


@dataclass(frozen=True)
class JointTable:
    """Levels to order up to, by both inventory positions."""

    levels: np.ndarray  # (K_1, K_2, 2) int
    lowest: int  # position that the tables begin with, below 0

    def order(self, view: View, price: Tensor) -> Tensor:
        """Units (B, 1, 2)."""
        positions = view.position()[:, 0].round().long().cpu().numpy()
        first, second = (positions - self.lowest).clip(0, np.array(self.levels.shape[:2]) - 1).T
        order = self.levels[first, second] - positions
        return torch.as_tensor(order).to(price).clamp(min=0).unsqueeze(1)


def best_joint(problem: JointReplenishment, tolerance: float = 1e-5) -> tuple[JointTable, float]:
    """The optimal policy and its cost a period, right to half of ``tolerance``.

    Either nothing is ordered, or K is paid and both positions are raised to where it costs least, of all that
    are not lower: V(x) = min(G(x), K + min_{y >= x} G(y)).
    """
    means = problem.first, problem.second
    lowest, most = _range(problem)
    stocks = np.arange(lowest, most + 1)
    left, costs = zip(*(_after(stocks, mean, problem) for mean in means), strict=True)
    cost = costs[0][:, None] + costs[1]
    value, lower, upper = np.zeros_like(cost), -np.inf, np.inf
    while upper - lower > tolerance:
        stay = cost + left[0] @ value @ left[1].T
        after = np.minimum(stay, problem.joint + _least_above(stay))
        lower, upper = (after - value).min(), (after - value).max()
        value = value + _DAMPING * (after - value - (after - value)[0, 0])
    return JointTable(_levels(stay, problem.joint, stocks), lowest), float(lower + upper) / 2


def _range(problem: JointReplenishment) -> tuple[int, int]:
    """Lowest and highest position: what demand may leave owed, and more than an order is ever worth."""
    mean = max(problem.first, problem.second)
    batch = sqrt(2 * problem.joint * mean / problem.holding)
    return -ceil(2 * mean + 6 * sqrt(mean) + 4), ceil(2 * batch + mean + 6 * sqrt(mean) + 4)


def _after(stocks: np.ndarray, mean: float, problem: JointReplenishment) -> tuple[np.ndarray, np.ndarray]:
    """Chances (K, K) of what demand makes of each stock, the lowest or less, and costs (K,) expected."""
    chances = Poisson().probabilities(torch.tensor(mean), 200).numpy()
    after = stocks[:, None] - np.arange(len(chances))
    cost = (problem.holding * after.clip(min=0) - problem.penalty * after.clip(max=0)) @ chances
    places, left = (after - stocks[0]).clip(min=0), np.zeros((len(stocks), len(stocks)))
    for demand, chance in enumerate(chances):
        left[np.arange(len(stocks)), places[:, demand]] += chance
    return left, cost


def _least_above(values: np.ndarray) -> np.ndarray:
    """At each place the least of the values whose places are not lower on either axis."""
    for axis in (0, 1):
        values = np.flip(np.minimum.accumulate(np.flip(values, axis), axis), axis)
    return values


def _levels(stay: np.ndarray, joint: float, stocks: np.ndarray) -> np.ndarray:
    """(K_1, K_2, 2) where each pair of positions is raised to."""
    least, levels = _least_above(stay), np.zeros((*stay.shape, 2), dtype=int)
    for place in reversed(list(np.ndindex(*stay.shape))):
        nexts = [(place[0] + 1, place[1]), (place[0], place[1] + 1)]
        same = [one for one in nexts if max(one) < len(stocks) and least[one] == least[place]]
        levels[place] = stocks[list(place)] if stay[place] == least[place] else levels[same[0]]
    for place in zip(*np.nonzero(stay <= joint + least), strict=True):
        levels[place] = stocks[list(place)]
    return levels
