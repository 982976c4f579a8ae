"""What a learner sees: one row of scale-free numbers a decision unit, bounded to [-10, 10].

Units of stock are read in periods of expected demand (cover), money in multiples of the reference price, so
that one policy serves a slow and a fast item, a euro and a yen. A group's locations are added up (covers) or
averaged with their expected demand as weights (prices and rates).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...forecasters.errors import InputError, whole
from ..market import Market
from .types import State
from .view import View, critical_ratio, left_rate

BOUND = 10.0

ARRIVAL, LIFE = "arrival_cover", "life_cover"


@dataclass(frozen=True)
class _Reading:
    """A view with the scales that features are read in."""

    market: Market
    view: View
    mean: Tensor  # (B, S, I) expected demand, never quite 0
    total: Tensor  # (B, G, I) of a decision unit

    @classmethod
    def of(cls, view: View) -> _Reading:
        market = view.market
        mean = torch.maximum(view.outlook.mean, 1e-3 * market.terms.typical_demand).clamp(min=1e-6)
        return cls(market, view, mean, market.by_group.total(mean, -2))

    @property
    def state(self) -> State:
        return self.view.state

    def cover(self, units: Tensor) -> Tensor:
        """(B, G, I) log(1 + units / expected demand) of units (B, S, I)."""
        return torch.log1p(self.market.by_group.total(units, -2).clamp(min=0) / self.total)

    def slot(self, units: Tensor, number: int) -> Tensor:
        """Cover of the slot ``number`` - 1 of units (B, K, S, I); 0 beyond the last."""
        inside = number <= units.shape[1]
        return self.cover(units[:, number - 1] if inside else torch.zeros_like(self.mean))

    def average(self, rate: Tensor) -> Tensor:
        """(B, G, I) mean of a rate (B, S, I), by expected demand."""
        return self.market.by_group.total(rate * self.mean, -2) / self.total

    def log_ratio(self, price: Tensor) -> Tensor:
        """(B, G, I) mean of log(price / reference price) of prices (B, S, I)."""
        return self.average((price / self.market.terms.reference_price).log())

    def everywhere(self, value: Tensor) -> Tensor:
        """(B, G, I) the same for all units: a value (B,) of the market."""
        return value.to(self.mean.dtype).view(-1, 1, 1).expand_as(self.total)


Feature = Callable[[_Reading], Tensor]  # (B, G, I)


def _outlook(reading: _Reading) -> Tensor:
    typical = reading.market.terms.typical_demand.expand_as(reading.mean)
    return (reading.total / reading.market.by_group.total(typical, -2).clamp(min=1e-6)).log()


def _others_price(reading: _Reading) -> Tensor:
    """Mean last price of the other items of each one's category, by expected demand; 0 where alone."""
    categories, weight = reading.market.by_category, reading.total
    value = reading.log_ratio(reading.state.last_price)
    sums, weights = (categories.spread(categories.total(x, -1), -1) for x in (value * weight, weight))
    rest = weights - weight
    return torch.where(rest > 1e-3 * weight, (sums - value * weight) / rest.clamp(min=1e-6), 0.0)


def _of_the_year(reading: _Reading, wave: Callable[[Tensor], Tensor]) -> Tensor:
    """A wave of the day of the year, running on past the end of the history."""
    first, days = reading.market.clock
    index = (reading.state.start + reading.state.age).to(torch.float32)
    return reading.everywhere(wave((first + days * index) * (2 * math.pi / 365.2425)))


def _until_price(reading: _Reading) -> Tensor:
    """Time since the last change would be a clock where prices stay: ever further from what is learned."""
    since = reading.market.by_group.smallest(reading.state.since_change, -2)
    return torch.log1p((reading.market.economics.price_rules.cadence - since).clamp(min=0).float())


def _season_left(reading: _Reading) -> Tensor:
    left = (reading.market.economics.season or 0) - reading.state.age
    return reading.everywhere(torch.log1p(left.clamp(min=0).float()))


def _until_order(reading: _Reading) -> Tensor:
    periods = -reading.state.age % reading.market.economics.order_every
    return reading.everywhere(torch.log1p(periods.float()))


def _critical_odds(reading: _Reading) -> Tensor:
    ratio = critical_ratio(reading.view, reading.state.last_price).expand_as(reading.mean)
    return reading.market.by_group.mean(ratio, -2).logit()


_ALWAYS: dict[str, Feature] = {
    "stock_cover": lambda r: r.cover(r.state.on_hand),
    "position_cover": lambda r: r.cover(r.view.position()),
    ARRIVAL: lambda r: r.slot(r.state.pipeline, 1),
    "backorder_cover": lambda r: r.cover(r.state.backorders),
    "last_price": lambda r: r.log_ratio(r.state.last_price),
    "last_sales": lambda r: r.cover(r.state.last_sales),
    "outlook": _outlook,
    "spread": lambda r: torch.log1p(r.average(r.view.outlook.spread)),
    "elasticity": lambda r: r.average(r.view.outlook.elasticity),
    "cost": lambda r: r.log_ratio(r.market.terms.unit_cost),
    "price_low": lambda r: r.log_ratio(r.market.terms.price_low),
    "price_high": lambda r: r.log_ratio(r.market.terms.price_high),
    "others_price": _others_price,
    "until_price": _until_price,
}
_CALENDAR: dict[str, Feature] = {
    "season_sin": partial(_of_the_year, wave=torch.sin),
    "season_cos": partial(_of_the_year, wave=torch.cos),
}
_SEASON: dict[str, Feature] = {"season_left": _season_left}
_ORDERS: dict[str, Feature] = {"until_order": _until_order}


