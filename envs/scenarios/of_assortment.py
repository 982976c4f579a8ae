"""Effects on what is sold where: new locations, new items, and items that are delisted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ...forecasters.simulation import DemandProcess, LearnedDemand
from ...forecasters.tensors import Cut
from ..market import Market, Terms
from ..processes import ObservedDemand
from ..processes.joined import Joined, Namesake
from ..processes.scaled import ScaledDemand
from ..settings_file import Fault
from .cold_start import Attributes, as_described, expected_level, nearest_known
from .effect import Count, Effect, Factor, LocalEffect, Name, Names, Share, Words, chosen
from .plan import Origin, Plan

Axis = Literal["locations", "items"]
Image = Annotated[
    tuple[Annotated[float, Field(allow_inf_nan=False, strict=True)], ...],
    Field(min_length=1, max_length=10_000),
]
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
        source, level, why = self._source(plan)
        level *= self.scale
        grown = with_copy(market, self.axis, source, self.name, level)
        blank = Plan.blank(grown, plan.horizon, plan.start)
        tensors: dict[str, Any] = {
            name: torch.cat([value, getattr(blank, name).narrow(dim, len(known), 1)], dim)
            for name, value in vars(plan).items()
            if isinstance(value, Tensor)
        }
        plan = replace(plan, market=grown, origin=plan.origin.with_copy(self.axis, source), **tensors).noted(
            f"{self.name}: assumed to be like {known[source]}, with {level:.3g} times its demand{why}"
        )
        first, last = self.span(plan)
        closed = torch.zeros_like(plan.demand, dtype=torch.bool)
        closed.select(dim, len(known)).fill_(True)
        closed[first:last] = False
        return plan.put("demand", closed, 0.0), source

    def _named(self, plan: Plan) -> int | None:
        """The one that it is said to be like."""
        if self.like is None:
            return None
        try:
            return int(chosen(self.axis, [self.like], getattr(plan.market, self.axis)))
        except Fault as fault:
            raise Fault(("like",), fault.said) from None

    def _source(self, plan: Plan) -> tuple[int, float, str]:
        """Which it is like, its demand as a multiple of that one's, and what says so, to end a note with."""
        known, like = plan.origin.market, self._named(plan)
        if like is not None:
            found = getattr(plan.origin, self.axis)[like]
        elif self.attributes is not None:
            like = found = nearest_known(known, self.axis, self.attributes)
        else:
            size = known.terms.typical_demand.sum(-1 if self.axis == "locations" else -2)
            like = found = int(size.argsort()[len(size) // 2])
        if self.attributes is None:
            return like, 1.0, ""
        return like, expected_level(known, self.axis, self.attributes, found), ""


class NewLocation(New):
    """A location that opens, with all items at the prices of the one that it is like."""

    @property
    def axis(self) -> Axis:
        return "locations"

    def apply(self, plan: Plan) -> Plan:
        return self.added(plan)[0]


class NewItem(New):
    """An item that is launched everywhere, and takes some of its customers from its category.

    Described as in the table of items that the market was fitted with, it is like the nearest of them, and
    sells as many units as items so described do.
    """

    category: Words | None = Field(None, description="its categories, such as Food > Drinks > Tea")
    text: Words | None = Field(None, description="a description, in words")
    image: Image | None = Field(
        None, description="a vector of its picture, by the model that made those of the market's items"
    )
    diversion: Share | None = Field(
        None, description="share of its units that its category loses; else what the model found, or 0"
    )

    @property
    def axis(self) -> Axis:
        return "items"

    @model_validator(mode="after")
    def _told_one_way(self) -> NewItem:
        if self.attributes is not None and self._described:
            raise ValueError("expected attributes, or a category, text and image; not both")
        return self

    @property
    def _described(self) -> bool:
        return not (self.category is self.text is self.image is None)

    def _source(self, plan: Plan) -> tuple[int, float, str]:
        if not self._described:
            return super()._source(plan)
        told = self.category or "", self.text or "", self.image
        like, level, why = as_described(plan, self._named(plan), *told)
        return like, level, f", {why}"

    def apply(self, plan: Plan) -> Plan:
        plan, _ = self.added(plan)
        units = plan.market.terms.typical_demand * plan.demand
        new = torch.zeros_like(units, dtype=torch.bool)
        new[..., -1] = True
        return _diverted(plan, new, -units, self.diversion)


class Delisting(LocalEffect):
    """Items that are no longer sold; some of their customers take another of the category."""

    items: Names | None = Field(None, description="names of the items; else those that sell least")
    least_sold: Count = Field(1, description="how many of those that sell least, where none is named")
    diversion: Share | None = Field(
        None,
        description="share of their units that others of the category win; else what the model found, or 0",
    )

    def _goods(self, plan: Plan) -> Tensor:
        terms = plan.origin.market.terms  # what is new sells nothing yet that could be compared
        sold = (terms.typical_demand * terms.reference_price).sum(0)
        least = sold.argsort()[: min(self.least_sold, len(sold) - 1)]
        gone = torch.zeros(plan.market.shape[1], dtype=torch.bool)
        gone[least if self.items is None else chosen("items", self.items, plan.market.items)] = True
        return gone

    def apply(self, plan: Plan) -> Plan:
        where = self.where(plan)
        units = plan.market.terms.typical_demand * plan.demand
        return _diverted(plan.put("demand", where, 0.0), where, units, self.diversion)


def _diverted(plan: Plan, moved: Tensor, units: Tensor, share: float | None) -> Plan:
    """The plan in which others of the category win a ``share`` of the ``units`` (H, S, I) that ``moved``."""
    if share is None:
        shares = _found_diversion(plan.origin)
        items = moved.flatten(0, 1).any(0).nonzero()[:, 0].tolist()
        plan = plan.noted(f"assumed: {_told(shares[items])} of its customers move within the category")
    else:
        shares = torch.full((plan.market.shape[1],), share)
    categories = plan.market.by_category
    usual = plan.market.terms.typical_demand * plan.demand
    left = torch.where(moved, units * shares.to(units), 0.0)
    won = categories.spread(categories.total(left, -1), -1)
    others = categories.spread(categories.total(torch.where(moved, 0.0, usual), -1), -1)
    factor = 1 + won / others.clamp(min=1e-9)
    return plan.times("demand", ~moved & (others > 0) & (won != 0), factor.clamp(min=0.0))


def _told(shares: Tensor) -> str:
    """A share, or the least and the largest of several."""
    ends = dict.fromkeys(f"{float(share):.0%}" for share in (shares.min(), shares.max()))
    return " to ".join(ends)


def _found_diversion(origin: Origin) -> Tensor:
    """(I,) the part of each item's customers who move within its category, by the fitted model; else 0."""
    demand = origin.market.demand
    while isinstance(demand, ObservedDemand):
        demand = demand.observer
    if not isinstance(demand, LearnedDemand):
        return torch.zeros(len(origin.items))
    choice = demand.response.choice
    return (choice.diversion[0] @ choice.kin.T)[list(origin.items)]


def with_copy(market: Market, axis: Axis, source: int, name: str, level: float = 1.0) -> Market:
    """The market with one more location or item, ``name``, on the terms and with the customers of another.

    Its demand is ``level`` times that one's.
    """
    places, goods = list(range(market.shape[0])), list(range(market.shape[1]))
    (places if axis == "locations" else goods).append(source)
    cut = Cut(torch.tensor(places, device=market.device), torch.tensor(goods, device=market.device))
    likeness = [getattr(market, axis)[source]]
    twin: DemandProcess = Namesake(
        market.demand.select(**{axis: likeness}),
        [name] if axis == "locations" else market.locations,
        [name] if axis == "items" else market.items,
    )
    terms = _terms(market.terms, cut, new_item=axis == "items")
    if level != 1:
        typical = terms.typical_demand.clone()
        typical.select(_ALONG[axis], -1).mul_(level)
        terms = replace(terms, typical_demand=typical)
        twin = ScaledDemand(twin, torch.full((len(twin.locations), len(twin.items)), level).to(typical))
    groups = tuple(market.price_groups[i] for i in places[: market.shape[0]])
    return replace(
        market,
        categories=tuple(market.categories[i] for i in goods),
        price_groups=(*groups, _unlike(name, groups)) if axis == "locations" else groups,
        terms=terms,
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
