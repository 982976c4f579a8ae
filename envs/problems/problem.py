"""What problems with a known optimum have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from ...forecasters.errors import InputError
from ..economics import Economics
from ..market import Market, Terms
from ..processes import Counts, Geometric, Independent, Poisson


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


DEMANDS: dict[str, Counts] = {"poisson": Poisson(), "geometric": Geometric()}
"""Families that problems of the literature have, by name."""

_LARGEST, _LONGEST = 1000.0, 52  # a number that states a problem, and a lead time


@runtime_checkable
class Problem(Protocol):
    """A market small enough that its optimum is known."""

    @property
    def source(self) -> str:
        """Who posed or solved it."""
        ...

    @property
    def objective(self) -> Objective: ...

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


class Stationary:
    """A problem whose demand is the same in every period, whatever is charged."""

    mean: float  # E[D], units a period
    demand: str  # one of ``DEMANDS``

    def probabilities(self, counts: int) -> np.ndarray:
        """P(D = k) of k = 0 … ``counts`` - 1."""
        return DEMANDS[self.demand].probabilities(torch.tensor(self.mean), counts).numpy()

    def process(self) -> Independent:
        """Its customers."""
        return Independent(DEMANDS[self.demand], torch.tensor([[self.mean]]))


def ranged(problem: Problem, *names: str, largest: float = _LARGEST) -> None:
    """Refuse numbers that are not above 0 and up to ``largest``.

    Raises:
        InputError: says which field, and what was found.
    """
    for name in names:
        if not 0 < (found := getattr(problem, name)) <= largest:
            wanted = f"a {name.replace('_', ' ')} above 0 and up to {largest:g}"
            raise InputError(f"{_kind(problem)}: expected {wanted}, found {found}")


def waiting(problem: Problem, lead_time: int, least: int) -> None:
    """Refuse a lead time that is not ``least`` to 52 periods.

    Raises:
        InputError: says what was found.
    """
    if not least <= lead_time <= _LONGEST:
        wanted = f"a lead time of {least} to {_LONGEST} periods"
        raise InputError(f"{_kind(problem)}: expected {wanted}, found {lead_time}")


def among(problem: Problem, name: str, allowed: Iterable[str]) -> None:
    """Refuse a field that is none of those ``allowed``.

    Raises:
        InputError: says which are, and what was found.
    """
    if (found := getattr(problem, name)) not in (names := list(allowed)):
        raise InputError(f"{_kind(problem)}: expected {name} {' or '.join(names)}, found {found!r}")


def _kind(problem: Problem) -> str:
    """LostSales: lost sales."""
    return re.sub("(?<=.)([A-Z])", r" \1", type(problem).__name__).lower()


def plain_market(
    name: str,
    demand: Independent,
    economics: Economics,
    *,
    unit_cost: float = 1.0,
    low: float = 1.0,
    high: float = 1.0,
) -> Market:
    """A market whose reference prices are 1 and whose prices may be ``low`` to ``high``."""
    one, typical = torch.ones(demand.base.shape[-2:]), demand.base
    return Market(
        name=name,
        dates=np.array(["2024-01-01"], dtype="datetime64[D]"),
        frequency="D",
        categories=("all",) * len(demand.items),
        price_groups=demand.locations,
        economics=economics,
        terms=Terms(
            one, low * one, high * one, unit_cost * one, typical.mean(0) if typical.dim() == 3 else typical
        ),
        demand=demand,
    )
