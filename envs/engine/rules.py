"""The shop's rules: what a policy may decide. Learned policies and baselines pass the same gate.

Order of precedence where rules cannot all be met: floor, ceiling and minimum margin (margin before ceiling)
always hold; then one price for a price group; then cadence and the largest change; the ladder comes last, and
where no rung fits the price stays as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..market import Market
from .types import Decision, State


def enforce(decision: Decision, state: State, market: Market) -> Decision:
    """The nearest decision that keeps the price rules, orders whole units and respects the capacity."""
    return Decision(price=_price(decision.price, state, market), order=_order(decision.order, state, market))


def limits(market: Market) -> tuple[Tensor, Tensor]:
    """Lowest and highest price (S, I) by floor, ceiling and minimum margin, common to a price group."""
    rules, terms = market.economics.price_rules, market.terms
    low = terms.reference_price * (rules.floor or 0.0)
    high = terms.reference_price * (rules.ceiling or torch.inf)
    if rules.minimum_margin is not None:
        low = torch.maximum(low, terms.unit_cost / (1 - rules.minimum_margin))
    groups = market.by_group
    low = groups.spread(groups.largest(low, -2), -2)
    high = groups.spread(groups.smallest(high, -2), -2)
    return low, torch.maximum(low, high)


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
