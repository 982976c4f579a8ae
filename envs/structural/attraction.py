"""Attraction demand of segments: a share of the customers minds prices more than the others do.

N_{s,t} customers come to location s in week t, a share π_k of them of segment k. Each takes the item of
largest utility, or none (utility 0). With p̄ the reference price, nests c the categories, shocks as in
``nested_logit``:

    log N = traffic_s + chain_t + location_{s,t}
    v_{k,s,i,t} = value_{k,s,i} + season_i(t) + series_{s,i,t} + lift_i·promo − slope_{k,s,i}·log(p/p̄)
    share_{k,i} = exp(v_i/λ)/exp(W_c) · exp(λ·W_c)/(1 + Σ_c exp(λ·W_c)),   W_c = log Σ_{j in c} exp(v_j/λ)
    demand ~ negative binomial with mean μ = N·Σ_k π_k·share_k and variance μ + φ_i·μ²

Who minds prices leaves first, so that elasticities fall as a category gets dearer, and rise as it gets
cheaper; and items that the same segment likes are closer substitutes than their shares say (mixed logit:
McFadden and Train 2000, doi:10.1002/1099-1255(200009/10)15:5<447::AID-JAE570>3.0.CO;2-1).
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
from .nested_logit import log_shares, steepness
from .shocks import Customers, Names, Shocks, harmonics
from .shop import Shop

_ROUNDS = 200  # of the contraction that finds the values; it halves the error each time, about


@dataclass(frozen=True)
class Attraction:
    """Parameters of the market, by segment (K), location (S) and item of the full menu (J)."""

    menu: tuple[str, ...]  # (J,) all items that customers choose from, on sale in this market or not
    nest: Tensor  # (J, C) 1 where the item is of the category
    likeness: float  # λ in (0, 1]: the smaller, the closer substitutes the items of a category are
    segment: Tensor  # (K,) π, share of the customers
    traffic: Tensor  # (S,) log of the customers of an ordinary week
    value: Tensor  # (K, S, J) utility at reference price in an ordinary week
    slope: Tensor  # (K, S, J) utility lost by a unit of log price
    season: Tensor  # (J, 4) weights of sin and cos of the year, then of its half
    lift: Tensor  # (J,) utility that a promotion adds beside its price
    dispersion: Tensor  # (J,) φ: variance of demand is μ + φ·μ²
    shocks: Shocks


@dataclass(frozen=True)
class AttractionDemand(StructuralDemand):
    """The market's customers. Series shocks are those of the full menu: ``realised.series`` is (B, S, J)."""

    shop: Shop
    parameters: Attraction
    realised: Customers
    goods: Tensor  # (I,) positions on the menu of the items of this market

    @cached_property
    def _names(self) -> Names:
        return Names.of(self.locations, self.parameters.menu, self.parameters.value.device)

    def log_mean(self, state: Customers, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        p, goods = self.parameters, self.goods
        season = harmonics(state.week, self.shop.days) @ p.season.T
        usual = p.value + (season.unsqueeze(1) + state.series).unsqueeze(1)  # (B, K, S, J)
        dearer = (self.heard(state, price) / self.shop.reference_price).log().unsqueeze(1)
        shown = p.lift[goods] * promo
        shown = shown.unsqueeze(-3) if isinstance(shown, Tensor) and shown.dim() > 2 else shown
        utility = usual.index_add(-1, goods, shown - p.slope[..., goods] * dearer)
        customers = p.traffic + state.location + state.chain.unsqueeze(-1)
        return customers.unsqueeze(-1) + _log_share(p, utility)[..., goods]

    def advance(
        self, state: Customers, period: Period, key: NoiseKey, promo: Tensor | float = 0.0
    ) -> Customers:
        return self.parameters.shocks.next(state, self._names, key)

    def ahead(self, state: Customers, price: Tensor, weeks: int) -> Customers:
        return self.parameters.shocks.ahead(state, weeks)

    def level(self) -> Tensor:
        p = self.parameters
        return (p.traffic.unsqueeze(-1) + _log_share(p, p.value))[:, self.goods]

    def own_of(self, state: Customers) -> Tensor:
        p = self.parameters
        season = harmonics(state.week, self.shop.days) @ p.season.T
        return own(p, p.value + (season.unsqueeze(1) + state.series).unsqueeze(1))[..., self.goods]

    def own(self) -> Tensor:
        """(S, I) own elasticities at reference prices in an ordinary week."""
        return own(self.parameters, self.parameters.value)[:, self.goods]

    def cross(self) -> Tensor:
        p = self.parameters
        within, nest = log_shares(p.value, p.nest, p.likeness)
        share, kin = (within + nest).exp(), p.nest @ p.nest.T
        rival = (1 / p.likeness - 1) * kin * within.exp().unsqueeze(-2) + share.unsqueeze(-2)
        of_each = _mix(p, share).unsqueeze(-1) * p.slope.unsqueeze(-2) * rival
        apart = 1 - torch.eye(len(p.menu), device=share.device)
        return (of_each.sum(0) * apart)[:, self.goods][:, :, self.goods]

    def dispersion(self) -> Tensor:
        return self.parameters.dispersion[self.goods]

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Self:
        places, goods = positions(self.locations, locations), positions(self.items, items)
        p, whole = self.parameters, torch.arange(len(self.parameters.menu))
        parameters = replace(p, traffic=p.traffic[places], value=p.value[:, places], slope=p.slope[:, places])
        return replace(
            self,
            shop=self.shop.select(places, goods),
            parameters=parameters,
            realised=self.realised.select(places, whole),
            goods=self.goods[goods],
        )


def _log_share(p: Attraction, utility: Tensor) -> Tensor:
    """(…, S, J) log share of all customers who take an item, for utilities (…, K, S, J)."""
    within, nest = log_shares(utility, p.nest, p.likeness)
    return (within + nest + p.segment.log().view(-1, 1, 1)).logsumexp(-3)


def _mix(p: Attraction, share: Tensor) -> Tensor:
    """(…, K, S, J) of an item's buyers, the part that each segment is, for its shares (…, K, S, J)."""
    bought = p.segment.view(-1, 1, 1) * share
    return bought / bought.sum(-3, keepdim=True)


def own(p: Attraction, utility: Tensor) -> Tensor:
    """(…, S, J) own elasticities where utilities are (…, K, S, J)."""
    within, nest = log_shares(utility, p.nest, p.likeness)
    share = (within + nest).exp()
    return -(_mix(p, share) * p.slope * steepness(within.exp(), share, p.likeness)).sum(-3)


def calibrated(drawn: Attraction, units: Tensor, elasticity: Tensor, bought: float) -> Attraction:
    """``drawn`` with common parts of value and slope such that at reference prices it sells ``units`` (S, J)
    with own elasticities ``elasticity`` (S, J), where a share ``bought`` of the customers buys anything.

    Values by the contraction of Berry, Levinsohn and Pakes (1995, doi:10.2307/2171802).
    """
    customers = units.sum(-1, keepdim=True) / bought
    wanted = (units / customers).log()
    found = replace(drawn, traffic=customers.squeeze(-1).log())
    for _ in range(_ROUNDS):
        found = replace(found, value=found.value + wanted - _log_share(found, found.value))
    return replace(found, slope=found.slope * (elasticity / own(found, found.value)))


def open_attraction(shop: Shop, parameters: Attraction, key: NoiseKey) -> AttractionDemand:
    """A market without history: ``realised`` is one row, the stationary shocks that ``key`` draws."""
    names = Names.of(shop.locations, parameters.menu, parameters.value.device)
    goods = torch.arange(len(parameters.menu))
    return AttractionDemand(shop, parameters, parameters.shocks.first(names, key), goods)
