"""Sales panels of any size and known demand, drawn in one sweep of NumPy.

Demand is negative binomial around a log-linear mean: level of a location and of an item, season, day of the
week, a shock that the locations' weeks share and that lasts, own and cross price effects, promotions. Prices
follow what the shop expects to sell, so that whoever regresses sales on prices is misled. Items substitute
each other within a category.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

_CATEGORY = 6  # items of one
_LASTS = 0.8  # of a location's shock, from one period to the next
_SHOCK = 0.12  # its standard deviation
_FOLLOWS = 0.5  # of the log demand that is expected goes into the log price
_PROMOTED, _CUT, _LIFT = 0.06, 0.2, 0.3  # share of rows, off the log price, onto the log demand
_CROSS = 0.25  # of an item's own elasticity is what it gains from its category's mean log price
_DISPERSION = 0.15  # variance of demand is μ + φ μ²

StockOuts = Callable[[np.random.Generator, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(noise, demand, mean demand), both (T, S, I) → sales and share of the period out of stock, too."""


@dataclass(frozen=True)
class Shape:
    """Locations × items × periods."""

    locations: int
    items: int
    periods: int
    frequency: str = "D"  # or W

    def __str__(self) -> str:
        return (
            f"{self.locations} × {self.items} × {self.periods} {'days' if self.frequency == 'D' else 'weeks'}"
        )


@dataclass(frozen=True)
class Drawn:
    """A panel and its truth, every array (T, S, I)."""

    shape: Shape
    mean: np.ndarray  # expected demand at the price charged, the shocks being known
    demand: np.ndarray  # units wanted
    sales: np.ndarray
    censored: np.ndarray  # share of the period out of stock
    price: np.ndarray
    promo: np.ndarray
    own: np.ndarray  # (I,) own elasticities

    def frame(self) -> pd.DataFrame:
        """The table that a shop would have of it, in the panel contract."""
        periods, places, goods = self.sales.shape
        days = pd.date_range(
            "2023-01-02", periods=periods, freq=f"{7 if self.shape.frequency == 'W' else 1}D"
        )
        t, s, i = (part.ravel() for part in np.indices(self.sales.shape, dtype=np.int32))

        def named(index: np.ndarray, letter: str, count: int) -> pd.Categorical[str]:
            names = pd.Index([f"{letter}{k:04d}" for k in range(count)])
            return pd.Categorical.from_codes(index, names)

        return pd.DataFrame(
            {
                "date": days.to_numpy()[t],
                "location": named(s, "s", places),
                "item": named(i, "i", goods),
                "category": named(i // _CATEGORY, "c", -(-goods // _CATEGORY)),
                "units": self.sales.ravel(),
                "price": self.price.ravel().round(2),
                "promo": self.promo.ravel(),
                "censored": self.censored.ravel().round(4),
            }
        )

    def write(self, path: Path) -> Path:
        """Write the table as parquet; returns ``path``."""
        self.frame().to_parquet(path, index=False)
        return path


def draw(shape: Shape, seed: int = 0, stock_outs: StockOuts | None = None) -> Drawn:
    """Draw a panel; where no ``stock_outs`` are given, ``shelves`` run empty."""
    rng = np.random.default_rng(seed)
    full = (shape.periods, shape.locations, shape.items)
    own = rng.uniform(-3.2, -1.2, shape.items)
    usual = rng.lognormal(1.2, 0.5, shape.items)
    level = rng.normal(1.4, 0.5, shape.items) + rng.normal(0, 0.4, shape.locations)[:, None]
    expected = level + _calendar(shape, rng)[:, None, :] + _shocks(shape, rng)[..., None]
    promo = rng.random(full, dtype=np.float32) < _PROMOTED
    shift = _FOLLOWS * (expected - expected.mean(0)) + 0.08 * _held(rng, full)
    shift -= _CUT * promo
    category = np.arange(shape.items) // _CATEGORY
    log_mean = expected + own * shift + _LIFT * promo - _CROSS * own * _others(shift, category)
    mean = np.exp(log_mean)
    demand = rng.poisson(mean * rng.gamma(1 / _DISPERSION, _DISPERSION, full))
    sales, censored = (stock_outs or shelves)(rng, demand, mean)
    return Drawn(shape, mean, demand, sales, censored, usual * np.exp(shift), promo.astype(np.int8), own)


def shelves(rng: np.random.Generator, demand: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A shelf holds what is expected and a third more, with error; a stock-out is told by its share.

    The last of k units goes when the k-th of n customers comes: a beta(k, n − k + 1) share into the period.
    """
    stock = np.ceil(1.35 * mean * rng.lognormal(0, 0.3, mean.shape) + 1)
    out = demand > stock
    share = np.zeros(mean.shape)
    share[out] = 1 - rng.beta(stock[out], demand[out] - stock[out] + 1)
    return np.minimum(demand, stock), share


def closures(often: float, whole: float) -> StockOuts:
    """Any share of the period out of stock, whatever demand is.

    Args:
        often: share of rows that are out for a part, evenly 0 … 1.
        whole: share of rows that are out throughout.
    """

    def close(
        rng: np.random.Generator, demand: np.ndarray, mean: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        share = np.where(rng.random(mean.shape) < often, rng.random(mean.shape), 0).round(4)
        share[rng.random(mean.shape) < whole] = 1
        return rng.binomial(demand, 1 - share), share

    return close


def _calendar(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """(T, I) season of each item, and day of the week for days."""
    days = np.arange(shape.periods) * (7 if shape.frequency == "W" else 1)
    turn = rng.uniform(0, 2 * np.pi, shape.items)
    season = 0.2 * np.sin(2 * np.pi * days[:, None] / 365.25 + turn)
    if shape.frequency == "W":
        return season
    return season + rng.normal(0, 0.15, 7)[days % 7][:, None]


def _shocks(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """(T, S) shocks that last, of each location and in part of all."""
    fresh = rng.normal(0, _SHOCK * np.sqrt(1 - _LASTS**2), (shape.periods, shape.locations + 1))
    fresh[0] = rng.normal(0, _SHOCK, shape.locations + 1)
    for t in range(1, shape.periods):
        fresh[t] += _LASTS * fresh[t - 1]
    return np.sqrt(0.5) * (fresh[:, 1:] + fresh[:, :1])


def _held(rng: np.random.Generator, full: tuple[int, int, int]) -> np.ndarray:
    """(T, S, I) moves of a price by chance, each kept for four periods."""
    periods, *rest = full
    return np.repeat(rng.standard_normal((-(-periods // 4), *rest)), 4, axis=0)[:periods]


def _others(shift: np.ndarray, category: np.ndarray) -> np.ndarray:
    """(T, S, I) mean log price move of the other items of the category."""
    starts = np.unique(category, return_index=True)[1]
    count = np.bincount(category)[category]
    total = np.add.reduceat(shift, starts, axis=-1)[..., category]
    return (total - shift) / np.maximum(count - 1, 1)
