"""What a scenario makes of a market in each period of an episode, as plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.panel.calendar import declared_grid
from ...forecasters.simulation import DemandProcess
from ..economics import Economics
from ..market import Market
from ..processes.moved_calendar import MovedCalendar
from ..processes.perceived import PerceivedPrice
from ..processes.rivalled import RivalledDemand
from ..processes.rivals import Rival
from ..processes.scaled import ScaledDemand
from ..processes.shopkeeper import Decides


@dataclass(frozen=True)
class Competing:
    """A competitor whose price moves demand."""

    rival: Rival
    cross: Tensor  # (H, S, I) cross elasticity of demand to its price; 0 where there is none

    def before(self, reference: Tensor, customers: DemandProcess, t: int) -> DemandProcess:
        """``customers`` who compare with it in period ``t``."""
        return RivalledDemand(customers, self.rival, reference, self.cross[t])


@dataclass(frozen=True)
class Addressed:
    """What is done to customers who are known."""

    where: Tensor  # (H, S, I) bool of the locations and items of their population
    action: CustomerAction


@dataclass(frozen=True)
class Delay:
    """Orders that come late by chance."""

    share: Tensor  # (H, S, I) of the orders placed then
    by: int  # periods


@dataclass(frozen=True)
class Origin:
    """The market before a scenario adds to it, and which of its locations and items each one now is like."""

    market: Market
    locations: tuple[int, ...]  # (S,)
    items: tuple[int, ...]  # (I,)

    @staticmethod
    def of(market: Market) -> Origin:
        """The market as it is."""
        places, goods = market.shape
        return Origin(market, tuple(range(places)), tuple(range(goods)))

    def with_copy(self, axis: Literal["locations", "items"], source: int) -> Origin:
        """One more location or item, like another of those that are there now."""
        copied: dict[str, Any] = {axis: (*getattr(self, axis), getattr(self, axis)[source])}
        return replace(self, **copied)


@dataclass(frozen=True)
class Plan:
    """A market over the H periods of an episode; every tensor (H, S, I), blank where nothing changes."""

    market: Market
    start: int | None  # calendar index at which every episode begins; None: anywhere in the history
    demand: Tensor  # multiple of demand
    units: Tensor  # units of demand more
    usual: Tensor  # multiple of the reference price that customers compare with
    calendar: Tensor  # int64 periods by which customers are ahead of the calendar
    response: Tensor  # multiple of what prices do to demand
    cost: Tensor  # multiple of the unit cost
    holding: Tensor  # multiple of the cost of holding
    shortage: Tensor  # multiple of the cost of a unit short
    ordering: Tensor  # money more for an order
    fixed: Tensor  # price that is charged whatever the policy says; NaN where it decides
    repriced: Tensor  # multiple of the price
    floor: Tensor  # lowest price, money
    cap: Tensor  # highest price, money
    taken: Tensor  # 1, or 0 where no order is taken
    limit: Tensor  # largest order, units
    lead: Tensor  # periods that an order placed then is under way
    arriving: Tensor  # 1, or 0 where nothing arrives
    deciders: Mapping[str, Decides]  # policies that may run a competitor's shop, by name
    origin: Origin  # what was there before the scenario
    delays: tuple[Delay, ...] = ()  # by which orders come late, each by a chance of its own
    addressed: tuple[Addressed, ...] = ()  # what is done to customers, one beside the other
    competitors: tuple[Competing, ...] = ()  # those whose prices depend on the episode
    notes: tuple[str, ...] = ()  # what was assumed, one line each

    @staticmethod
    def blank(
        market: Market, horizon: int, start: int | None = None, deciders: Mapping[str, Decides] = {}
    ) -> Plan:
        """The market as it is."""
        one = torch.ones(horizon, *market.shape, device=market.device)
        none, unbound = torch.zeros_like(one), torch.full_like(one, torch.inf)
        return Plan(
            market=market,
            start=start,
            deciders=deciders,
            origin=Origin.of(market),
            units=none,
            ordering=none,
            floor=none,
            cap=unbound,
            fixed=torch.full_like(one, torch.nan),
            demand=one,
            usual=one,
            calendar=none.long(),
            response=one,
            cost=one,
            holding=one,
            shortage=one,
            repriced=one,
            taken=one,
            limit=unbound,
            lead=one * market.economics.lead_time,
            arriving=one,
        )

    @property
    def horizon(self) -> int:
        return len(self.demand)

    def dates(self) -> np.ndarray | None:
        """(H + 1,) first day of each period and of the one after; None where episodes begin anywhere."""
        if self.start is None:
            return None
        grid = declared_grid(self.market.frequency, self.market.dates)
        return grid.starts(np.arange(self.start, self.start + self.horizon + 1))

    def times(self, name: str, where: Tensor, factor: Tensor | float) -> Plan:
        """The plan with field ``name`` multiplied by ``factor`` (a number or (H, S, I)) where it applies."""
        old = getattr(self, name)
        return self._with(name, torch.where(where, old * factor, old))

    def put(self, name: str, where: Tensor, value: Tensor | float) -> Plan:
        """The plan with field ``name`` set to ``value`` where it applies."""
        old = getattr(self, name)
        return self._with(name, torch.where(where, torch.as_tensor(value).to(old), old))

    def late(self, share: Tensor, by: int) -> Plan:
        """The plan in which a ``share`` (H, S, I) of orders come ``by`` periods late."""
        return replace(self, delays=(*self.delays, Delay(share, by)))

    def beside(self, rival: Rival, cross: Tensor) -> Plan:
        """The plan with one more competitor, ``cross`` (H, S, I) the elasticity of demand to its price."""
        return replace(self, competitors=(*self.competitors, Competing(rival, cross)))

    def addressing(self, where: Tensor, action: CustomerAction) -> Plan:
        """The plan in which ``action`` is done to customers ``where`` (H, S, I) it applies."""
        return replace(self, addressed=(*self.addressed, Addressed(where, action)))

    @cached_property
    def actions(self) -> tuple[CustomerAction | None, ...]:
        """(H,) what is done to customers in each period; None: nothing. Equal periods share one."""
        found: list[CustomerAction | None] = []
        for t in range(self.horizon):
            same = t > 0 and all(torch.equal(each.where[t], each.where[t - 1]) for each in self.addressed)
            found.append(found[-1] if same else self._action(t))
        return tuple(found)

    def _action(self, t: int) -> CustomerAction | None:
        done = [each.action.where(each.where[t]) for each in self.addressed if bool(each.where[t].any())]
        return reduce(CustomerAction.with_, done) if done else None

    def noted(self, line: str) -> Plan:
        """The plan with one more note."""
        return replace(self, notes=(*self.notes, line))

    def _with(self, name: str, values: Tensor) -> Plan:
        changed: dict[str, Any] = {name: values}
        return replace(self, **changed)

    def markets(self) -> list[Market]:
        """The market as it is in each period; equal periods share one."""
        customers = self._customers()
        found: list[Market] = []
        for t in range(self.horizon):
            same = t > 0 and all(torch.equal(x[t], x[t - 1]) for x in self._of_market())
            found.append(found[-1] if same else self._market(t, customers))
        return found

    def _of_market(self) -> tuple[Tensor, ...]:
        return (
            *(self.calendar, self.usual, self.response, self.demand, self.units),
            *(self.cost, self.holding, self.shortage, self.ordering),
            *(each.cross for each in self.competitors),
        )

    def _customers(self) -> list[Callable[[DemandProcess, int], DemandProcess]]:
        """What changes customers, from the inmost: states pass from one period to the next, so that all
        periods have the same."""
        reference = self.market.terms.reference_price
        changes: list[tuple[Tensor, Callable[[DemandProcess, int], DemandProcess]]] = [
            (self.calendar != 0, lambda inner, t: MovedCalendar(inner, self.calendar[t])),
            (
                (self.usual != 1) | (self.response != 1),
                lambda inner, t: PerceivedPrice(inner, reference, self.usual[t], self.response[t]),
            ),
            *((each.cross != 0, partial(each.before, reference)) for each in self.competitors),
            (
                (self.demand != 1) | (self.units != 0),
                lambda inner, t: ScaledDemand(inner, self.demand[t], self.units[t]),
            ),
        ]
        return [change for touched, change in changes if bool(touched.any())]

    def _market(self, t: int, customers: Sequence[Callable[[DemandProcess, int], DemandProcess]]) -> Market:
        market = self.market
        demand = reduce(lambda inner, change: change(inner, t), customers, market.demand)
        return replace(
            market,
            demand=demand,
            terms=replace(market.terms, unit_cost=market.terms.unit_cost * self.cost[t]),
            economics=self._economics(t),
        )

    def _economics(self, t: int) -> Economics:
        """Rates that differ between series are tensors (S, I), which broadcast wherever numbers do."""
        base = self.market.economics
        rates = {
            "holding_rate": base.holding_rate * self.holding[t],
            "shortage_rate": base.shortage_rate * self.shortage[t],
            "fixed_order_cost": base.fixed_order_cost + self.ordering[t],
        }
        changed = {
            name: rate.flatten()[0].item() if bool((rate == rate.flatten()[0]).all()) else rate
            for name, rate in rates.items()
        }
        untouched = (
            (self.holding[t] == 1).all() & (self.shortage[t] == 1).all() & (self.ordering[t] == 0).all()
        )
        return base if bool(untouched) else base.model_copy(update=changed)
