"""What a policy may look at before it decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.simulation import Outlook
from ...forecasters.tensors import Cut
from ..market import Market
from ..processes.addressed import addressed
from .types import State


@dataclass(frozen=True)
class View:
    """A batch of markets at the moment of decision; the outlook is computed once for all who look."""

    market: Market
    state: State
    outlook: Outlook
    told: dict[object, Tensor] = field(default_factory=dict, repr=False, compare=False)
    """What was worked out of the customers alone, by whom: views of other stock before them may share it."""

    def of_customers(self, who: object, work: Callable[[], Tensor]) -> Tensor:
        """What ``who`` works out of market and customers, whatever the stock; worked out once."""
        if who not in self.told:
            self.told[who] = work()
        return self.told[who]

    def within(self, market: Market, cut: Cut) -> View:
        """The same of the ``cut`` of the market that ``market`` is, what was worked out among it."""
        told = {who: cut.tensor(value, "BSI") for who, value in self.told.items()}
        outlook = cut.record(self.outlook, {f.name: "BSI" for f in fields(Outlook)})
        return View(market, self.state.select(cut), outlook, told)

    def addressed(self, action: CustomerAction) -> View:
        """The same to who knows what is done to customers in the coming period.

        Raises:
            InputError: the market has no customers who are known.
        """
        demand = self.market.demand
        after, _ = addressed(demand, self.state.demand, action, self.state.last_price)
        return View(self.market, replace(self.state, demand=after), demand.outlook(after))

    def position(self) -> Tensor:
        """(B, S, I) inventory position: on hand + pipeline - backorders."""
        return self.state.on_hand + self.state.pipeline.sum(1) - self.state.backorders

    def expected(self, price: Tensor) -> Tensor:
        """(B, S, I) mean demand of the coming period at ``price`` (B, S, I)."""
        return self.market.demand.expected(self.state.demand, price)

    def expected_over(self, price: Tensor, periods: Tensor | int) -> Tensor:
        """(B, S, I) mean demand of the coming ``periods``, one number or (B, 1, 1), at ``price`` held.

        Markets mostly are equally old, and one question answers it.
        """
        demand, state = self.market.demand, self.state.demand
        if isinstance(periods, int):
            return demand.later(state, price, periods)
        total = torch.zeros_like(price)
        for count in periods.unique().tolist():
            total = torch.where(periods == count, demand.later(state, price, count), total)
        return total

    def expected_until_arrival(self, price: Tensor) -> Tensor:
        """(B, S, I) mean demand until the next order but this one arrives, at ``price`` (B, S, I) held.

        It is what the stock after this order has to last for; no longer than the season.
        """
        return self.expected_over(price, self.until_arrival)

    @cached_property
    def until_arrival(self) -> Tensor | int:
        """Periods until the next order but this one arrives, the coming one included: the lead time and those
        between two orders, or (B, 1, 1) what is left of the season, if less."""
        cycle = self.market.economics.lead_time + self.market.economics.order_every
        return cycle if self.left is None else self.left.clamp(max=cycle)

    @cached_property
    def left(self) -> Tensor | None:
        """(B, 1, 1) int64 periods until the season ends, the coming one included, 1 at least; None: it does
        not."""
        season = self.market.economics.season
        return None if season is None else (season - self.state.age).clamp(min=1).view(-1, 1, 1)

    @property
    def last_chance(self) -> Tensor | bool:
        """Whether no later order can be sold before the season ends: a bool (B, 1, 1)."""
        cycle = self.market.economics.lead_time + self.market.economics.order_every
        return False if self.left is None else self.left <= cycle

    @property
    def in_time(self) -> Tensor | bool:
        """Whether what is ordered now can be sold before the season ends: a bool (B, 1, 1)."""
        return True if self.left is None else self.left > self.market.economics.lead_time


def critical_ratio(view: View, price: Tensor) -> Tensor:
    """Cost of a unit short over the cost of a unit short plus a unit left: (B, S, I) in (0, 1).

    Short by one costs the goodwill and, where demand is lost, the margin; a unit left over costs its holding
    and its expected waste, for it can be sold next period, and where it cannot, what the season's end takes
    it for less.
    """
    economics, terms = view.market.economics, view.market.terms
    margin = (
        (price - terms.unit_cost).clamp(min=0.0) if economics.unmet == "lost" else torch.zeros_like(price)
    )
    short = margin + economics.shortage_rate * terms.reference_price
    left = left_rate(view) + (1.0 - economics.salvage_rate) * view.last_chance
    return (short / (short + left * terms.unit_cost).clamp(min=1e-9)).clamp(1e-3, 0.999)


def left_rate(view: View) -> float:
    """Cost of a unit left at the end of a period, share of unit cost: holding and expected waste.

    Of its shelf life of m periods one has passed, and an m-th of the unit with it: all of it where m = 1, as
    in the newsvendor's problem.
    """
    economics = view.market.economics
    aged = 0.0 if economics.shelf_life is None else 1.0 / economics.shelf_life
    return economics.holding_rate + max(economics.waste_rate, aged) * (1.0 + economics.waste_cost_rate)
