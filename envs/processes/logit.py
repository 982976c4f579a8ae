"""Customers who take the item of largest utility, or none: multinomial logit without shocks or seasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.simulation import Outlook, Period
from ...forecasters.tensors import NoiseKey, positions, series_ids
from .counts import Counts
from .iid import IndependentState


@dataclass(frozen=True)
class Logit:
    """Tastes (McFadden 1974): utility is (value - price) / scale, of taking none outside / scale, plus noise
    of a standard Gumbel distribution."""

    customers: Tensor  # (S,) who come to a location in a period
    value: Tensor  # (S, I) worth of an item, in money
    scale: float  # μ in money: the larger, the less prices tell items apart
    outside: float = 0.0  # worth of taking none, in money

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise InputError(f"logit: expected a scale above 0, found {self.scale}")

    def shares(self, price: Tensor) -> Tensor:
        """(…, S, I) share of the customers who take each item at ``price`` (…, S, I)."""
        utility = (self.value - price) / self.scale
        none = torch.full_like(utility[..., :1], self.outside / self.scale)
        return torch.cat([utility, none], dim=-1).softmax(-1)[..., :-1]


class LogitDemand:
    """Every period the same customers; demand is the number that is expected of them, or counts around it.

    Args:
        tastes: of the customers, over the full menu (J items).
        reference_price: (S, J).
        counts: the distribution around the mean; None where customers are so many that there is none.
        locations, items: names, of the full menu; numbered where None.
        periods: calendar indices that an episode may start in, less one.
        goods: (I,) int64 positions on the menu of the items of this market, all where None; the others stay
            at their reference prices.
    """

    calendar = False

    def __init__(
        self,
        tastes: Logit,
        reference_price: Tensor,
        *,
        counts: Counts | None = None,
        locations: Sequence[str] | None = None,
        items: Sequence[str] | None = None,
        periods: int = 1,
        goods: Tensor | None = None,
    ) -> None:
        places, menu = tastes.value.shape
        self.tastes, self.reference_price = tastes, reference_price
        self.counts, self.periods = counts, periods
        self.locations = tuple(locations) if locations else tuple(f"location {k + 1}" for k in range(places))
        self.menu = tuple(items) if items else tuple(f"item {k + 1}" for k in range(menu))
        self.goods = torch.arange(menu, device=reference_price.device) if goods is None else goods
        self.items = tuple(self.menu[i] for i in self.goods.tolist())
        self._ids = series_ids(self.locations, self.items).to(reference_price.device)

    def reset(self, start: Tensor, key: NoiseKey) -> IndependentState:
        return IndependentState(start)

    def outlook(self, state: IndependentState) -> Outlook:
        price = self.reference_price[:, self.goods].expand(len(state.index), -1, -1)
        mean = self.expected(state, price)
        spread = torch.zeros_like(mean) if self.counts is None else self.counts.spread(mean)
        return Outlook(mean, spread, -price / self.tastes.scale * (1 - self._shares(price)))

    def expected(self, state: IndependentState, price: Tensor) -> Tensor:
        return self.tastes.customers.unsqueeze(-1) * self._shares(price)

    def later(self, state: IndependentState, price: Tensor, periods: int) -> Tensor:
        return periods * self.expected(state, price)

    def disagreement(self, state: IndependentState, price: Tensor) -> Tensor:
        return torch.zeros_like(price)

    def sample(self, state: IndependentState, price: Tensor, key: NoiseKey) -> Tensor:
        mean = self.expected(state, price)
        return mean if self.counts is None else self.counts.sample(mean, key, self._ids)

    def advance(self, state: IndependentState, period: Period, key: NoiseKey) -> IndependentState:
        return IndependentState(state.index + 1)

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> LogitDemand:
        places, goods = positions(self.locations, locations), positions(self.items, items)
        tastes, device = self.tastes, self.reference_price.device
        places, goods = places.to(device), goods.to(device)
        return LogitDemand(
            replace(tastes, customers=tastes.customers[places], value=tastes.value[places]),
            self.reference_price[places],
            counts=self.counts,
            locations=tuple(self.locations[s] for s in places.tolist()),
            items=self.menu,
            periods=self.periods,
            goods=self.goods[goods],
        )

    def to(self, device: torch.device | str) -> LogitDemand:
        tastes = self.tastes
        return LogitDemand(
            replace(tastes, customers=tastes.customers.to(device), value=tastes.value.to(device)),
            self.reference_price.to(device),
            counts=None if self.counts is None else self.counts.to(device),
            locations=self.locations,
            items=self.menu,
            periods=self.periods,
            goods=self.goods.to(device),
        )

    def _shares(self, price: Tensor) -> Tensor:
        """(B, S, I) share of the customers, those of this market's items."""
        full = self.reference_price.expand(len(price), -1, -1).index_copy(-1, self.goods, price)
        return self.tastes.shares(full)[..., self.goods]
