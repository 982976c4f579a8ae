"""The shop's rules: what a policy may decide. Learned policies and baselines pass the same gate.

Order of precedence where rules cannot all be met: floor, ceiling and minimum margin (margin before ceiling)
always hold; then one price for a price group; then cadence and the largest change; the ladder comes last, and
where no rung fits the price stays as it is.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from ..market import Market
from .types import Decision, State


def enforce(decision: Decision, state: State, market: Market) -> Decision:
    """The nearest decision that keeps the price rules, orders whole units and respects the capacity."""
    return Decision(price=_price(decision.price, state, market), order=_order(decision.order, state, market))


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


def _price(price: Tensor, state: State, market: Market) -> Tensor:
    rules, groups = market.economics.price_rules, market.by_group
    low, high = limits(market)
    price, last = (groups.spread(groups.mean(x, -2), -2) for x in (price, state.last_price))
    stay = last.clamp(low, high)
    least, most = low, high
    if rules.largest_change is not None:
        least = torch.minimum(torch.maximum(low, last * (1 - rules.largest_change)), stay)
        most = torch.maximum(torch.minimum(high, last * (1 + rules.largest_change)), stay)
    price = price.clamp(least, most)
    if rules.ending is not None:
        price = _nearest_rung(price, rules.ending, least, most, stay)
    if rules.cadence > 1:
        age = groups.spread(groups.smallest(state.since_change, -2), -2)
        price = torch.where(age >= rules.cadence, price, stay)
    return price


def _nearest_rung(price: Tensor, ending: float, least: Tensor, most: Tensor, stay: Tensor) -> Tensor:
    """The nearest price ending in ``ending`` from ``least`` to ``most``; ``stay`` where there is none."""
    rung = (price - ending).round()
    rung = rung + (rung + ending < least).to(rung.dtype) - (rung + ending > most).to(rung.dtype)
    laddered = rung + ending
    fits = (laddered >= least) & (laddered <= most) & (laddered > 0)
    return torch.where(fits, laddered, stay)


def _order(order: Tensor, state: State, market: Market) -> Tensor:
    order = order.round().clamp(min=0)
    capacity = market.economics.capacity
    if capacity is None:
        return order
    position = state.on_hand + state.pipeline.sum(1) - state.backorders
    room = (capacity * market.terms.typical_demand).ceil() - position
    return torch.minimum(order, room.floor().clamp(min=0))
