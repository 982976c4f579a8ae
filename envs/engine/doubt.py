"""How far prices strayed from what the demand model knows, and episodes that end where it knows too little.

Two signs, both reported each period: ``disagreement``, how unsure the model is of mean demand at the price,
and ``off_support``, how far the price, or the category's list of prices, lies outside what was charged in the
past (``support``). A reward can be charged for
them (``rewards.Cautious``), and a ``Halt`` ends the episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from torch import Tensor

from ...forecasters.errors import InputError
from ..market import Market
from .rewards import typical_revenue
from .types import Outcome


def over_market(value: Tensor, market: Market) -> Tensor:
    """(B,) mean of ``value`` (B, S, I) over the series, by typical revenue: what matters most counts most.

    The weights do not move with the price, or a policy could price its doubts out of the mean.
    """
    weight = typical_revenue(market)
    return (value * weight).sum((1, 2)) / weight.sum()


@dataclass(frozen=True)
class Halt:
    """Ends a market's episode after a period whose mean doubt (``over_market``) exceeds a threshold.

    The pessimistic process of MOReL (Kidambi, Rajeswaran, Netrapalli and Joachims 2020): beyond the halt
    nothing is earned, and ``penalty`` is charged, so that a policy learns to stay where the model is to be
    trusted. By default it never halts.

    Raises:
        InputError: a threshold or the penalty is negative or no number, or the penalty infinite.
    """

    disagreement: float = inf  # largest mean standard deviation of log mean demand
    off_support: float = inf  # largest mean log distance from the supported range
    penalty: float = 0.0  # taken once off every unit's reward as the episode halts; MOReL's κ

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0:
                raise InputError(f"halt: expected {name} >= 0, found {value}")
        if self.penalty == inf:
            raise InputError("halt: expected a finite penalty, found inf")

    @property
    def never(self) -> bool:
        """No threshold can be exceeded."""
        return self.disagreement == inf and self.off_support == inf

    def __call__(self, outcome: Outcome, market: Market) -> Tensor:
        """(B,) bool: the markets that end."""
        unsure = over_market(outcome.disagreement, market) > self.disagreement
        return unsure | (over_market(outcome.off_support, market) > self.off_support)
