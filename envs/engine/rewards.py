"""What a learner is paid: profit a decision unit, in multiples of typical revenue.

Rewards use the accrued profit: a unit's cost is paid when it is sold, owed or wasted, not when it is ordered,
and what it loses as a season ends in the season's last period. Summed over an episode this equals the cash
profit with opening stock charged and closing stock credited, but period by period it credits the decision
that earned it and needs no entry at truncation, where learners bootstrap (a potential-based shaping; Ng,
Harada and Russell 1999, theorem 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

from torch import Tensor

from ...forecasters.errors import InputError
from ..market import Market
from .types import Outcome


class Reward(Protocol):
    """Rewards (B, U) of all units for one period."""

    def __call__(self, outcome: Outcome, market: Market) -> Tensor: ...


def accrued_profit(outcome: Outcome, market: Market) -> Tensor:
    """(B, S, I) revenue less the cost of goods sold, owed or wasted, write-offs, and the other costs."""
    goods = market.terms.unit_cost * (outcome.sales + outcome.backordered + outcome.wasted)
    costs = outcome.ordering + outcome.holding + outcome.shortage + outcome.price_change + outcome.waste
    return outcome.revenue - goods - outcome.write_off - costs


def typical_revenue(market: Market) -> Tensor:
    """(S, I) money a period at reference price, the scale of rewards."""
    return (market.terms.reference_price * market.terms.typical_demand).clamp(min=1e-6)


class CategoryProfit:
    """Each unit is paid the profit of its (price group, category), shared equally by the category's items.

    On its own profit alone a shop's substitutes compete with each other and settle at too low a price.
    The share is in multiples of the typical revenue of an item of that category.
    """

    def __call__(self, outcome: Outcome, market: Market) -> Tensor:
        groups, categories = market.by_group, market.by_category

        def pooled(money: Tensor) -> Tensor:
            return categories.total(groups.total(money, -2), -1)

        rate = pooled(accrued_profit(outcome, market)) / pooled(typical_revenue(market))
        return categories.spread(rate, -1).flatten(1)


class OwnProfit:
    """Each unit is paid its own profit, in multiples of its typical revenue."""

    def __call__(self, outcome: Outcome, market: Market) -> Tensor:
        groups = market.by_group
        profit = groups.total(accrued_profit(outcome, market), -2)
        return (profit / groups.total(typical_revenue(market), -2)).flatten(1)


@dataclass(frozen=True)
class Cautious:
    """A reward charged for what the demand model is unsure of: r - λ·u of MOPO (Yu et al. 2020, section 4.2).

    With d the disagreement and o the distance from the supported range of the series j that the wrapped
    reward pools for unit u, and R̄ their typical revenue:

        r'_u = r_u - Σ_j R̄_j (κ₁ d_j + κ₂ o_j) / Σ_j R̄_j

    The charge is taken off each series' revenue before ``reward`` is asked, so that a reward which is linear
    in revenue pools and scales it just as it pools profit. d is a share of demand: κ₁ = 1 charges one
    standard deviation of the revenue that the model is unsure of.

    Raises:
        InputError: a factor is negative or not finite.
    """

    reward: Reward
    disagreement: float = 1.0  # κ₁, times a standard deviation of log mean demand
    off_support: float = 1.0  # κ₂, times a log distance from the supported range

    def __post_init__(self) -> None:
        for name in ("disagreement", "off_support"):
            if not 0 <= getattr(self, name) < inf:
                raise InputError(f"cautious: expected {name} from 0 on, finite, found {getattr(self, name)}")

    def __call__(self, outcome: Outcome, market: Market) -> Tensor:
        doubt = self.disagreement * outcome.disagreement + self.off_support * outcome.off_support
        revenue = outcome.revenue - typical_revenue(market) * doubt
        return self.reward(replace(outcome, revenue=revenue), market)
