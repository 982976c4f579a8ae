"""Log-linear demand with shocks: elasticities that change with the season at most, never with the price.

For location s, item i and week t, with p̄ the reference price:

    log μ = level + season_i(t) + chain_t + location_{s,t} + series_{s,i,t} + lift_i·promo
            + own_{s,i}·(1 + swing_i(t))·log(p_{s,i}/p̄_{s,i}) + Σ_j cross_{s,i,j}·log(p_{s,j}/p̄_{s,j})

    demand ~ negative binomial with mean μ and variance μ + φ_i·μ²

Season and swing are harmonics of the year, known ahead; swing is 0 in most markets. The three shocks are
AR(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from ...forecasters.simulation import Period
from ...forecasters.tensors import NoiseKey, positions
from .family import StructuralDemand
from .shocks import Customers, Names, Shocks, harmonics
from .shop import Shop


@dataclass(frozen=True)
class LogLinear:
    """Parameters of the market, by location (S) and item (I)."""

    level: Tensor  # (S, I) log mean units a week at reference price, without season, shock or promotion
    own: Tensor  # (S, I) own elasticity, < 0, mean of the year
    cross: Tensor  # (S, I, I) ∂log demand(second axis) / ∂log price(third axis), 0 on the diagonal
    season: Tensor  # (I, 4) weights of sin and cos of the year, then of its half
    swing: Tensor  # (I, 4) weights of the same harmonics in own elasticity, as a share of its mean
    lift: Tensor  # (I,) what a promotion adds to log demand beside its price
    dispersion: Tensor  # (I,) φ: variance of demand is μ + φ·μ²
    shocks: Shocks

    def select(self, places: Tensor, goods: Tensor) -> Self:
        return replace(
            self,
            level=self.level[places][:, goods],
            own=self.own[places][:, goods],
            cross=self.cross[places][:, goods][:, :, goods],
            season=self.season[goods],
            swing=self.swing[goods],
            lift=self.lift[goods],
            dispersion=self.dispersion[goods],
        )


@dataclass(frozen=True)
class LogLinearDemand(StructuralDemand):
    """The market's customers."""

    shop: Shop
    parameters: LogLinear
    realised: Customers

    @cached_property
    def _names(self) -> Names:
        return Names.of(self.locations, self.items, self.parameters.level.device)

    def log_mean(self, state: Customers, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        p = self.parameters
        shift = (self.heard(state, price) / self.shop.reference_price).log()
        season = harmonics(state.week, self.shop.days) @ p.season.T
        shock = state.series + state.location.unsqueeze(-1) + state.chain.view(-1, 1, 1)
        cross = torch.einsum("sij,bsj->bsi", p.cross, shift)
        return p.level + season.unsqueeze(1) + shock + p.lift * promo + self.own_of(state) * shift + cross

    def own_of(self, state: Customers) -> Tensor:
        p = self.parameters
        return p.own * (1 + harmonics(state.week, self.shop.days) @ p.swing.T).unsqueeze(1)

    def advance(
        self, state: Customers, period: Period, key: NoiseKey, promo: Tensor | float = 0.0
    ) -> Customers:
        return self.parameters.shocks.next(state, self._names, key)

    def ahead(self, state: Customers, price: Tensor, weeks: int) -> Customers:
        return self.parameters.shocks.ahead(state, weeks)

    def level(self) -> Tensor:
        return self.parameters.level

    def own(self) -> Tensor:
        return self.parameters.own

    def cross(self) -> Tensor:
        return self.parameters.cross

    def dispersion(self) -> Tensor:
        return self.parameters.dispersion

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Self:
        places, goods = positions(self.locations, locations), positions(self.items, items)
        return replace(
            self,
            shop=self.shop.select(places, goods),
            parameters=self.parameters.select(places, goods),
            realised=self.realised.select(places, goods),
        )


def open_market(shop: Shop, parameters: LogLinear, key: NoiseKey) -> LogLinearDemand:
    """A market without history: ``realised`` is one row, the stationary shocks that ``key`` draws."""
    names = Names.of(shop.locations, shop.items, parameters.level.device)
    return LogLinearDemand(shop, parameters, parameters.shocks.first(names, key))
