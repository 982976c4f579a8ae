"""A scenario: effects that are simulated together, as typed objects and as the mapping of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Annotated, Any, TypeVar, get_args

import numpy as np
from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from ...forecasters.panel.calendar import declared_grid
from ..market import Market
from ..processes.shopkeeper import Decides
from ..settings_file import Fault, Settings
from .effect import Count, Effect, any_settings, date_of
from .of_assortment import Delisting, NewItem, NewLocation
from .of_calendar import Calendar
from .of_costs import Cost, Holding, Ordering, Shortage
from .of_customers import Coupon, Recommendation, Seeding
from .of_demand import Demand, Elasticity, Reference, Traffic
from .of_prices import Price, PriceLimits, Promotion
from .of_rivals import Competitor
from .of_supply import Capacity, LeadTime, Outage
from .plan import Plan
from .spreading import Shock
from .writing import in_fields

AnEffect = TypeVar("AnEffect", bound=Effect)
Several = Annotated[tuple[AnEffect, ...], Field(max_length=1000), BeforeValidator(any_settings)]
"""One effect, or a list of them."""


class Scenario(Settings):
    """Effects that are simulated together, and the length and number of episodes.

    Effects apply in the order of these fields, those of one kind in their own.
    """

    name: str = Field("scenario", min_length=1, max_length=200, description="name of the scenario")
    horizon: Count = Field(26, description="periods per episode")
    episodes: int = Field(
        64, ge=2, le=10_000, strict=True, description="episodes, each simulated with and without it"
    )
    start: str | None = Field(
        None,
        description="date in the first period of every episode; if left out, episodes begin anywhere in the"
        " history, or, where windows are dates, end with it",
    )
    new_location: Several[NewLocation] = ()
    new_item: Several[NewItem] = ()
    delisting: Several[Delisting] = ()
    demand: Several[Demand] = ()
    traffic: Several[Traffic] = ()
    recommendation: Several[Recommendation] = ()
    seeding: Several[Seeding] = ()
    coupon: Several[Coupon] = ()
    shock: Several[Shock] = ()
    calendar: Several[Calendar] = ()
    competitor: Several[Competitor] = ()
    elasticity: Several[Elasticity] = ()
    reference: Several[Reference] = ()
    cost: Several[Cost] = ()
    holding: Several[Holding] = ()
    shortage: Several[Shortage] = ()
    ordering: Several[Ordering] = ()
    outage: Several[Outage] = ()
    capacity: Several[Capacity] = ()
    lead_time: Several[LeadTime] = ()
    price: Several[Price] = ()
    promotion: Several[Promotion] = ()
    price_limits: Several[PriceLimits] = ()

    _deciders: Mapping[str, Decides] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _written_shortly(cls, fields: Any) -> Any:
        try:
            return in_fields(fields)[0] if isinstance(fields, Mapping) else fields
        except Fault as fault:
            raise ValueError(str(fault)) from None

    @field_validator("start")
    @classmethod
    def _a_date(cls, start: str | None) -> str | None:
        return start if start is None else str(date_of(start))

    def effects(self) -> Iterator[tuple[str, int, Effect]]:
        """Each effect with its kind and its number among those of its kind, in the order of application."""
        for kind in EFFECTS:
            for number, effect in enumerate(getattr(self, kind)):
                yield kind, number, effect

    def plan(self, market: Market) -> Plan:
        """What the scenario makes of a market.

        Raises:
            Fault: it names what the market lacks, or a time that is not the episode's.
        """
        plan = Plan.blank(market, self.horizon, self._begin(market), self._deciders)
        for kind, number, effect in self.effects():
            try:
                plan = effect.apply(plan)
            except Fault as fault:
                raise Fault((kind, number, *fault.place), fault.said) from None
        return plan

    def rivals(self) -> tuple[str, ...]:
        """The policies that set the price of a competitor, by name."""
        return tuple(dict.fromkeys(each.policy for each in self.competitor if each.policy is not None))

    def with_rivals(self, deciders: Mapping[str, Decides]) -> Scenario:
        """The same with the policies of ``rivals`` by name, who know nothing of files."""
        told = self.model_copy()
        told._deciders = dict(deciders)
        return told

    def unchanged(self, market: Market) -> Plan:
        """The market as it is, in the same episodes."""
        return Plan.blank(market, self.horizon, self._begin(market))

    def mapping(self) -> dict[str, Any]:
        """What a file of it holds: fields that are not left at their defaults."""
        told = {name: getattr(self, name) for name in type(self).model_fields if name not in EFFECTS}
        out = {k: v for k, v in told.items() if v != type(self).model_fields[k].default}
        for kind in EFFECTS:
            entries = [_plainly(effect) for effect in getattr(self, kind)]
            if entries:
                out[kind] = entries[0] if len(entries) == 1 else entries
        return out

    def _begin(self, market: Market) -> int | None:
        season = market.economics.episode(self.horizon)
        if season < self.horizon:
            raise Fault(
                ("horizon",), f"expected at most the {season} periods of the season, found {self.horizon}"
            )
        last = max(market.starts(self.horizon))
        if self.start is None:
            return last if any(effect.dated for _, _, effect in self.effects()) else None
        grid = declared_grid(market.frequency, market.dates)
        period = int(grid.period_of(np.array([self.start], dtype="datetime64[D]"))[0])
        first, most = market.first_start, market.demand.periods
        if first <= period <= most:
            return period
        earliest, latest = grid.starts(np.array([first, most]))
        nearest = earliest if period < first else latest
        raise Fault(
            ("start",),
            f"expected a date from {earliest} to {latest}, found {self.start}; the nearest is {nearest}",
        )


EFFECTS: dict[str, type[Effect]] = {
    name: get_args(field.annotation)[0]
    for name, field in Scenario.model_fields.items()
    if get_args(field.annotation)
    and isinstance(get_args(field.annotation)[0], type)
    and issubclass(get_args(field.annotation)[0], Effect)
}
"""The class of each effect by the key that names it in a file."""


def composed(first: Scenario, then: Scenario) -> Scenario:
    """Both scenarios at once: the effects of ``first`` before those of ``then``, whose other settings win."""
    settings = {
        name: getattr(one, name)
        for one in (first, then)
        for name in one.model_fields_set
        if name not in EFFECTS
    }
    names = [one.name for one in (first, then) if "name" in one.model_fields_set]
    both = {kind: (*getattr(first, kind), *getattr(then, kind)) for kind in EFFECTS}
    named = {"name": " + ".join(names)[:200]} if names else {}
    return Scenario(**{**settings, **named, **{kind: effects for kind, effects in both.items() if effects}})


def all_composed(scenarios: list[Scenario]) -> Scenario:
    """Several at once, in order."""
    return reduce(composed, scenarios)


def _plainly(effect: Effect) -> dict[str, Any]:
    """An effect's fields that are not left at their defaults, where it applies last."""
    told = effect.model_dump(mode="json", exclude_defaults=True)
    scope = ("locations", "items", "categories", "window")
    return {k: v for k, v in told.items() if k not in scope} | {k: told[k] for k in scope if k in told}
