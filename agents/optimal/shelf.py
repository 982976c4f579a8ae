"""Stock on a shelf: what demand, waste and arrivals make of it in a period, as tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import lgamma
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .series import Series


class Shelf(ABC):
    """Which stocks there are, K of them, and K' that are left after a period."""

    stock: np.ndarray  # (K,) units that each holds, less what is owed
    left: np.ndarray  # (K',) units that each holds that is left, less what is owed

    @staticmethod
    def of(series: Series) -> Shelf:
        """The shelf of a series."""
        owed = series.chances.shape[-1] if series.economics.unmet == "backorder" else 0
        return Heap(series.most_stock, owed)

    @abstractmethod
    def period(self, series: Series, date: int) -> tuple[np.ndarray, np.ndarray]:
        """Expected rewards (P, K) before ordering costs, and chances (P, K, K') of what is left."""

    @abstractmethod
    def arrive(self, most: int) -> np.ndarray:
        """(K', most + 1) the stock after an arrival of 0 … ``most`` units; what has no room is gone."""

    @abstractmethod
    def place(self, start: np.ndarray | int) -> int:
        """The place of a stock at the beginning."""


@dataclass(frozen=True)
class Heap(Shelf):
    """Units that are all alike; each is wasted overnight with the same probability."""

    most: int
    owed: int  # largest number of units owed

    @property
    def stock(self) -> np.ndarray:  # type: ignore[override]
        return np.arange(-self.owed, self.most + 1)

    @property
    def left(self) -> np.ndarray:  # type: ignore[override]
        return self.stock

    def place(self, start: np.ndarray | int) -> int:
        return int(start) + self.owed

    def arrive(self, most: int) -> np.ndarray:
        return (np.arange(len(self.stock))[:, None] + np.arange(most + 1)).clip(max=len(self.stock) - 1)

    def period(self, series: Series, date: int) -> tuple[np.ndarray, np.ndarray]:
        economics, chances, mean = series.economics, series.chances[date], series.mean[date]
        x, d = self.stock, np.arange(chances.shape[-1])
        floor = -self.owed
        places = (x[:, None] - d).clip(min=floor) - floor  # (K, D) what d leaves, nothing where it is lost
        kernel = np.zeros((len(chances), len(x), len(x)))
        for demand, row in enumerate(places.T):
            kernel[:, np.arange(len(x)), row] += chances[:, demand, None]
        kept = kernel @ np.maximum(x, 0)
        short = mean[:, None] - x + kept
        sold = mean[:, None] if economics.unmet == "backorder" else x - kept
        return profit(series, sold, kept, short, economics.waste_rate * kept), kernel @ thinned(
            x, economics.waste_rate
        )


def profit(
    series: Series, sold: np.ndarray, kept: np.ndarray, short: np.ndarray, wasted: np.ndarray
) -> np.ndarray:
    """(P, K) what a period earns, ordering costs left out, of units expected (P, K)."""
    economics, cost = series.economics, series.unit_cost
    earned = (series.prices[:, None] - cost) * sold
    goodwill = economics.shortage_rate * series.reference_price * short
    return (
        earned
        - economics.holding_rate * cost * kept
        - goodwill
        - (1 + economics.waste_cost_rate) * cost * wasted
    )


def thinned(stock: np.ndarray, rate: float) -> np.ndarray:
    """(K, K) chances of what remains of each stock where every unit is wasted with probability ``rate``."""
    if rate in (0.0, 1.0):
        return (stock[None, :] == np.where(stock > 0, (1 - rate) * stock, stock)[:, None]).astype(float)
    remain, held = np.meshgrid(stock, stock)
    inside = (remain >= 0) & (remain <= held)
    k, n = np.where(inside, remain, 0), np.where(inside, held, 0)
    ways = np.vectorize(lgamma)
    logs = ways(n + 1.0) - ways(k + 1.0) - ways(n - k + 1.0) + k * np.log1p(-rate) + (n - k) * np.log(rate)
    return np.where(inside, np.exp(logs), (remain == held) & (held < 0))
