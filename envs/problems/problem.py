"""What problems with a known optimum have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch

from ..economics import Economics
from ..market import Market, Terms
from ..processes import Independent


@dataclass(frozen=True)
class Objective:
    """What an optimum is the best value of."""

    words: str
    sign: int  # of profit: -1 where it is a cost
    season: bool  # of a whole season from its start; else of a period in the long run

    def __str__(self) -> str:
        return self.words


COST = Objective("cost per period", -1, season=False)
PROFIT = Objective("profit per period", 1, season=False)
SEASON = Objective("profit per season", 1, season=True)


class Problem(Protocol):
    """A market small enough that its optimum is known."""

    source: ClassVar[str]
    """Who posed or solved it."""
    objective: ClassVar[Objective]

    @property
    def name(self) -> str:
        """``family/cell``."""
        ...

    @property
    def about(self) -> str:
        """A line."""
        ...

    def market(self) -> Market:
        """The problem as a market."""
        ...


def one_series(
    problem: Problem,
    demand: Independent,
    economics: Economics,
    *,
    unit_cost: float = 1.0,
    low: float = 1.0,
    high: float = 1.0,
) -> Market:
    """A market of one series whose reference price is 1 and whose prices may be ``low`` to ``high``."""
    one = torch.ones(1, 1)
    return Market(
        name=problem.name,
        dates=np.array(["2024-01-01"], dtype="datetime64[D]"),
        frequency="D",
        categories=("all",),
        price_groups=demand.locations,
        economics=economics,
        terms=Terms(one, low * one, high * one, unit_cost * one, demand.base.view(-1, 1, 1).mean(0)),
        demand=demand,
    )
