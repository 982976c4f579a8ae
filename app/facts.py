"""The fact that would change a decision, were it other than believed: nearest first.

A new price earns more than the current one by what is believed of cost, customers and stock. Each of these
has a value at which the two prices are worth the same. The one that is nearest to what is believed, as a
share of it, is the cheapest to be wrong about, and so the first to look at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .reasons import SAME, Known

_FAR = 1.0  # share of a belief, beyond which a fact would have to be another one altogether


@dataclass(frozen=True)
class Fact:
    """A value of something believed at which a new price is worth what the current one is."""

    name: str
    value: float
    believed: float
    look: str  # where to look

    @property
    def away(self) -> float:
        """How far from what is believed, as a share of it."""
        return abs(self.value - self.believed) / max(abs(self.believed), 1e-9)

    def __str__(self) -> str:
        digits = 0 if self.name == "stock" else 2
        return (
            f"the current price would do as well with {self.name} {self.value:.{digits}f} in place of"
            f" {self.believed:.{digits}f}: {self.look}"
        )


def cheapest_fact(known: Known) -> Fact | None:
    """The nearest fact that would change a price; None where it stays, or does not gain in this period."""
    if abs(known.price - known.current) <= SAME * known.current or known.gain <= 0:
        return None
    return min((f for f in _facts(known) if f.away < _FAR), key=lambda fact: fact.away, default=None)


def gain_at(known: Known, unit_cost: float, at_hand: float, demand: float) -> float:
    """Margin that the new price adds to its location, were cost, stock or demand at that price other."""
    now = (known.price - unit_cost) * min(demand, at_hand)
    before = (known.current - unit_cost) * min(known.demand_before, at_hand)
    return now - before + known.gain - known.own_gain


def _facts(known: Known) -> Iterator[Fact]:
    cost = known.price * (1 - known.margin)

    def gain(**other: float) -> float:
        told = {"unit_cost": cost, "at_hand": known.at_hand, "demand": known.demand, **other}
        return gain_at(known, **told)

    slope = min(known.demand_before, known.at_hand) - min(known.demand, known.at_hand)
    if abs(slope) > 1e-9 and (unit_cost := cost - gain() / slope) > 0:
        yield Fact("a unit cost of", unit_cost, cost, "look at the supplier's price")
    stocks = (known.demand, known.demand_before)
    for low, high in ((0.0, min(stocks)), (min(stocks), max(stocks))):
        one, two = gain(at_hand=low), gain(at_hand=high)
        if one * two < 0:  # linear in between
            yield Fact("stock", low + (high - low) * one / (one - two), known.at_hand, "count the shelf")
    move = math.log(known.price / known.current)
    if min(stocks) > 1e-9 and max(stocks) <= known.at_hand and known.price > cost:
        needed = known.demand - gain() / (known.price - cost)
        if needed > 0:
            own, least = (math.log(d / known.demand_before) / move for d in (known.demand, needed))
            yield Fact("an own elasticity of", least, own, "a price test tells (`mercato experiment design`)")
