"""The shop's rules: what a policy may decide. Learned policies and baselines pass the same gate.

Order of precedence where rules cannot all be met: floor, ceiling and minimum margin (margin before ceiling)
always hold; then one price for a price group; then cadence and the largest change; then fairness among
locations; the ladder comes last, and where no rung fits the price stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from math import inf, log1p, nan

import torch
from torch import Tensor

from ..market import Market
from .order_rules import order_rules
from .types import Decision, State

PriceRule = Callable[[Tensor], Tensor]

_SAME = 1e-6  # log prices closer than this are equal
_AT_END = 1e-4  # log distance from an end within which a price lies at it


def enforce(decision: Decision, state: State, market: Market) -> Decision:
    """The nearest decision that keeps the rules of prices and orders; orders are whole units."""
    price, order = decision.price, _whole(decision.order)
    for rule in price_rules(state, market).values():
        price = rule(price)
    for cut in order_rules(state, market).values():
        order = cut(order)
    return replace(decision, price=price, order=order)


def bound(decision: Decision, state: State, market: Market) -> dict[str, Tensor]:
    """By how much each rule that the shop has moves a decision, (B, S, I), after the rules before it.

    Prices in logarithms, orders in units, 0 where a rule does not bind: the mean of ``!= 0`` is how often it
    does.
    """
    prices, orders = _courses(decision, state, market)
    moved = {name: (after / before).log() for name, (before, after) in prices.items()}
    return moved | {name: after - before for name, (before, after) in orders.items()}


def binds(decision: Decision, state: State, market: Market) -> dict[str, Tensor]:
    """Where each rule that the shop has holds a decision back, (B, S, I) bool.

    It moves the decision, or the price lies at the end that it sets: policies keep to floor, ceiling and
    minimum margin by themselves.
    """
    (low, high), (prices, orders) = _standing(market), _courses(decision, state, market)
    ends, held = low | high, {}
    for name, (before, after) in prices.items():
        held[name] = (after / before).log().abs() > _SAME
        if name in ends:
            held[name] |= (after / ends[name]).log().abs() < _AT_END
    return held | {name: after != before for name, (before, after) in orders.items()}


_Course = dict[str, tuple[Tensor, Tensor]]


def _courses(decision: Decision, state: State, market: Market) -> tuple[_Course, _Course]:
    """Prices and orders (B, S, I) before and after each rule, in the order in which they apply."""

    def through(value: Tensor, rules: Mapping[str, Callable[[Tensor], Tensor]]) -> _Course:
        course = {}
        for name, rule in rules.items():
            before, value = value, rule(value)
            course[name] = before, value
        return course

    return (
        through(decision.price, price_rules(state, market)),
        through(_whole(decision.order), order_rules(state, market)),
    )


def price_rules(state: State, market: Market) -> dict[str, PriceRule]:
    """What the shop does to wanted prices (B, S, I): each rule by its name, in the order in which they apply.

    The largest change comes before the limits and so gives way to them.
    """
    rules, groups, low, high = market.economics.price_rules, market.by_group, *_standing(market)
    change, last = rules.largest_change, groups.spread(groups.mean(state.last_price, -2), -2)
    steps: dict[str, PriceRule] = {}
    if market.economics.decide == "order":
        steps["fixed price"] = market.terms.reference_price.expand_as
    if not groups.single:
        steps["price group"] = lambda price: groups.spread(groups.mean(price, -2), -2)
    if change is not None:
        steps["largest change"] = lambda price: price.clamp(last * (1 - change), last * (1 + change))
    steps |= {name: partial(torch.clamp, max=end) for name, end in high.items()}
    steps |= {name: partial(torch.clamp, min=end) for name, end in low.items()}
    if (rules.cadence, rules.fairness, rules.ending) == (1, None, None):
        return steps
    window = _window(last, state, market)
    if rules.cadence > 1:
        steps["cadence"] = lambda price: price.clamp(window.least, window.most)
    if rules.fairness is not None:
        steps["fairness"] = lambda price: _fair(price, window, market)
    if rules.ending is not None:
        steps["ending"] = partial(_laddered, ending=rules.ending, window=window, market=market)
    return steps


def limits(market: Market) -> tuple[Tensor, Tensor]:
    """Lowest and highest price (S, I) by floor, ceiling and minimum margin, common to a price group."""
    usual = market.terms.reference_price
    low, high = _standing(market)
    least = reduce(torch.maximum, low.values(), torch.zeros_like(usual))
    most = reduce(torch.minimum, high.values(), torch.full_like(usual, torch.inf))
    return least, torch.maximum(least, most)


def bounds(last: Tensor, market: Market) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Lowest and highest price (S, I) by rule, for those that have one, after prices ``last`` (S, I)."""
    low, high = _standing(market)
    change, groups = market.economics.price_rules.largest_change, market.by_group
    if change is None:
        return low, high
    common = groups.spread(groups.mean(last, -2), -2)
    return {**low, "largest change": common * (1 - change)}, {**high, "largest change": common * (1 + change)}


