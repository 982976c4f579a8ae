"""How a learner corrects what a baseline orders, by one number in [-1, 1]; 0 is the baseline itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..envs.engine.view import View
from ..envs.market import Market
from .baselines.orders import expected_a_period, in_time
from .policy import LiftedRule

_MOST_STEPS = 6  # whole units to either side, which a lattice offers


class OrderCorrection(Protocol):
    """What a number means for an order."""

    @property
    def reach(self) -> float: ...

    def order(self, rule: LiftedRule, number: Tensor, view: View, price: Tensor) -> Tensor:
        """Units (B, S, I) ordered by a baseline's rule, corrected by numbers (B, S, I) in [-1, 1]."""
        ...

    def lattice(self, market: Market) -> tuple[float, ...]:
        """Numbers that a learner with discrete actions chooses from, 0 among them, fine enough to matter."""
        ...


@dataclass(frozen=True)
class OfLevel:
    """Multiplies the level that a baseline orders up to, or its rate where it has none, by exp(reach · a).

    For markets whose series sell very different numbers of units.
    """

    reach: float  # log of the largest multiple

    def order(self, rule: LiftedRule, number: Tensor, view: View, price: Tensor) -> Tensor:
        return rule.order(view, price, (self.reach * number).exp())

    def lattice(self, market: Market) -> tuple[float, ...]:
        return (-1.0, 0.0, 1.0)


@dataclass(frozen=True)
class InUnits:
    """Adds reach · a periods of expected demand to what a baseline orders, a unit at least at a = 1.

    With a reach of what a baseline orders in a period, this is the order itself, whatever the baseline.
    """

    reach: float  # periods of expected demand

    def order(self, rule: LiftedRule, number: Tensor, view: View, price: Tensor) -> Tensor:
        units = number * (self.reach * expected_a_period(view, price)).clamp(min=1.0)
        return in_time((rule.order(view, price) + units).clamp(min=0.0), view)

    def lattice(self, market: Market) -> tuple[float, ...]:
        """A step a unit of the typical series, as far as there are few."""
        units = self.reach * float(market.terms.typical_demand.median())
        steps = min(max(round(units), 1), _MOST_STEPS)
        return tuple((torch.arange(-steps, steps + 1) / steps).tolist())
