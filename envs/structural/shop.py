"""A chain of shops as its price list has it: what every family of true markets shares."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

_FREQUENCIES = {1: "D", 7: "W"}


@dataclass(frozen=True)
class Shop:
    """Who sells what where, at which usual price and cost."""

    locations: tuple[str, ...]
    items: tuple[str, ...]
    categories: tuple[str, ...]  # (I,)
    income: Tensor  # (S,) mean household income, thousands a year
    coordinates: Tensor  # (S, 2) latitude, longitude in degrees; regions are clusters
    reference_price: Tensor  # (S, I) usual price, p̄
    unit_cost: Tensor  # (S, I) usual cost of a unit
    first_day: str  # ISO date on which period 0 begins
    days: int = 7  # of a period: 7, or 1 where the log is daily
    hours: int | None = None  # of a period that the shop is open, where its log counts those out of stock
    listed: Tensor | None = None  # (T, S, I) bool, what is sold where in each period; None: everything

    @property
    def frequency(self) -> str:
        """Of the log, as pandas calls it."""
        return _FREQUENCIES[self.days]

    def listed_in(self, period: Tensor) -> Tensor | None:
        """(B, S, I) what is sold where at calendar indices ``period`` (B,); None: everything.

        What is listed as the history ends stays so.
        """
        return None if self.listed is None else self.listed[period.clamp(0, len(self.listed) - 1)]

    def assortment(self, periods: int) -> Tensor:
        """(T, S, I) bool, what is sold where in the first ``periods``."""
        if self.listed is None:
            return torch.ones(periods, *self.reference_price.shape, dtype=torch.bool)
        return self.listed[torch.arange(periods).clamp(max=len(self.listed) - 1)]

    def select(self, places: Tensor, goods: Tensor) -> Shop:
        """The shops at index tensors ``places`` with the items ``goods``."""
        return replace(
            self,
            locations=tuple(self.locations[i] for i in places.tolist()),
            items=tuple(self.items[i] for i in goods.tolist()),
            categories=tuple(self.categories[i] for i in goods.tolist()),
            income=self.income[places],
            coordinates=self.coordinates[places],
            reference_price=self.reference_price[places][:, goods],
            unit_cost=self.unit_cost[places][:, goods],
            listed=None if self.listed is None else self.listed[:, places][:, :, goods],
        )
