"""Log-linear demand in zones: each zone has a season of its own, and holidays in weeks of its own.

What ``log_linear`` has, and for all items of a location of zone z,

    … + zone_z(t) + Σ_h lift_{z,h}·[holiday h of the zone is in the week]

an annual harmonic with the zone's phase, and a few days of the year around which everybody shops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from .log_linear import LogLinear, LogLinearDemand
from .records import shallow
from .shocks import Customers, harmonics

_YEAR = 365.25
_HEIGHT, _HOLIDAYS, _LIFT = (
    (0.3, 0.45),
    4,
    (0.3, 0.6),
)  # amplitude of a zone's harmonic; holidays and what they add


@dataclass(frozen=True)
class Zoned(LogLinear):
    """Parameters of the market."""

    zone: Tensor  # (S, 4) weights of sin and cos of the year, then of its half, for all items of a location
    holiday: Tensor  # (S, H) day of the year, from that of the first period
    cheer: Tensor  # (S, H) log demand of its week over an ordinary one

    def select(self, places: Tensor, goods: Tensor) -> Self:
        return replace(
            super().select(places, goods),
            zone=self.zone[places],
            holiday=self.holiday[places],
            cheer=self.cheer[places],
        )


@dataclass(frozen=True)
class ZonedDemand(LogLinearDemand):
    """The market's customers."""

    parameters: Zoned

    def log_mean(self, state: Customers, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        p, days = self.parameters, self.shop.days
        until = (p.holiday - (state.week * days % _YEAR).view(-1, 1, 1)) % _YEAR  # (B, S, H) days
        local = harmonics(state.week, days) @ p.zone.T + (p.cheer * (until < days)).sum(-1)
        return super().log_mean(state, price, promo) + local.unsqueeze(-1)


def in_zones(market: LogLinearDemand, zone: np.ndarray, seed: int) -> ZonedDemand:
    """The market whose locations (S,) int64 are in zones with calendars of their own."""
    rng = np.random.default_rng([seed, 4])
    zones = zone.max() + 1
    peak, height = rng.uniform(0, 2 * np.pi, zones), rng.uniform(*_HEIGHT, zones)
    harmonic = np.stack([height * np.sin(peak), height * np.cos(peak), *np.zeros((2, zones))], axis=1)
    holiday, cheer = rng.uniform(0, _YEAR, (zones, _HOLIDAYS)), rng.uniform(*_LIFT, (zones, _HOLIDAYS))
    drawn = (
        torch.as_tensor(x[zone], dtype=torch.float32) for x in (harmonic - harmonic.mean(0), holiday, cheer)
    )
    local, day, lift = drawn
    parameters = Zoned(**shallow(market.parameters), zone=local, holiday=day, cheer=lift)
    return ZonedDemand(market.shop, parameters, market.realised)
