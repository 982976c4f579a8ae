"""Stockpiling: log-linear demand of customers who buy ahead when it is cheap, and then need less.

Households of a series hold a pantry, counted in weeks of usual demand. With d = own·log(p/p̄) + lift·promo, by
which log demand answers to the week's own price and promotion,

    log μ as in ``log_linear``, less restraint·pantry
    pantry' = keep·pantry + max(0, exp(d) − 1)

so a week's extra E costs restraint·keep^k·E of log demand k + 1 weeks later, about restraint / (1 − keep) of
it in all. Own elasticities are those of one week, buying ahead included; a price that stays low sells less
than they say. The dip after a deal: van Heerde, Leeflang and Wittink 2000, "The estimation of pre- and
postpromotion dips with store-level scanner data".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from ...forecasters.simulation import Period
from ...forecasters.tensors import NoiseKey
from .log_linear import LogLinear, LogLinearDemand
from .records import shallow
from .shocks import Customers


@dataclass(frozen=True)
class Stockpiling(LogLinear):
    """Parameters of the market."""

    keep: float  # share of the pantry that is left after a week
    restraint: float  # log demand lost for each week of usual demand in the pantry


@dataclass(frozen=True)
class Households(Customers):
    """What customers are like in the coming week, and what they have at home."""

    pantry: Tensor  # (B, S, I) weeks of usual demand

    def select(self, places: Tensor, goods: Tensor) -> Self:
        return replace(super().select(places, goods), pantry=self.pantry[:, places][:, :, goods])


@dataclass(frozen=True)
class StockpilingDemand(LogLinearDemand):
    """The market's customers."""

    parameters: Stockpiling
    realised: Households

    def calm(self, state: Any) -> Households:
        """The same week without any shock, pantries empty: no shop looks into them."""
        return replace(super().calm(state), pantry=torch.zeros_like(state.pantry))

    def log_mean(self, state: Any, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        return super().log_mean(state, price, promo) - self.parameters.restraint * state.pantry

    def advance(self, state: Any, period: Period, key: NoiseKey, promo: Tensor | float = 0.0) -> Households:
        bought = self._ahead_of_need(state, period.price, promo)
        return _at_home(super().advance(state, period, key), self.parameters.keep * state.pantry + bought)

    def ahead(self, state: Any, price: Tensor, weeks: int) -> Households:
        left = self.parameters.keep**weeks
        bought = self._ahead_of_need(state, price) * (1 - left) / (1 - self.parameters.keep)
        return _at_home(super().ahead(state, price, weeks), left * state.pantry + bought)

    def _ahead_of_need(self, state: Any, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        """(B, S, I) weeks of usual demand that go into the pantry in a week."""
        shift = (self.heard(state, price) / self.shop.reference_price).log()
        return (self.own_of(state) * shift + self.parameters.lift * promo).expm1().clamp(min=0)


def with_pantries(market: LogLinearDemand, keep: float, restraint: float) -> StockpilingDemand:
    """The market where customers also stockpile, their pantries empty at first."""
    return StockpilingDemand(
        market.shop,
        Stockpiling(**shallow(market.parameters), keep=keep, restraint=restraint),
        _at_home(market.realised, torch.zeros_like(market.realised.series)),
    )


def _at_home(customers: Customers, pantry: Tensor) -> Households:
    return Households(**shallow(customers) | {"pantry": pantry})
