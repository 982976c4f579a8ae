"""What a shop may order: when, how much of an item, and for how much money.

A rule maps wanted orders (B, S, I), whole units, to allowed ones, never more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ..market import Market
from .types import State

OrderRule = Callable[[Tensor], Tensor]

_DUST = 1e-4  # units by which single precision may miss a whole number


def order_rules(state: State, market: Market) -> dict[str, OrderRule]:
    """The rules that the shop has, by name, in the order in which they apply."""
    economics, typical = market.economics, market.terms.typical_demand
    rules: dict[str, OrderRule] = {}
    if economics.decide == "price":
        rules["no orders"] = torch.zeros_like
    if economics.order_every > 1:
        today = (state.age % economics.order_every == 0).view(-1, 1, 1)
        rules["order days"] = lambda order: torch.where(today, order, 0.0)
    if economics.capacity is not None:
        position = state.on_hand + state.pipeline.sum(1) - state.backorders
        room = ((economics.capacity * typical).ceil() - position).floor().clamp(min=0)
        rules["capacity"] = partial(torch.minimum, room)
    if economics.largest_order is not None:
        rules["largest order"] = partial(torch.minimum, (economics.largest_order * typical - _DUST).ceil())
    if economics.order_budget is not None:
        cost, budget = market.terms.unit_cost, economics.order_budget
        rules["order budget"] = lambda order: _affordable(order, cost, budget)
    return rules


def _affordable(order: Tensor, cost: Tensor, budget: float) -> Tensor:
    """Orders (B, S, I) cut in proportion until each location pays ``budget`` at most, in whole units.

    What rounding down leaves of the money buys units of the largest remainders first (Hamilton's method of
    apportionment).
    """
    share = budget / (order * cost).sum(-1, keepdim=True)
    exact = order * share.clamp(max=1)
    whole = (exact + _DUST).floor()
    rest, first = (exact - whole).clamp(min=0).sort(dim=-1, descending=True, stable=True)
    left = budget - (whole * cost).sum(-1, keepdim=True)
    paid = cost.expand_as(order).gather(-1, first).cumsum(-1)
    bought = ((paid <= left) & (rest > _DUST)).to(order.dtype)
    return torch.where(share < 1, whole + torch.zeros_like(order).scatter(-1, first, bought), order)
