"""One item, backorders, a cost of placing an order: the (s, S) problem.

Zheng and Federgruen 1991 ("Finding optimal (s, S) policies is about as simple as evaluating a single policy",
Operations Research 39(4)): Poisson demand, an order costs K however large it is, h·(x - D)+ + p·(D - x)+ a
period. Unmet demand waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import ClassVar

from ..economics import Economics
from ..market import Market
from .problem import COST, DEMANDS, Objective, Stationary, among, plain_market, ranged, waiting


@dataclass(frozen=True)
class FixedOrderCost(Stationary):
    """A cell of the paper's table 1, or one like it.

    Args:
        mean: E[D], units a period.
        fixed: K, cost of an order.
        holding: h, cost of a unit left at the end of a period.
        penalty: p, cost of a unit owed at the end of a period.
        lead_time: L, 0 or more periods.
        demand: ``poisson`` or ``geometric``.

    Raises:
        InputError: a value outside its range.
    """

    source: ClassVar[str] = "Zheng and Federgruen 1991, Operations Research 39(4)"
    objective: ClassVar[Objective] = COST

    mean: float
    fixed: float = 64.0
    holding: float = 1.0
    penalty: float = 9.0
    lead_time: int = 0
    demand: str = "poisson"

    def __post_init__(self) -> None:
        waiting(self, self.lead_time, 0)
        among(self, "demand", DEMANDS)
        ranged(self, "mean", "fixed", "holding", "penalty")

    @property
    def name(self) -> str:
        return f"fixed-order-cost/{self.demand}-L{self.lead_time}-m{self.mean:g}-K{self.fixed:g}"

    @property
    def about(self) -> str:
        return f"an order costs {self.fixed:g}, backorders, {self.demand} demand of mean {self.mean:g}"

    def market(self) -> Market:
        """The problem as a market: the price is fixed at the unit cost, 1.

        Runs begin anywhere in an order's cycle, √(2 K / (h·E[D])) periods by the economic order quantity:
        else all order in step for hundreds of periods.
        """
        cycle = ceil(sqrt(2 * self.fixed / (self.holding * self.mean)))
        economics = Economics(
            lead_time=self.lead_time,
            unmet="backorder",
            holding_rate=self.holding,
            shortage_rate=self.penalty,
            fixed_order_cost=self.fixed,
            unit_cost_share=1.0,
            initial_cover=(float(self.lead_time), float(self.lead_time + cycle)),
        )
        return plain_market(self.name, self.process(), economics)


_MEANS = (*range(10, 80, 5), 21, 22, 23, 24, 51, 52, 59, 61, 63, 64)
ZHENG_FEDERGRUEN = tuple(FixedOrderCost(float(mean)) for mean in sorted(_MEANS))
"""The 24 cells of the paper's table 1: K = 64, h = 1, p = 9, no lead time."""
