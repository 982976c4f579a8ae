"""A market: who sells what where, on which terms, to which customers. Everything but the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..forecasters.customers import Assortment, Campaign, CustomerAction
from ..forecasters.errors import InputError
from ..forecasters.panel.sales_panel import SalesPanel
from ..forecasters.simulation import DemandProcess
from ..forecasters.tensors import Cut, series_ids
from .customers import Customers, MarketCustomers
from .economics import Economics
from .engine.spoilage import Spoilage
from .engine.support import LIST_AXES, PriceLists, Supported
from .engine.tree import each
from .engine.units import Partition
from .processes.customers import CustomerMarket, customers_of


@dataclass(frozen=True)
class Terms:
    """Prices and costs of the series, tensors (S, I), money a unit."""

    reference_price: Tensor  # (S, I) the price that multiples refer to
    price_low: Tensor  # (S, I) lower end of the supported range
    price_high: Tensor  # (S, I) upper end of the supported range
    unit_cost: Tensor  # (S, I) what a unit costs, c
    typical_demand: Tensor  # (S, I) mean units a period at reference price, for scaling
    lists: PriceLists | None = None  # price lists that were tried; None where there is no history

    def select(self, cut: Cut) -> Terms:
        """Those of a sub-market; what is left out stays at the mean of its history."""
        tensors = {f.name: "SI" for f in fields(self) if f.name != "lists"}
        lists = None if self.lists is None else cut.record(self.lists, LIST_AXES)
        return replace(cut.record(self, tensors), lists=lists)

    def to(self, device: torch.device | str) -> Terms:
        return each(lambda x: x.to(device), self)


@dataclass(frozen=True)
class Market:
    """One market, immutable; ``demand`` is injected (learned, structural, i.i.d. or replayed).

    A *decision unit* is a (price group, item): the price is common to the group's locations.
    """

    name: str
    dates: np.ndarray  # (T,) datetime64[D] calendar of the history
    frequency: str
    categories: tuple[str, ...]  # (I,)
    price_groups: tuple[str, ...]  # (S,)
    economics: Economics
    terms: Terms
    demand: DemandProcess
    logged_price: Tensor | None = None  # (T, S, I) prices that were charged, filled; None: no history
    first_start: int = 0  # earliest calendar index at which an episode may begin
    panel: SalesPanel | None = None  # the table that it was fitted to; None: not a fitted market
    customers: MarketCustomers | None = None  # who they are, one by one; None: no event was given

    def __post_init__(self) -> None:
        """Raises InputError where the price rules name a location that the market lacks."""
        fairness = self.economics.price_rules.fairness
        for name, group in fairness.groups.items() if fairness else ():
            if strange := sorted(set(group) - set(self.locations)):
                raise InputError(
                    f"fairness group {name}: expected locations of the market, found {strange[0]!r}"
                )

    def __repr__(self) -> str:
        size = f"locations={len(self.locations)}, items={len(self.items)}"
        when = f"periods={len(self.dates)}, frequency={self.frequency!r}"
        demand = type(self.demand).__name__
        return f"Market({self.name!r}, {size}, {when}, demand={demand}, device='{self.device}')"

    @property
    def locations(self) -> tuple[str, ...]:
        return self.demand.locations

    @property
    def items(self) -> tuple[str, ...]:
        return self.demand.items

    @property
    def shape(self) -> tuple[int, int]:
        """(S, I)"""
        return len(self.locations), len(self.items)

    @property
    def device(self) -> torch.device:
        return self.terms.reference_price.device

    @property
    def groups(self) -> tuple[str, ...]:
        """Distinct price groups (G), in order of first appearance."""
        return tuple(dict.fromkeys(self.price_groups))

    @cached_property
    def by_group(self) -> Partition:
        """Locations in price groups."""
        return Partition.of(self.price_groups, self.device)

    @property
    def compared(self) -> tuple[str, ...]:
        """(S,) labels of locations, the same where price rules compare them; price groups stay whole."""
        fairness = self.economics.price_rules.fairness
        groups = fairness.groups.items() if fairness else ()
        named = {place: name for name, group in groups for place in group}
        pairs = zip(self.locations, self.price_groups, strict=True)
        of_group = {group: f"fair {named[place]}" for place, group in pairs if place in named}
        return tuple(of_group.get(group, group) for group in self.price_groups)

    @cached_property
    def by_fairness(self) -> Partition:
        """Locations whose prices are compared."""
        return Partition.of(self.compared, self.device)

    @cached_property
    def by_category(self) -> Partition:
        """Items in categories."""
        return Partition.of(self.categories, self.device)

    @cached_property
    def supported(self) -> Supported:
        """The prices that were tried."""
        return Supported(self)

    @cached_property
    def series_ids(self) -> Tensor:
        """(S, I) int64 ids of the series, by name: whose noise it is."""
        return series_ids(self.locations, self.items).to(self.device)

    @cached_property
    def assortment(self) -> Assortment:
        """What it sells, by what the shop told of its items.

        Raises:
            InputError: it told nothing, or items are too few to learn from.
        """
        told = None if self.customers is None else self.customers.items
        if told is None:
            raise InputError("expected a market with a table of items (fitted with --items), found none")
        units = self.terms.typical_demand.cpu().double().sum(0).numpy()
        return Assortment.of(told, self.items, units)

    @cached_property
    def spoilage(self) -> Spoilage | None:
        """What stock spoils; None where nothing does."""
        rate = self.economics.waste_rate
        return Spoilage(rate, self.device) if rate else None

    @cached_property
    def clock(self) -> tuple[float, float]:
        """Day of the year on which the history begins, from 0, and days a period."""
        dates, day = self.dates.astype("datetime64[D]"), np.timedelta64(1, "D")
        days = float((dates[-1] - dates[0]) / day) / (len(dates) - 1) if len(dates) > 1 else 1.0
        return float((dates[0] - dates[0].astype("datetime64[Y]")) / day), days

    @property
    def charged_before(self) -> Tensor | None:
        """(T, S, I) the prices that an episode finds charged; None: the reference prices."""
        return None if self.economics.decide == "order" else self.logged_price

    def starts(self, horizon: int) -> Sequence[int]:
        """Calendar indices where an episode of ``horizon`` periods can begin and still meet logged prices."""
        last = self.demand.periods - horizon
        return range(min(self.first_start, max(last, 0)), max(last, 0) + 1)

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Market:
        """The market of some locations and items, in its own order; all of them where None.

        Raises:
            InputError: a name is not there.
        """
        cut = Cut.of(self.locations, self.items, locations, items, self.device)
        logged, names = self.logged_price, cut.names(self.locations, self.items)
        return replace(
            self,
            categories=tuple(self.categories[i] for i in cut.goods.tolist()),
            economics=self.economics.within([self.locations[i] for i in cut.places.tolist()]),
            price_groups=tuple(self.price_groups[i] for i in cut.places.tolist()),
            terms=self.terms.select(cut),
            demand=self.demand.select(*names),
            logged_price=None if logged is None else cut.tensor(logged, "TSI"),
            panel=None if self.panel is None else self.panel.select(locations, items),
            customers=None if self.customers is None else self.customers.each(lambda who: who.among(*names)),
        )

    def with_demand(self, demand: DemandProcess) -> Market:
        """The same shop before other customers."""
        return replace(self, demand=demand)

    @property
    def remembered(self) -> Market:
        """The same shop before customers who remember how they were treated, where they are known.

        As the history ends nobody has been treated otherwise than usual: what is expected is the same.
        """
        found = None if self.customers is None else self.customers.found
        if not isinstance(found, Customers) or isinstance(self.demand, CustomerMarket):
            return self
        return self.with_demand(CustomerMarket(self.demand, found.population, self.terms.reference_price))

    @property
    def forgotten(self) -> Market:
        """The same shop before the customers of its sales table alone, who remember nothing."""
        demand = self.demand
        return self.with_demand(demand.process) if isinstance(demand, CustomerMarket) else self

    @cached_property
    def _actions(self) -> dict[Campaign, CustomerAction]:
        """What campaigns were found to do, which is asked for again in every period."""
        return {}

    def action(self, campaign: Campaign) -> CustomerAction:
        """What a campaign does to the customers who are known; what a scenario adds has none yet.

        Raises:
            InputError: none are.
        """
        if campaign in self._actions:
            return self._actions[campaign]
        known = customers_of(self.demand)
        if known is None:
            raise InputError(
                f"{self.name}: expected a market with customers (fitted with --events), found none"
            )
        places, goods = len(known.locations), len(known.items)
        margin = self.terms.reference_price - self.terms.unit_cost
        self._actions[campaign] = action = campaign.action(known.population, margin[:places, :goods])
        return action

    def to(self, device: torch.device | str) -> Market:
        return replace(
            self,
            terms=self.terms.to(device),
            demand=self.demand.to(device),
            logged_price=None if self.logged_price is None else self.logged_price.to(device),
            customers=None if self.customers is None else self.customers.each(lambda who: who.to(device)),
        )
