"""Nested logit demand: each customer buys one thing or nothing, and elasticities change with the price.

Of N_{s,t} customers in location s and week t each takes the item of largest utility, or none (utility 0).
With p̄ the reference price and nests c the categories:

    log N = traffic_s + chain_t + location_{s,t}
    v_{s,i,t} = value_{s,i} + season_i(t) + series_{s,i,t} + lift_i·promo − slope_{s,i}·(p_{s,i}/p̄_{s,i} − 1)
    share_i = exp(v_i/λ)/exp(W_c) · exp(λ·W_c)/(1 + Σ_k exp(λ·W_k)),   W_c = log Σ_{j in c} exp(v_j/λ)
    demand ~ negative binomial with mean μ = N·share and variance μ + φ_i·μ²

With x_i = p_i/p̄_i and w_i the share within the nest,

    own = −slope_i·x_i·(1/λ − (1/λ − 1)·w_i − share_i)
    ∂log demand_i / ∂log p_j = slope_j·x_j·((1/λ − 1)·w_j·[same nest] + share_j)

(McFadden 1978, "Modelling the choice of residential location"; Berry 1994, "Estimating discrete-choice models
of product differentiation", with λ = 1 − σ.)
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
class NestedLogit:
    """Parameters of the market, by location (S) and item of the full menu (J)."""

    menu: tuple[str, ...]  # (J,) all items that customers choose from, on sale in this market or not
    nest: Tensor  # (J, C) 1 where the item is of the category
    likeness: float  # λ in (0, 1]: the smaller, the closer substitutes the items of a category are
    traffic: Tensor  # (S,) log of the customers of an ordinary week
    value: Tensor  # (S, J) utility at reference price in an ordinary week
    slope: Tensor  # (S, J) utility lost if the price doubles from its reference
    season: Tensor  # (J, 4) weights of sin and cos of the year, then of its half
    lift: Tensor  # (J,) utility that a promotion adds beside its price
    dispersion: Tensor  # (J,) φ: variance of demand is μ + φ·μ²
    shocks: Shocks


@dataclass(frozen=True)
class NestedLogitDemand(StructuralDemand):
    """The market's customers. Series shocks are those of the full menu: ``realised.series`` is (B, S, J)."""

    shop: Shop
    parameters: NestedLogit
    realised: Customers
    goods: Tensor  # (I,) positions on the menu of the items of this market

    @cached_property
    def _names(self) -> Names:
        return Names.of(self.locations, self.parameters.menu, self.parameters.value.device)

    def _utility(self, state: Customers, dearer: Tensor | float = 0.0, promo: Tensor | float = 0.0) -> Tensor:
        """(B, S, J) utilities where ``dearer`` = p/p̄ − 1 and ``promo`` are (B, S, I) or 0."""
        p = self.parameters
        usual = p.value + (harmonics(state.week, self.shop.days) @ p.season.T).unsqueeze(1) + state.series
        moved = p.lift[self.goods] * promo - p.slope[:, self.goods] * dearer
        return usual.index_add(-1, self.goods, moved + torch.zeros_like(usual[..., self.goods]))

    def log_mean(self, state: Customers, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        p = self.parameters
        dearer = self.heard(state, price) / self.shop.reference_price - 1
        within, nest = log_shares(self._utility(state, dearer, promo), p.nest, p.likeness)
        customers = p.traffic + state.location + state.chain.unsqueeze(-1)
        return customers.unsqueeze(-1) + (within + nest)[..., self.goods]

    def advance(
        self, state: Customers, period: Period, key: NoiseKey, promo: Tensor | float = 0.0
    ) -> Customers:
        return self.parameters.shocks.next(state, self._names, key)

    def ahead(self, state: Customers, price: Tensor, weeks: int) -> Customers:
        return self.parameters.shocks.ahead(state, weeks)

    def own_of(self, state: Customers) -> Tensor:
        return self._own(self._utility(state))

    def _own(self, utility: Tensor) -> Tensor:
        p = self.parameters
        within, nest = log_shares(utility, p.nest, p.likeness)
        return -(p.slope * steepness(within.exp(), (within + nest).exp(), p.likeness))[..., self.goods]

    def level(self) -> Tensor:
        p = self.parameters
        within, nest = log_shares(p.value, p.nest, p.likeness)
        return (p.traffic.unsqueeze(-1) + within + nest)[:, self.goods]

    def own(self) -> Tensor:
        """(S, I) own elasticities at reference prices in an ordinary week."""
        return self._own(self.parameters.value)

    def cross(self) -> Tensor:
        p = self.parameters
        within, nest = log_shares(p.value, p.nest, p.likeness)
        share = (within + nest).exp()
        rival = (1 / p.likeness - 1) * (p.nest @ p.nest.T) * within.exp().unsqueeze(1) + share.unsqueeze(1)
        apart = 1 - torch.eye(len(p.menu), device=share.device)
        return (p.slope.unsqueeze(1) * rival * apart)[:, self.goods][:, :, self.goods]

    def dispersion(self) -> Tensor:
        return self.parameters.dispersion[self.goods]

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Self:
        places, goods = positions(self.locations, locations), positions(self.items, items)
        p, whole = self.parameters, torch.arange(len(self.parameters.menu))
        parameters = replace(p, traffic=p.traffic[places], value=p.value[places], slope=p.slope[places])
        realised = self.realised.select(places, whole)
        return replace(
            self,
            shop=self.shop.select(places, goods),
            parameters=parameters,
            realised=realised,
            goods=self.goods[goods],
        )


def log_shares(utility: Tensor, nest: Tensor, likeness: float) -> tuple[Tensor, Tensor]:
    """Log shares within the nest, and of the item's nest among all customers, for utilities (…, J)."""
    scaled = utility / likeness
    inclusive = scaled.unsqueeze(-2).masked_fill(nest.T == 0, -torch.inf).logsumexp(-1)  # (…, C)
    none = torch.zeros_like(inclusive[..., :1])
    everyone = torch.cat([none, likeness * inclusive], -1).logsumexp(-1, keepdim=True)
    own_nest = inclusive @ nest.T
    return scaled - own_nest, likeness * own_nest - everyone


def steepness(within: Tensor, share: Tensor, likeness: float) -> Tensor:
    """∂log share / ∂utility of the same item, all (…, J)."""
    return 1 / likeness - (1 / likeness - 1) * within - share


def from_shares(
    units: Tensor, own: Tensor, nest: Tensor, likeness: float, bought: float
) -> tuple[Tensor, ...]:
    """Traffic, value and slope of a market that sells ``units`` (S, J) with elasticities ``own`` (S, J).

    Berry's (1994) inversion at reference prices, where a share ``bought`` of the customers buys anything.
    """
    customers = units.sum(-1, keepdim=True) / bought
    share = units / customers
    of_nest = share @ nest @ nest.T
    value = likeness * (share / of_nest).log() + (of_nest / (1 - bought)).log()
    return customers.squeeze(-1).log(), value, -own / steepness(share / of_nest, share, likeness)


def open_nested_logit(shop: Shop, parameters: NestedLogit, key: NoiseKey) -> NestedLogitDemand:
    """A market without history: ``realised`` is one row, the stationary shocks that ``key`` draws."""
    names = Names.of(shop.locations, parameters.menu, parameters.value.device)
    goods = torch.arange(len(parameters.menu))
    return NestedLogitDemand(shop, parameters, parameters.shocks.first(names, key), goods)