def _left_rate(reading: _Reading) -> Tensor:
    return torch.full_like(reading.total, math.log(max(left_rate(reading.view), _LEAST_RATE)))


_LEAST_RATE = 1e-4  # share of unit cost

_TOLD: dict[str, Feature] = {
    "lead_time": lambda r: torch.log1p(torch.full_like(r.total, r.market.economics.lead_time)),
    "critical_odds": _critical_odds,
    "usual_demand": lambda r: r.total.log(),
    "left_rate": _left_rate,
    "waste_rate": lambda r: torch.full_like(r.total, r.market.economics.waste_rate),
}
"""What tells a problem or a shop apart from others, to a policy for many: log(1 + L), log of the cost of a
unit short over that of a unit left, log of the expected demand in units, log of what a unit left costs as a
share of its unit cost, and the chance that it spoils."""

_NAMED = _ALWAYS | _CALENDAR | _SEASON | _ORDERS | _TOLD


class Observation:
    """The features of a market's decision units that a learner or a policy sees, by name and in order.

    Args:
        names: of the features.

    Raises:
        InputError: there is no such feature.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._features = tuple(_feature(name) for name in self.names)

    @classmethod
    def of(cls, market: Market, slots: int | None = None) -> Observation:
        """All that a market has to tell.

        Args:
            market: the market.
            slots: of the pipeline that are shown, 0 beyond the lead time; that of the market where None. A
                policy for several lead times needs the largest.
        """
        economics = market.economics
        slots = max(1, economics.lead_time) if slots is None else whole("slots", slots)
        return cls(
            [
                *_ALWAYS,
                *(_CALENDAR if market.demand.calendar else ()),
                *(_numbered(ARRIVAL, number) for number in range(2, slots + 1)),
                *(_numbered(LIFE, number) for number in range(1, (economics.shelf_life or 0) + 1)),
                *(_SEASON if economics.season else ()),
                *(_ORDERS if economics.order_every > 1 else ()),
            ]
        )

    @classmethod
    def across(cls, markets: Sequence[Market]) -> Observation:
        """All that several markets have to tell, and what tells them apart, for one policy.

        Without the calendar: a date says nothing of another shop's season, of which the outlook tells.

        Raises:
            InputError: one has stock that ages, a season's end or days of orders, and another has not.
        """
        slots = max(1, *(market.economics.lead_time for market in markets))
        first, *others = (cls.of(market, slots).names for market in markets)
        for market, names in zip(markets[1:], others, strict=True):
            if odd := sorted((set(first) ^ set(names)) - set(_CALENDAR)):
                raise InputError(
                    f"{market.name}: expected the features of {markets[0].name}, found a difference in"
                    f" {', '.join(odd)}; train one policy for each kind of shop"
                )
        return cls([*(name for name in first if name not in _CALENDAR), *_TOLD])

    @classmethod
    def in_market(cls, names: Sequence[str], market: Market) -> Observation:
        """The features ``names`` in a market that has them, whatever its lead time.

        Raises:
            InputError: the market has not all of them, or has stock that ages, a season's end or days of
                orders which are not among them; says which.
        """
        slots = 1 + sum(name.startswith(f"{ARRIVAL}_") for name in names)
        has = cls.of(market, slots).names
        vital = {name for name in has if name in _SEASON | _ORDERS or name.startswith(LIFE)}
        if odd := sorted((set(names) - set(has) - set(_TOLD)) | (vital - set(names))):
            raise InputError(
                f"expected the features of {market.name}, found a difference in {', '.join(odd)}; train it in"
                " such a market"
            )
        return cls(names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Observation({', '.join(self.names)})"

    def __call__(self, view: View) -> Tensor:
        """(B, U, F) float32, F as in ``names``, unit = group * I + item."""
        reading = _Reading.of(view)
        features = [feature(reading).expand_as(reading.total) for feature in self._features]
        return torch.stack(features, dim=-1).flatten(1, 2).clamp(-BOUND, BOUND)


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}"


def _feature(name: str) -> Feature:
    """Raises InputError where there is none of that name."""
    if name in _NAMED:
        return _NAMED[name]
    kind, _, number = name.rpartition("_")
    if number.isdecimal() and int(number) > 0:
        if kind == ARRIVAL:
            return lambda r: r.slot(r.state.pipeline, int(number))
        if kind == LIFE:
            return lambda r: r.slot(r.state.cohorts, int(number))
    raise InputError(f"expected the features of this version, found {name!r:.40}")