def _standing(market: Market) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Those that hold whatever was charged before, common to a price group."""
    rules, terms, groups = market.economics.price_rules, market.terms, market.by_group
    low, high = {}, {}
    if rules.floor is not None:
        low["floor"] = terms.reference_price * rules.floor
    if rules.minimum_margin is not None:
        low["minimum margin"] = terms.unit_cost / (1 - rules.minimum_margin)
    if rules.ceiling is not None:
        high["ceiling"] = terms.reference_price * rules.ceiling
    return (
        {name: groups.spread(groups.largest(end, -2), -2) for name, end in low.items()},
        {name: groups.spread(groups.smallest(end, -2), -2) for name, end in high.items()},
    )


@dataclass(frozen=True)
class Window:
    """Between what prices (B, S, I) other rules leave a choice; ``stay`` where there is none."""

    least: Tensor
    most: Tensor
    stay: Tensor  # the last price, kept to the limits


def _window(last: Tensor, state: State, market: Market) -> Window:
    """What limits, the largest change and the cadence leave after prices ``last`` (B, S, I)."""
    rules, groups = market.economics.price_rules, market.by_group
    low, high = limits(market)
    stay = last.clamp(low, high)
    least, most = low.expand_as(stay), high.expand_as(stay)
    if rules.largest_change is not None:
        least = torch.minimum(torch.maximum(low, last * (1 - rules.largest_change)), stay)
        most = torch.maximum(torch.minimum(high, last * (1 + rules.largest_change)), stay)
    if rules.cadence > 1:
        free = groups.spread(groups.smallest(state.since_change, -2), -2) >= rules.cadence
        least, most = torch.where(free, least, stay), torch.where(free, most, stay)
    return Window(least, most, stay)


def _fair(price: Tensor, window: Window, market: Market) -> Tensor:
    """Prices drawn together, to the middle of the range, where they differ by too much."""
    fair, places = _fair_window(price, window, market), market.by_fairness
    lowest, highest = places.smallest(price, -2), places.largest(price, -2)
    apart = places.spread((highest / lowest).log() > _widest(market) + _SAME, -2)
    return torch.where(apart, price.clamp(fair.least, fair.most), price)


def _fair_window(price: Tensor, window: Window, market: Market) -> Window:
    """The part of the window as wide as prices may differ, around the middle of ``price`` if it can."""
    places, widest = market.by_fairness, _widest(market)
    least, most = places.largest(window.least, -2).log(), places.smallest(window.most, -2).log()
    middle = (places.smallest(price, -2).log() + places.largest(price, -2).log()) / 2
    bottom = torch.minimum(torch.maximum(middle - widest / 2, least - widest), most)
    low, high = (places.spread(end.exp(), -2) for end in (bottom, bottom + widest))
    return replace(
        window, least=low.clamp(window.least, window.most), most=high.clamp(window.least, window.most)
    )


def _widest(market: Market) -> float:
    """Largest difference in log price within a group of locations."""
    fairness = market.economics.price_rules.fairness
    return inf if fairness is None else log1p(fairness.largest_spread)


def _laddered(price: Tensor, ending: float, window: Window, market: Market) -> Tensor:
    """Prices on the ladder; where the spread is narrower than its rungs, a group's locations share one."""
    if market.economics.price_rules.fairness is None:
        return nearest_rung(price, ending, window)
    places = market.by_fairness
    own = nearest_rung(
        price, ending, replace(_fair_window(price, window, market), stay=torch.full_like(price, nan))
    )
    middle = (places.smallest(price, -2) * places.largest(price, -2)).sqrt()
    common = replace(
        window,
        least=places.spread(places.largest(window.least, -2), -2),
        most=places.spread(places.smallest(window.most, -2), -2),
    )
    shared = nearest_rung(places.spread(middle, -2), ending, common)
    each = places.spread(places.smallest(own.isfinite().to(price.dtype), -2), -2) > 0
    return torch.where(each, own, shared)


def nearest_rung(price: Tensor, ending: float, window: Window) -> Tensor:
    """The nearest price ending in ``ending`` within the window; ``stay`` where there is none."""
    least, most = window.least, window.most
    rung = (price - ending).round()
    rung = rung + (rung + ending < least).to(rung.dtype) - (rung + ending > most).to(rung.dtype)
    laddered = rung + ending
    fits = (laddered >= least) & (laddered <= most) & (laddered > 0)
    return torch.where(fits, laddered, window.stay)


def _whole(order: Tensor) -> Tensor:
    return order.round().clamp(min=0)
