"""Stock on a shelf: what demand, waste and arrivals make of it in a period, as tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import lgamma
from typing import TYPE_CHECKING

import numpy as np

from ...forecasters.errors import InputError

if TYPE_CHECKING:
    from .series import Series


class Shelf(ABC):
    """Which stocks there are as demand comes, K of them, and K' that may be left of them the next morning."""

    stock: np.ndarray  # (K,) units that each holds, less what is owed
    left: np.ndarray  # (K',) the same of those that are left

    @staticmethod
    def of(series: Series) -> Shelf:
        """The shelf of a series.

        Raises:
            InputError: units perish, and unmet demand waits.
        """
        economics = series.economics
        owed = series.chances.shape[-1] if economics.unmet == "backorder" else 0
        if economics.shelf_life is None:
            return Heap(series.most_stock, owed)
        if owed:
            raise InputError("series: expected lost sales beside a shelf life, found backorders")
        return Ages(economics.shelf_life, series.most_order, economics.issuing == "fifo")

    @abstractmethod
    def period(self, series: Series, date: int) -> tuple[np.ndarray, np.ndarray]:
        """Expected rewards (P, K) before ordering costs, and chances (P, K, K') of what is left."""

    @abstractmethod
    def arrive(self, most: int) -> np.ndarray:
        """(K', most + 1) the stock after an arrival of 0 … ``most`` units; what has no room is gone."""

    @abstractmethod
    def find(self, held: np.ndarray, ages: np.ndarray, fresh: bool) -> np.ndarray:
        """(N,) places, of K, of stocks less what is owed (N,), or by age (N, m); of K' without fresh ones."""


@dataclass(frozen=True)
class Heap(Shelf):
    """Units that are all alike; each spoils overnight with the same probability."""

    most: int
    owed: int  # largest number of units owed

    @cached_property
    def stock(self) -> np.ndarray:  # type: ignore[override]
        return np.arange(-self.owed, self.most + 1)

    @property
    def left(self) -> np.ndarray:  # type: ignore[override]
        return self.stock

    def find(self, held: np.ndarray, ages: np.ndarray, fresh: bool) -> np.ndarray:
        return held.clip(-self.owed, self.most) + self.owed

    def arrive(self, most: int) -> np.ndarray:
        return (np.arange(len(self.stock))[:, None] + np.arange(most + 1)).clip(max=len(self.stock) - 1)

    def period(self, series: Series, date: int) -> tuple[np.ndarray, np.ndarray]:
        economics, chances, mean = series.economics, series.chances[date], series.mean[date, :, None]
        x, wanted = self.stock, np.arange(chances.shape[-1])
        places = (x[:, None] - wanted).clip(min=-self.owed) + self.owed  # (K, D) of what demand leaves
        kernel = np.zeros((len(chances), len(x), len(x)))
        for demand, row in enumerate(places.T):
            kernel[:, np.arange(len(x)), row] += chances[:, demand, None]
        kept = kernel @ x.clip(min=0)
        short = mean - x + kept
        sold = mean if economics.unmet == "backorder" else x - kept
        reward = profit(series, sold, kept, short, economics.waste_rate * kept)
        return reward, kernel @ spoiling(x, economics.waste_rate)


@dataclass(frozen=True)
class Ages(Shelf):
    """Units in cohorts by the periods that they can still be sold in; one cohort arrives a period.

    A stock is (c_0, …, c_{m-1}), of which c_0 is thrown away tonight and c_{m-1} is fresh. What is left of it
    has no fresh units until the next arrival.
    """

    life: int  # m, periods in which a unit can be sold
    most: int  # largest cohort
    oldest_first: bool

    @cached_property
    def cohorts(self) -> np.ndarray:
        """(K, m)"""
        return np.indices((self.most + 1,) * self.life).reshape(self.life, -1).T

    @cached_property
    def stock(self) -> np.ndarray:  # type: ignore[override]
        return self.cohorts.sum(1)

    @cached_property
    def left(self) -> np.ndarray:  # type: ignore[override]
        return self.stock[:: self.most + 1]

    def find(self, held: np.ndarray, ages: np.ndarray, fresh: bool) -> np.ndarray:
        places = ages.clip(max=self.most) @ (self.most + 1) ** np.arange(self.life)[::-1]
        return places if fresh else places // (self.most + 1)

    def arrive(self, most: int) -> np.ndarray:
        return np.arange(len(self.left))[:, None] * (self.most + 1) + np.arange(most + 1)

    def period(self, series: Series, date: int) -> tuple[np.ndarray, np.ndarray]:
        economics, chances, mean = series.economics, series.chances[date], series.mean[date, :, None]
        queue = self.cohorts if self.oldest_first else self.cohorts[:, ::-1]
        sooner = queue.cumsum(1) - queue  # units that are handed out before a cohort's turn comes
        weights = (self.most + 1) ** np.arange(self.life - 1)[::-1]
        kernel = np.zeros((len(chances), len(queue), len(self.left)))
        kept, expired = np.zeros((2, len(chances), len(queue)))
        for demand, chance in enumerate(chances.T):
            rest = queue - (demand - sooner).clip(0, queue)
            rest = rest if self.oldest_first else rest[:, ::-1]
            kernel[:, np.arange(len(queue)), rest[:, 1:] @ weights] += chance[:, None]
            kept += chance[:, None] * rest.sum(1)
            expired += chance[:, None] * rest[:, 0]
        wasted = expired + economics.waste_rate * (kept - expired)
        reward = profit(series, self.stock - kept, kept, mean - self.stock + kept, wasted)
        return reward, self._spoilt(kernel, economics.waste_rate)

    def _spoilt(self, kernel: np.ndarray, rate: float) -> np.ndarray:
        """``kernel`` (P, K, K') after every cohort that is left has spoilt in part."""
        spoils, whole = spoiling(np.arange(self.most + 1), rate), kernel.shape
        kernel = kernel.reshape(*whole[:2], *(self.most + 1,) * (self.life - 1))
        for axis in range(2, kernel.ndim):
            kernel = np.moveaxis(np.moveaxis(kernel, axis, -1) @ spoils, -1, axis)
        return kernel.reshape(whole)


def profit(
    series: Series, sold: np.ndarray, kept: np.ndarray, short: np.ndarray, wasted: np.ndarray
) -> np.ndarray:
    """(P, K) what a period earns, ordering costs left out, of units expected (P, K)."""
    economics, cost = series.economics, series.unit_cost
    goodwill = economics.shortage_rate * series.reference_price * short
    stock = cost * (economics.holding_rate * kept + (1 + economics.waste_cost_rate) * wasted)
    return (series.prices[:, None] - cost) * sold - goodwill - stock


def spoiling(stock: np.ndarray, rate: float) -> np.ndarray:
    """(K, K) chances of what remains of each stock where a unit spoils with probability ``rate``."""
    if rate in (0.0, 1.0):
        return (stock == np.where(stock > 0, (1 - rate) * stock, stock)[:, None]).astype(float)
    remain, held = np.meshgrid(stock, stock)
    inside = (remain >= 0) & (remain <= held)
    k, n = np.where(inside, remain, 0), np.where(inside, held, 0)
    log_factorial = np.array([lgamma(i + 1.0) for i in range(int(stock.max()) + 1)])
    ways = log_factorial[n] - log_factorial[k] - log_factorial[n - k]
    chances = np.exp(ways + k * np.log1p(-rate) + (n - k) * np.log(rate))
    return np.where(inside, chances, (remain == held) & (held < 0))
