"""What a policy may look at before it decides."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...forecasters.simulation import Outlook
from ..market import Market
from .types import State


@dataclass(frozen=True)
class View:
    """A batch of markets at the moment of decision; the outlook is computed once for all who look."""

    market: Market
    state: State
    outlook: Outlook

    def position(self) -> Tensor:
        """(B, S, I) inventory position: on hand + pipeline - backorders."""
        return self.state.on_hand + self.state.pipeline.sum(1) - self.state.backorders

    def expected(self, price: Tensor) -> Tensor:
        """(B, S, I) mean demand of the coming period at ``price`` (B, S, I)."""
        return self.market.demand.expected(self.state.demand, price)

    def expected_until_arrival(self, price: Tensor) -> Tensor:
        """(B, S, I) mean demand until the next order but this one arrives, at ``price`` (B, S, I) held.

        It is what the stock after this order has to last for.
        """
        return self.market.demand.later(self.state.demand, price, self.until_arrival)

    @property
    def until_arrival(self) -> int:
        """Periods until the next order but this one arrives: the lead time and those between two orders."""
        return self.market.economics.lead_time + self.market.economics.order_every


def critical_ratio(view: View, price: Tensor) -> Tensor:
    """Cost of a unit short over the cost of a unit short plus a unit left: (B, S, I) in (0, 1).

    Short by one costs the goodwill and, where demand is lost, the margin; a unit left over costs its holding
    and its expected waste, for it can be sold next period.
    """
    economics, terms = view.market.economics, view.market.terms
    margin = (
        (price - terms.unit_cost).clamp(min=0.0) if economics.unmet == "lost" else torch.zeros_like(price)
    )
    short = margin + economics.shortage_rate * terms.reference_price
    return (short / (short + left_rate(view) * terms.unit_cost).clamp(min=1e-9)).clamp(1e-3, 0.999)


def left_rate(view: View) -> float:
    """Cost of a unit left at the end of a period, share of unit cost: holding and expected waste."""
    economics = view.market.economics
    return economics.holding_rate + economics.waste_rate * (1.0 + economics.waste_cost_rate)
