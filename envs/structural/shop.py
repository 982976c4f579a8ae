"""A chain of shops as its price list has it: what every family of true markets shares."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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
    first_day: str  # ISO date on which week 0 begins

    def select(self, places: Tensor, goods: Tensor) -> Shop:
        """The shops at index tensors ``places`` with the items ``goods``."""
        return Shop(
            locations=tuple(self.locations[i] for i in places.tolist()),
            items=tuple(self.items[i] for i in goods.tolist()),
            categories=tuple(self.categories[i] for i in goods.tolist()),
            income=self.income[places],
            coordinates=self.coordinates[places],
            reference_price=self.reference_price[places][:, goods],
            unit_cost=self.unit_cost[places][:, goods],
            first_day=self.first_day,
        )
