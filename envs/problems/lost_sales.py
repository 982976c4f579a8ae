"""One item, lost sales, a lead time, independent demand: Zipkin 2008 ("Old and new methods for lost-sales
inventory systems", Operations Research 56(5), 1256-1263).

An order may be placed every period, for any whole number of units, and arrives L periods later. Unmet demand
is lost. What is minimised is the average cost a period in the long run: h·(x - D)+ + p·(D - x)+, x being the
stock on hand after the period's arrivals.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from ..economics import Economics
from ..market import Market
from .problem import COST, DEMANDS, Objective, Stationary, among, plain_market, ranged, waiting


@dataclass(frozen=True)
class LostSales(Stationary):
    """A cell of the paper's tables.

    Args:
        lead_time: L, 1 or more periods.
        penalty: p, cost of a sale lost.
        demand: ``poisson`` or ``geometric``, on 0, 1, 2, …
        mean: E[D], units a period.
        holding: h, cost of a unit left at the end of a period.

    Raises:
        InputError: a value outside its range.
    """

    source: ClassVar[str] = "Zipkin 2008, Operations Research 56(5)"
    objective: ClassVar[Objective] = COST

    lead_time: int
    penalty: float
    demand: str = "poisson"
    mean: float = 5.0
    holding: float = 1.0

    def __post_init__(self) -> None:
        waiting(self, self.lead_time, 1)
        among(self, "demand", DEMANDS)
        ranged(self, "penalty", "mean", "holding")

    def __str__(self) -> str:
        return f"{self.demand}, L = {self.lead_time}, p = {self.penalty:g}"

    @property
    def name(self) -> str:
        return f"lost-sales/{self.demand}-L{self.lead_time}-p{self.penalty:g}"

    @property
    def about(self) -> str:
        return f"lost sales, lead time {self.lead_time}, {self.demand} demand, penalty {self.penalty:g}"

    def market(self) -> Market:
        """The problem as a market of one series.

        The price is fixed at the unit cost, 1, so that profit in an episode, whose opening stock is charged
        and whose closing stock is credited, is the cost with its sign turned.
        """
        economics = Economics(
            lead_time=self.lead_time,
            holding_rate=self.holding,
            shortage_rate=self.penalty,
            unit_cost_share=1.0,
            initial_cover=self.lead_time + 1.0,
        )
        return plain_market(self.name, self.process(), economics)


ZIPKIN = tuple(
    LostSales(lead_time, penalty, demand)
    for demand, lead_time, penalty in product(DEMANDS, (1, 2, 3, 4), (4.0, 9.0, 19.0, 39.0))
)
"""The 32 cells of the paper's tables: mean demand 5, holding cost 1."""
