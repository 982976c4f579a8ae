"""Which units to test, and how far to move their prices: most information for a budget of profit.

A row at one of two log prices, 2h apart and each half of the time, adds the information h²/(v + ρ²·h²), where
v is the variance of its log demand and ρ·h the spread of what rivals' prices, which the test moves alike, do
to it: many narrow moves tell more than a few wide ones of the same cost. What is gained on an item, whose
elasticity is believed to be normal with the spread that the fit left open, is ½·log(1 + spread²·information)
nats (Lindley 1956, doi:10.1214/aoms/1177728069; Bayesian D-optimality: Chaloner and Verdinelli 1995,
doi:10.1214/ss/1177009939). Steps are taken in order of what they gain per unit of profit that they forgo;
since each step makes the next ones worth less (submodularity), the order costs little against the best plan
(Krause and Golovin 2014, section 3).
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np

NINETY, _POWER = 1.645, 0.842  # standard normal quantiles: a 90% interval, and a chance of 80% to see it
DETECTABLE = NINETY + _POWER
_FREE = 1e-9  # money below which a step costs nothing
_LEAST_UNITS = 12  # of an item: fewer, moved further, tell less for the same cost (docs/experiments.md)
_LEAST_DRAWS = 40  # ways to draw a test, below which no interval of 90% has two ends
_HIDDEN = 0.73
"""What an elasticity may be off by where something hidden moves price and demand together and no cost shifter
tells: the mean error on such true markets (`no_shifter_item_mae` in docs/benchmarks.md)."""


def hidden(gap_error: float) -> float:
    """Spread of what something hidden may have moved elasticities by.

    Args:
        gap_error: standard error of what the declared cost shifter says of it; NaN where there is no shifter.
    """
    return float(gap_error) if np.isfinite(gap_error) else _HIDDEN


def believed(error: np.ndarray, gap_error: float) -> np.ndarray:
    """(I,) spread of what is believed of items' own elasticities before a test.

    As wide as its standard error and what something hidden may have moved it by, item by item.

    Args:
        error: (I,) standard errors of the fit.
        gap_error: as ``hidden`` has it.
    """
    return np.hypot(error, hidden(gap_error))


@dataclass(frozen=True)
class Candidates:
    """U units of one item each that may be tested, each at one of L widths, narrow to wide."""

    item: np.ndarray  # (U,) int64
    width: np.ndarray  # (U, L) log price when up over that when down; not above 0 where it cannot be
    cost: np.ndarray  # (U, L) profit expected to be forgone over the whole test; below 0 where it gains
    rows: np.ndarray  # (U,) periods of its locations that are read
    variance: np.ndarray  # (U,) of log demand in a row
    rivals: np.ndarray  # (U,) ρ, root of the sum of squares of the item's cross elasticities

    @property
    def information(self) -> np.ndarray:
        """(U, L) about the item's own elasticity."""
        square = np.maximum(self.width, 0) ** 2 / 4
        return self.rows[:, None] * square / (self.variance[:, None] + self.rivals[:, None] ** 2 * square)

    def least_cost(self, fewest: int) -> float:
        """Profit that the cheapest test of an item forgoes, in ``fewest`` units or all that it has."""
        units = np.where(self.width > 0, np.maximum(self.cost, 0), np.inf).min(1)
        return min(float(np.sort(units[self.item == item])[:fewest].sum()) for item in np.unique(self.item))


@dataclass(frozen=True)
class Pairs:
    """Two prices of each unit, by least width; arrays (L, …)."""

    low: np.ndarray
    high: np.ndarray
    width: np.ndarray  # of log price; 0 where there are no two prices
    cost: np.ndarray  # profit forgone, each price half of the time


def cheapest_pairs(price: np.ndarray, lost: np.ndarray, least: np.ndarray, most: float = np.inf) -> Pairs:
    """The two prices that forgo least profit among those that are far enough apart.

    Where the usual price is not the best one, the two lie around a better one.

    Args:
        price: (M, …) that may be charged.
        lost: (C, M, …) profit that each forgoes if it is charged throughout, before kinds of customers; the
            kind before whom a pair costs most counts.
        least: (L, …) widths of log price, at least.
        most: width, at most.
    """
    one, two = np.triu_indices(len(price), 1)
    low, high = np.minimum(price[one], price[two]), np.maximum(price[one], price[two])
    width, cost = np.log(high / low), (lost[:, one] + lost[:, two]).max(0) / 2
    out = []
    for target in least:
        fits = (width >= np.maximum(target, 1e-9)) & (width <= most + 1e-9)
        best = np.where(fits, cost, np.inf).argmin(0)[None]
        there = np.take_along_axis(fits, best, 0)[0]
        taken = [np.take_along_axis(x, best, 0)[0] for x in (low, high, width, cost)]
        out.append([*taken[:2], np.where(there, taken[2], 0.0), np.where(there, taken[3], 0.0)])
    return Pairs(*(np.stack(part) for part in zip(*out, strict=True)))


