"""What moves demand beside prices: the calendar, and shocks that come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from ...forecasters.tensors import NoiseKey, series_ids, stable_id

_DAYS_A_YEAR = 365.25
_SERIES, _LOCATION, _CHAIN = 2, 3, 4  # streams of noise


@dataclass(frozen=True)
class Ar1:
    """x' = ρ·x + σ·√(1 − ρ²)·e with standard normal e: stationary with standard deviation σ."""

    persistence: float  # ρ, a period
    spread: float  # σ, of log demand

    def step(self, value: Tensor, normal: Tensor) -> Tensor:
        return self.persistence * value + self.spread * (1 - self.persistence**2) ** 0.5 * normal

    def ahead(self, value: Tensor, periods: int) -> Tensor:
        """log E[exp(x)] of x ``periods`` after ``value``."""
        kept = self.persistence**periods
        return kept * value + self.spread**2 * (1 - kept**2) / 2


@dataclass(frozen=True)
class Customers:
    """What customers are like in the coming week (in a daily market: day)."""

    week: Tensor  # (B,) int64 calendar index, in periods
    series: Tensor  # (B, S, I) shock of the series
    location: Tensor  # (B, S) shock of the location
    chain: Tensor  # (B,) shock of the whole chain

    def select(self, places: Tensor, goods: Tensor) -> Self:
        """Those of a sub-market."""
        return replace(self, series=self.series[:, places][:, :, goods], location=self.location[:, places])


@dataclass(frozen=True)
class Names:
    """Whose shocks they are: ids by name, so that a sub-market keeps its customers."""

    series: Tensor  # (S, I) int64
    location: Tensor  # (S,) int64
    chain: Tensor  # () int64

    @staticmethod
    def of(locations: Sequence[str], items: Sequence[str], device: torch.device) -> Names:
        return Names(
            series_ids(locations, items).to(device),
            torch.tensor([stable_id(name) for name in locations], device=device),
            torch.tensor(stable_id("chain"), device=device),
        )


@dataclass(frozen=True)
class Shocks:
    """Laws of the shocks of log demand."""

    series: Ar1 = Ar1(persistence=0.8, spread=0.12)
    location: Ar1 = Ar1(persistence=0.92, spread=0.3)
    chain: Ar1 = Ar1(persistence=0.95, spread=0.15)

    def first(self, names: Names, key: NoiseKey) -> Customers:
        """Week 0 of as many markets as ``key`` has: stationary shocks."""
        return Customers(
            week=torch.zeros_like(key.slot),
            series=self.series.spread * key.normal(names.series, _SERIES),
            location=self.location.spread * key.normal(names.location, _LOCATION),
            chain=self.chain.spread * key.normal(names.chain, _CHAIN),
        )

    def next(self, now: Customers, names: Names, key: NoiseKey) -> Customers:
        return Customers(
            week=now.week + 1,
            series=self.series.step(now.series, key.normal(names.series, _SERIES)),
            location=self.location.step(now.location, key.normal(names.location, _LOCATION)),
            chain=self.chain.step(now.chain, key.normal(names.chain, _CHAIN)),
        )

    def ahead(self, now: Customers, weeks: int) -> Customers:
        """Those ``weeks`` on by the logs of their means: exact where shocks multiply demand."""
        return replace(
            now,
            week=now.week + weeks,
            series=self.series.ahead(now.series, weeks),
            location=self.location.ahead(now.location, weeks),
            chain=self.chain.ahead(now.chain, weeks),
        )


def harmonics(period: Tensor, days: int) -> Tensor:
    """(B, 4) sin and cos of the year and of its half at calendar index ``period`` (B,), each of ``days``."""
    angle = 2 * torch.pi / (_DAYS_A_YEAR / days) * period
    return torch.stack([angle.sin(), angle.cos(), (2 * angle).sin(), (2 * angle).cos()], dim=-1)
