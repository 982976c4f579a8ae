"""One item without a lead time: every period an order for that period alone.

Zipkin 2000 (Foundations of Inventory Management, section 6.2), Snyder and Shen 2019 (Fundamentals of Supply
Chain Theory, section 4.3): demand D, h·(S - D)+ for what is left, p·(D - S)+ for what is short. What is left
stays and the shelf is filled up again, so that each period is a problem of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..economics import Economics
from ..market import Market
from .problem import COST, DEMANDS, Objective, Stationary, among, plain_market, ranged


@dataclass(frozen=True)
class Newsvendor(Stationary):
    """A newsvendor with integer demand.

    Args:
        mean: E[D], units a period.
        holding: h, cost of a unit left.
        penalty: p, cost of a unit short.
        demand: ``poisson`` or ``geometric``.

    Raises:
        InputError: a value outside its range.
    """

    source: ClassVar[str] = "Zipkin 2000, section 6.2; Snyder and Shen 2019, section 4.3"
    objective: ClassVar[Objective] = COST

    mean: float = 50.0
    holding: float = 0.18
    penalty: float = 0.70
    demand: str = "poisson"

    def __post_init__(self) -> None:
        among(self, "demand", DEMANDS)
        ranged(self, "mean", "holding", "penalty")

    @property
    def name(self) -> str:
        return f"newsvendor/{self.demand}-m{self.mean:g}-h{self.holding:g}-p{self.penalty:g}"

    @property
    def about(self) -> str:
        return f"newsvendor, {self.demand} demand of mean {self.mean:g}"

    def market(self) -> Market:
        """The problem as a market: the price is fixed at the unit cost, 1, and demand lost."""
        economics = Economics(
            lead_time=0,
            holding_rate=self.holding,
            shortage_rate=self.penalty,
            unit_cost_share=1.0,
            initial_cover=0.0,
        )
        return plain_market(self.name, self.process(), economics)


NEWSVENDORS = (
    Newsvendor(),
    Newsvendor(20.0, 1.0, 4.0),
    Newsvendor(5.0, 1.0, 9.0, "geometric"),
)
"""The first is the example of Snyder and Shen with Poisson demand."""
