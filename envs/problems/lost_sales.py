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

import numpy as np
import torch

from ...forecasters.errors import InputError
from ..economics import Economics
from ..market import Market
from ..processes import Counts, Geometric, Independent, Poisson
from .problem import COST, Objective, one_series

DEMANDS: dict[str, Counts] = {"poisson": Poisson(), "geometric": Geometric()}


@dataclass(frozen=True)
class LostSales:
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
        if not 1 <= self.lead_time <= 52:
            raise InputError(f"lost sales: expected a lead time of 1 to 52 periods, found {self.lead_time}")
        if self.demand not in DEMANDS:
            raise InputError(f"lost sales: expected demand {' or '.join(DEMANDS)}, found {self.demand!r}")
        for name in ("penalty", "mean", "holding"):
            if not 0 < getattr(self, name) <= 1000:
                found = getattr(self, name)
                raise InputError(f"lost sales: expected a {name} above 0 and up to 1000, found {found}")

    def __str__(self) -> str:
        return f"{self.demand}, L = {self.lead_time}, p = {self.penalty:g}"

    def probabilities(self, counts: int) -> np.ndarray:
        """P(D = k) of k = 0 … ``counts`` - 1."""
        return DEMANDS[self.demand].probabilities(torch.tensor(self.mean), counts).numpy()

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
        demand = Independent(DEMANDS[self.demand], torch.tensor([[self.mean]]))
        economics = Economics(
            lead_time=self.lead_time,
            holding_rate=self.holding,
            shortage_rate=self.penalty,
            unit_cost_share=1.0,
            initial_cover=self.lead_time + 1.0,
        )
        return one_series(self, demand, economics)


ZIPKIN = tuple(
    LostSales(lead_time, penalty, demand)
    for demand, lead_time, penalty in product(DEMANDS, (1, 2, 3, 4), (4.0, 9.0, 19.0, 39.0))
)
"""The 32 cells of the paper's tables: mean demand 5, holding cost 1."""
