"""Log-linear demand by the day: the day of the week counts, beside all that ``log_linear`` has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor

from .log_linear import LogLinear, LogLinearDemand
from .records import shallow
from .shocks import Customers

_USUAL = np.array([-0.2, -0.2, -0.1, 0.0, 0.2, 0.3, 0.0])  # of log demand, Monday to Sunday


@dataclass(frozen=True)
class Daily(LogLinear):
    """Parameters of the market."""

    weekday: Tensor  # (I, 7) log demand of Monday … Sunday over an ordinary day's, 0 in the mean

    def select(self, places: Tensor, goods: Tensor) -> Self:
        return replace(super().select(places, goods), weekday=self.weekday[goods])


@dataclass(frozen=True)
class DailyDemand(LogLinearDemand):
    """The market's customers; a period is a day."""

    parameters: Daily

    @cached_property
    def _first(self) -> int:
        """Weekday on which the calendar begins, 0 is Monday."""
        return date.fromisoformat(self.shop.first_day).weekday()

    def log_mean(self, state: Customers, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        weekday = self.parameters.weekday.T[(state.week + self._first) % 7]  # (B, I)
        return super().log_mean(state, price, promo) + weekday.unsqueeze(1)


def by_the_day(market: LogLinearDemand, hours: int, seed: int) -> DailyDemand:
    """The market whose periods are days of ``hours``, busier towards the end of the week."""
    rng = np.random.default_rng([seed, 2])
    goods = len(market.items)
    drawn = _USUAL * rng.uniform(0.6, 1.4, (goods, 1)) + rng.normal(0, 0.05, (goods, 7))
    weekday = torch.as_tensor(drawn - drawn.mean(1, keepdims=True), dtype=torch.float32)
    return DailyDemand(
        replace(market.shop, days=1, hours=hours),
        Daily(**shallow(market.parameters), weekday=weekday),
        market.realised,
    )
