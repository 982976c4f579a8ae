"""Order rules: order-up-to levels from what is expected of the coming periods."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.view import View


@dataclass(frozen=True)
class BaseStock:
    """Order up to the newsvendor's quantile of demand until the next order can arrive.

    The level is the critical-ratio quantile of demand over lead time + 1 periods (Zipkin 2000, Foundations of
    Inventory Management, section 6.2). Demand is taken as gamma distributed with the outlook's spread, its
    quantile by Wilson and Hilferty (1931). ``safety`` multiplies the level and is tuned by simulation: with
    lost sales and a lead time the quantile is only a guide.
    """

    safety: float | Tensor = 1.0  # a tensor (B, 1, 1) tries one a market

    def level(self, view: View, price: Tensor) -> Tensor:
        """Order-up-to level (B, S, I) in units at the prices (B, S, I) about to be charged."""
        cycle = view.market.economics.lead_time + 1
        mean = view.expected(price) * cycle
        ninth = view.outlook.spread.square() / (9.0 * cycle)  # a ninth of the cycle's squared variation
        z = torch.special.ndtri(critical_ratio(view, price))
        return self.safety * mean * (1.0 - ninth + z * ninth.sqrt()).clamp(min=0.0).pow(3)

    def order(self, view: View, price: Tensor) -> Tensor:
        return order_up_to(self.level(view, price), view)


@dataclass(frozen=True)
class FixedCover:
    """Order up to the same number of periods of expected demand for every series."""

    cover: float | Tensor  # periods; a tensor (B, 1, 1) tries one a market

    def level(self, view: View, price: Tensor) -> Tensor:
        """Order-up-to level (B, S, I) in units at the prices (B, S, I) about to be charged."""
        return self.cover * view.expected(price)

    def order(self, view: View, price: Tensor) -> Tensor:
        return order_up_to(self.level(view, price), view)


def order_up_to(level: Tensor, view: View) -> Tensor:
    """Units (B, S, I) that bring the inventory position to ``level`` (B, S, I)."""
    return (level - view.position()).clamp(min=0.0)


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
    left_rate = economics.holding_rate + economics.waste_rate * (1.0 + economics.waste_cost_rate)
    return (short / (short + left_rate * terms.unit_cost).clamp(min=1e-9)).clamp(1e-3, 0.999)
