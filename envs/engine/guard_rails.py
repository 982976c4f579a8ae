"""The rules that hold a policy back, and the shop without them: what they cost is told by lifting them.

What says how the shop works is no guard-rail: price groups, days of orders, and what is decided at all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..economics import Economics, PriceRules
from ..market import Market

_PRICES = tuple(PriceRules.model_fields)
_ORDERS = ("capacity", "largest_order", "order_budget")


def guard_rails(economics: Economics) -> tuple[str, ...]:
    """The guard-rails that a shop has, by the names that ``rules.binds`` gives them."""
    fields = [(name, economics.price_rules) for name in _PRICES] + [(name, economics) for name in _ORDERS]
    return tuple(_name(field) for field, of in fields if getattr(of, field) != _lifted(field))


def lifted(market: Market, *rails: str) -> Market:
    """The market whose shop has none of these guard-rails."""
    economics = market.economics
    prices = {field: _lifted(field) for field in _PRICES if _name(field) in rails}
    orders = {field: _lifted(field) for field in _ORDERS if _name(field) in rails}
    rules = economics.price_rules.model_copy(update=prices)
    return replace(market, economics=economics.model_copy(update={**orders, "price_rules": rules}))


def _name(field: str) -> str:
    return field.replace("_", " ")


def _lifted(field: str) -> Any:
    """A field's value where there is no such rule."""
    of: type[PriceRules] | type[Economics] = PriceRules if field in _PRICES else Economics
    return of.model_fields[field].default
