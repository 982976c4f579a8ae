"""The observed sales table on a regular calendar, stored as a list of series, dense only where asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ..reading import Reading

Role = Literal["static", "exogenous", "decision", "past", "instrument"]
ROLES: tuple[Role, ...] = ("static", "exogenous", "decision", "past", "instrument")


@dataclass(frozen=True)
class Covariate:
    """A numeric column beside units and price.

    Roles: *static* (an attribute of the series), *exogenous* (calendar, weather: replayed or scenario),
    *decision* (moves with price: promo, deal, feature), *past* (known only afterwards), *instrument* (a
    declared cost shifter).
    """

    name: str
    role: Role
    values: np.ndarray  # (T, N) float32, NaN where unknown; a static one repeats along T
    country: str | None = None  # whose public holidays they are, which are known beyond the table, too


@dataclass(frozen=True)
class CleaningReport:
    """What was dropped, clipped, filled or flagged on reading; nothing is changed silently."""

    rows_read: int = 0
    rows_kept: int = 0
    notes: tuple[str, ...] = ()  # one counted line each, naming the column and first offending rows


@dataclass(frozen=True)
class SalesPanel:
    """Units and prices of N series over T regular periods.

    ``units`` is NaN where unknown (a missing row), which is not the same as zero sales. ``price`` is filled
    everywhere between a series' first and last observation (last known price) and NaN outside.
    """

    dates: np.ndarray  # (T,) datetime64[D], start of each period, evenly spaced
    frequency: str  # pandas offset: "D", "W", "MS" …
    locations: tuple[str, ...]
    items: tuple[str, ...]
    series: np.ndarray  # (N, 2) int64: index of location, index of item
    units: np.ndarray  # (T, N) float32 units sold, >= 0, NaN unknown
    price: np.ndarray  # (T, N) float32 price a unit, > 0, NaN before the first and after the last row
    censored: np.ndarray  # (T, N) float32 share of the period out of stock, 0 … 1
    cost: np.ndarray | None = None  # (T, N) float32 unit cost, NaN unknown
    categories: tuple[str, ...] = ()  # (I,) category of each item; defaults to one for all
    price_groups: tuple[
        str, ...
    ] = ()  # (S,) group of locations that share prices; defaults to single locations
    coordinates: np.ndarray | None = None  # (S, 2) float32 latitude, longitude in degrees
    covariates: tuple[Covariate, ...] = ()
    report: CleaningReport = field(default_factory=CleaningReport)
    reading: Reading = field(default_factory=Reading)  # how another table is read alike

    def __post_init__(self) -> None:
        if not self.categories:
            object.__setattr__(self, "categories", ("all",) * len(self.items))
        if not self.price_groups:
            object.__setattr__(self, "price_groups", self.locations)

    def __repr__(self) -> str:
        size = f"locations={len(self.locations)}, items={len(self.items)}, series={len(self.series)}"
        when = f"periods={self.periods}, frequency={self.frequency!r}"
        return f"SalesPanel({size}, {when}, {' to '.join(map(str, self.dates[[0, -1]]))})"

    @property
    def periods(self) -> int:
        return len(self.dates)

    def dense(self, values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """``values`` (T, N) or (N,) laid out as (T, S, I) or (S, I); ``fill`` where a pair is not listed."""
        shape = (*values.shape[:-1], len(self.locations), len(self.items))
        out = np.full(shape, fill, dtype=np.float32)
        out[..., self.series[:, 0], self.series[:, 1]] = values
        return out

    def covariate(self, name: str) -> Covariate:
        for covariate in self.covariates:
            if covariate.name == name:
                return covariate
        raise KeyError(name)

    def window(self, start: int, stop: int) -> SalesPanel:
        """The same series between calendar indices ``start`` (included) and ``stop`` (excluded)."""
        cut = slice(start, stop)
        return replace(
            self,
            dates=self.dates[cut],
            units=self.units[cut],
            price=self.price[cut],
            censored=self.censored[cut],
            cost=None if self.cost is None else self.cost[cut],
            covariates=tuple(replace(c, values=c.values[cut]) for c in self.covariates),
        )

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> SalesPanel:
        """The sub-panel of some locations and items, in the panel's own order; series outside are dropped."""
        places, goods = _positions(self.locations, locations), _positions(self.items, items)
        keep = np.isin(self.series[:, 0], places) & np.isin(self.series[:, 1], goods)
        series = self.series[keep]
        remap = np.stack(
            [np.searchsorted(places, series[:, 0]), np.searchsorted(goods, series[:, 1])], axis=1
        )
        return replace(
            self,
            locations=tuple(self.locations[i] for i in places),
            items=tuple(self.items[i] for i in goods),
            series=remap,
            units=self.units[:, keep],
            price=self.price[:, keep],
            censored=self.censored[:, keep],
            cost=None if self.cost is None else self.cost[:, keep],
            categories=tuple(self.categories[i] for i in goods),
            price_groups=tuple(self.price_groups[i] for i in places),
            coordinates=None if self.coordinates is None else self.coordinates[places],
            covariates=tuple(replace(c, values=c.values[:, keep]) for c in self.covariates),
        )


def _positions(names: Sequence[str], wanted: Sequence[str] | None) -> list[int]:
    kept = set(names if wanted is None else wanted)
    return [at for at, name in enumerate(names) if name in kept]


def inside(seen: np.ndarray) -> np.ndarray:
    """(T, N) bool: from a series' first seen row to its last."""
    return np.maximum.accumulate(seen, axis=0) & np.maximum.accumulate(seen[::-1], axis=0)[::-1]


def last_known(price: np.ndarray) -> np.ndarray:
    """Each cell's last known value above it, or the first known below where there is none: (T, N)."""
    known = ~np.isnan(price)
    rows = np.where(known, np.arange(len(price))[:, None], -1)
    last = np.maximum.accumulate(rows, axis=0)
    last = np.where(last < 0, np.argmax(known, axis=0), last)
    return np.take_along_axis(price, last, axis=0)
