"""Two items that share the cost of an order, with backorders: joint replenishment.

After Ignall 1969 ("Optimal continuous review policies for two product inventory systems with joint setup
costs", Management Science 15(5)), reviewed every period: an order costs K whatever is in it, and h·(x - D)+ +
p·(D - x)+ is paid for each item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..economics import Economics
from ..market import Market
from ..processes import Independent, Poisson
from .problem import COST, Objective, plain_market, ranged


@dataclass(frozen=True)
class JointReplenishment:
    """Two items with Poisson demand and no lead time.

    Args:
        first: E[D] of one item, units a period.
        second: of the other.
        joint: K, cost of a period in which anything is ordered.
        holding: h, cost of a unit left at the end of a period.
        penalty: p, cost of a unit owed at the end of a period.

    Raises:
        InputError: a value outside its range.
    """

    source: ClassVar[str] = "after Ignall 1969, Management Science 15(5)"
    objective: ClassVar[Objective] = COST

    first: float
    second: float
    joint: float
    holding: float = 1.0
    penalty: float = 9.0

    def __post_init__(self) -> None:
        ranged(self, "first", "second", "joint", "holding", "penalty")

    @property
    def name(self) -> str:
        return f"joint-replenishment/m{self.first:g}-m{self.second:g}-K{self.joint:g}"

    @property
    def about(self) -> str:
        return f"two items of mean demand {self.first:g} and {self.second:g}, an order costs {self.joint:g}"

    def market(self) -> Market:
        """The problem as a market: prices are fixed at the unit cost, 1."""
        demand = Independent(Poisson(), torch.tensor([[self.first, self.second]]))
        economics = Economics(
            lead_time=0,
            unmet="backorder",
            holding_rate=self.holding,
            shortage_rate=self.penalty,
            joint_order_cost=self.joint,
            unit_cost_share=1.0,
            initial_cover=1.0,
            decide="order",
        )
        return plain_market(self.name, demand, economics)


TWO_ITEMS = (JointReplenishment(2.0, 2.0, 10.0), JointReplenishment(4.0, 1.0, 20.0))