def fewest_units(blocks: int) -> int:
    """Units that an item needs in a test of so many blocks, for its interval to have two ends."""
    units = _LEAST_UNITS
    while ways_to_draw(units, blocks) < _LEAST_DRAWS:
        units += 1
    return units


def ways_to_draw(units: int, blocks: int) -> float:
    """How many plans ``draw_up`` may draw."""
    pairs = (blocks + 1) // 2
    return float(math.comb(units, units // 2) * (1 + units % 2)) ** pairs


def choose(candidates: Candidates, spread: np.ndarray, budget: float, fewest: int = 1) -> np.ndarray:
    """(U,) int64 width of each unit, −1 where it is not tested, within ``budget``.

    Args:
        candidates: what may be tested.
        spread: (I,) of what is believed of each item's own elasticity.
        budget: profit that the test may forgo; a unit that is expected to gain counts as free, not as income.
        fewest: units that an item is tested in, all of its units where it has fewer: they enter together.
    """
    return _Search(candidates, spread, budget, fewest).run()


class _Search:
    """The greedy search: steps wait in order of what they were worth when they were last looked at."""

    def __init__(self, candidates: Candidates, spread: np.ndarray, budget: float, fewest: int) -> None:
        self.item, self.information = candidates.item, candidates.information
        self.cost = np.maximum.accumulate(np.maximum(candidates.cost, 0), axis=1)
        self.known = spread.astype(np.float64) ** -2.0  # precision of each item so far
        self.at = np.full(len(self.item), -1)
        self.left, self.fewest = budget, fewest
        self.queue: list[tuple[float, int, bool]] = []  # minus worth, unit or item, whether an item enters

    def run(self) -> np.ndarray:
        for item in np.unique(self.item):
            self._wait(int(item), True)
        while self.queue:
            _, number, enters = heapq.heappop(self.queue)
            if not (steps := self._steps(number, enters)):
                continue
            if self.queue and self._worth(steps) < -self.queue[0][0]:  # less than when it was last looked at
                self._wait(number, enters)
                continue
            for unit, level in steps:
                more, price = self._of(unit, level)
                self.known[self.item[unit]] += more
                self.left -= price
                self.at[unit] = level
            for unit in np.flatnonzero(self.item == number).tolist() if enters else [number]:
                self._wait(unit, False)
        return self.at

    def _wait(self, number: int, enters: bool) -> None:
        if steps := self._steps(number, enters):
            heapq.heappush(self.queue, (-self._worth(steps), number, enters))

    def _of(self, unit: int, level: int) -> tuple[float, float]:
        """Information and money that a unit's move to a level adds."""
        now = self.at[unit]
        done = (0.0, 0.0) if now < 0 else (self.information[unit, now], self.cost[unit, now])
        return self.information[unit, level] - done[0], self.cost[unit, level] - done[1]

    def _worth(self, steps: list[tuple[int, int]]) -> float:
        """Information gained per money."""
        more, price = np.sum([self._of(*step) for step in steps], axis=0)
        return float(0.5 * np.log1p(more / self.known[self.item[steps[0][0]]]) / max(price, _FREE))

    def _steps(self, number: int, enters: bool) -> list[tuple[int, int]]:
        """What can be paid: the first width of an item's cheapest units, or the next one of a unit."""
        if not enters:
            level = self._wider(number)
            return [] if level is None or self._of(number, level)[1] > self.left else [(number, level)]
        units = np.flatnonzero(self.item == number).tolist()
        steps = [(unit, level) for unit in units if (level := self._wider(unit)) is not None]
        steps = sorted(steps, key=lambda step: -self._worth([step]))[: self.fewest]
        enough = 0 < len(steps) >= min(self.fewest, len(units))
        return steps if enough and sum(self._of(*step)[1] for step in steps) <= self.left else []

    def _wider(self, unit: int) -> int | None:
        """The next width that adds information."""
        levels = range(self.at[unit] + 1, self.cost.shape[1])
        return next((level for level in levels if self._of(unit, level)[0] > 0), None)


@dataclass(frozen=True)
class Power:
    """What a plan is expected to tell of each item; NaN where it is not tested."""

    error: np.ndarray  # (I,) standard error of the test's own estimate
    detectable: np.ndarray  # (I,) difference of elasticity that a 90% interval excludes with a chance of 80%
    before: np.ndarray  # (I,) spread of what is believed before
    after: np.ndarray  # (I,) … and after
    nats: float  # information gained on all items


def power(information: np.ndarray, spread: np.ndarray) -> Power:
    """Of a plan with ``information`` (I,) on items believed with ``spread`` (I,)."""
    with np.errstate(divide="ignore"):
        error = np.where(information > 0, np.maximum(information, 1e-300) ** -0.5, np.nan)
    after = (spread**-2.0 + information) ** -0.5
    return Power(error, DETECTABLE * error, spread, after, float(np.log(spread / after).sum()))
