"""Effects on what is sold where: new locations, new items, and items that are delisted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from ...forecasters.simulation import LearnedDemand
from ...forecasters.tensors import Cut
from ..market import Market, Terms
from ..processes import ObservedDemand
from ..processes.joined import Joined, Namesake
from ..settings_file import Fault
from .cold_start import Attributes, expected_level, nearest_known
from .effect import Count, Effect, Factor, LocalEffect, Name, Names, Share, chosen
from .plan import Plan

Axis = Literal["locations", "items"]
_ALONG = {"locations": -2, "items": -1}


class New(Effect):
    """What the market does not have yet, like one of those that it has, during the window.

    Which one it is like is named, or found: the nearest in its attributes, with demand scaled by what these
    make of the others' levels; or the one of median size.
    """

    name: Name = Field(min_length=1, max_length=200, description="its name")
    like: Name | None = Field(None, description="the one that it is like; else the nearest or the median one")
    attributes: Attributes | None = Field(
        None, description="its values in static columns of the table, such as {income: 45}"
    )
    scale: Factor = Field(1.0, description="multiple of the demand that it would have")

    @property
    @abstractmethod
    def axis(self) -> Axis:
        """What it is."""

    def added(self, plan: Plan) -> tuple[Plan, int]:
        """The plan of the larger market, and which of the known ones it is like."""
        market, dim = plan.market, _ALONG[self.axis]
        known = getattr(market, self.axis)
        if self.name in known:
            raise Fault(("name",), f"expected a name that the market lacks, found {self.name!r:.60}")
        source, level = self._source(market)
        blank = Plan.blank(with_copy(market, self.axis, source, self.name), plan.horizon, plan.start)
        grown: dict[str, Any] = {
            name: torch.cat([value, getattr(blank, name).narrow(dim, len(known), 1)], dim)
            for name, value in vars(plan).items()
            if isinstance(value, Tensor)
        }
        first, last = self.span(plan)
        closed = torch.zeros_like(blank.demand, dtype=torch.bool)
        closed.select(dim, len(known)).fill_(True)
        opened = closed.clone()
        opened[:first] = opened[last:] = False
        plan = replace(blank, notes=plan.notes, **grown).noted(
            f"{self.name}: assumed to be like {known[source]}, with {level * self.scale:.3g} times its demand"
        )
        plan = plan.times("demand", opened, level * self.scale)
        return plan.put("demand", closed & ~opened, 0.0), source

    def _source(self, market: Market) -> tuple[int, float]:
        """Which it is like, and its demand as a multiple of that one's."""
        if self.like is not None:
            try:
                like = int(chosen(self.axis, [self.like], getattr(market, self.axis)))
            except Fault as fault:
                raise Fault(("like",), fault.said) from None
        elif self.attributes is not None:
            like = nearest_known(market, self.axis, self.attributes)
        else:
            size = market.terms.typical_demand.sum(-1 if self.axis == "locations" else -2)
            like = int(size.argsort()[len(size) // 2])
        if self.attributes is None:
            return like, 1.0
        return like, expected_level(market, self.axis, self.attributes, like)


class NewLocation(New):
    """A location that opens, with all items at the prices of the one that it is like."""

    @property
    def axis(self) -> Axis:
        return "locations"

    def apply(self, plan: Plan) -> Plan:
        return self.added(plan)[0]


class NewItem(New):
    """An item that is launched everywhere, and takes some of its customers from its category."""

    diversion: Share | None = Field(
        None, description="share of its units that its category loses; else what the model found, or 0"
    )

    @property
    def axis(self) -> Axis:
        return "items"

    def apply(self, plan: Plan) -> Plan:
        plan, source = self.added(plan)
        units = plan.market.terms.typical_demand * plan.demand
        new = torch.zeros_like(units, dtype=torch.bool)
        new[..., -1] = True
        return _diverted(plan, new, -units, self.diversion, source)


class Delisting(LocalEffect):
    """Items that are no longer sold; some of their customers take another of the category."""

    items: Names | None = Field(None, description="names of the items; else those that sell least")
    least_sold: Count = Field(1, description="how many of those that sell least, where none is named")
    diversion: Share | None = Field(
        None,
        description="share of their units that others of the category win; else what the model found, or 0",
    )

    def _goods(self, plan: Plan) -> Tensor:
        market = plan.market
        sold = (market.terms.typical_demand * market.terms.reference_price).sum(0)
        least = sold.argsort()[: min(self.least_sold, len(sold) - 1)]
        gone = torch.zeros(len(sold), dtype=torch.bool)
        gone[least if self.items is None else chosen("items", self.items, market.items)] = True
        return gone

    def apply(self, plan: Plan) -> Plan:
        where = self.where(plan)
        first = int(self._goods(plan).nonzero()[0])
        units = plan.market.terms.typical_demand * plan.demand
        return _diverted(plan.put("demand", where, 0.0), where, units, self.diversion, first)


def _diverted(plan: Plan, moved: Tensor, units: Tensor, share: float | None, like: int) -> Plan:
    """The plan in which others of the category win a ``share`` of the ``units`` (H, S, I) that ``moved``."""
    if share is None:
        share = _found_diversion(plan.market, like)
        plan = plan.noted(f"assumed: {share:.0%} of its customers move within the category")
    categories = plan.market.by_category
    usual = plan.market.terms.typical_demand * plan.demand
    won = categories.spread(categories.total(torch.where(moved, units, 0.0), -1), -1)
    others = categories.spread(categories.total(torch.where(moved, 0.0, usual), -1), -1)
    factor = 1 + share * won / others.clamp(min=1e-9)
    return plan.times("demand", ~moved & (others > 0) & (won != 0), factor.clamp(min=0.0))


def _found_diversion(market: Market, item: int) -> float:
    """The part of an item's customers who move within its category, as the fitted model has it; else 0."""
    demand = market.demand
    while isinstance(demand, Joined | ObservedDemand):
        demand = demand.first if isinstance(demand, Joined) else demand.observer
    if not isinstance(demand, LearnedDemand):
        return 0.0
    choice = demand.response.choice
    return float((choice.diversion[0] @ choice.kin.T)[item])


def with_copy(market: Market, axis: Axis, source: int, name: str) -> Market:
    """The market with one more location or item, ``name``, on the terms and with the customers of another."""
    places, goods = list(range(market.shape[0])), list(range(market.shape[1]))
    (places if axis == "locations" else goods).append(source)
    cut = Cut(torch.tensor(places, device=market.device), torch.tensor(goods, device=market.device))
    likeness = [getattr(market, axis)[source]]
    twin = Namesake(
        market.demand.select(**{axis: likeness}),
        [name] if axis == "locations" else market.locations,
        [name] if axis == "items" else market.items,
    )
    groups = tuple(market.price_groups[i] for i in places[: market.shape[0]])
    return replace(
        market,
        categories=tuple(market.categories[i] for i in goods),
        price_groups=(*groups, _unlike(name, groups)) if axis == "locations" else groups,
        terms=_terms(market.terms, cut, new_item=axis == "items"),
        demand=Joined(market.demand, twin, axis),
        logged_price=None if market.logged_price is None else cut.tensor(market.logged_price, "TSI"),
        panel=None,
    )


def _unlike(name: str, others: Sequence[str]) -> str:
    """The name, or one made of it that none of the others has: a price group of its own."""
    return name if name not in others else _unlike(f"{name} (new)", others)


def _terms(terms: Terms, cut: Cut, new_item: bool) -> Terms:
    """Those of a larger market; no list of prices was tried with an item that is new."""
    grown = terms.select(cut)
    if not new_item or grown.lists is None:
        return grown
    lists = grown.lists
    precision = lists.precision.clone()
    precision[-1, :] = precision[:, -1] = 0.0
    return replace(grown, lists=replace(lists, precision=precision))
