"""What a family of true markets offers beyond ``DemandProcess``: enough to write its history and tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import pandas as pd
import torch
from torch import Tensor

from ...forecasters.simulation import Outlook, Period
from ...forecasters.statistics import nb_sample
from ...forecasters.tensors import NoiseKey, series_ids
from .records import map_tensors, move
from .shop import Shop


class StructuralDemand(ABC):
    """A ``DemandProcess`` of known truth; a family is a frozen dataclass of these fields and ``parameters``.

    ``realised`` holds the states of weeks 0 … periods (B = periods + 1 rows) that the history went through,
    so that ``reset`` goes on from what really was; fresh shocks follow from there. A state knows the coming
    week's shocks: what the process expects is exact, and only counts are left to chance. Nobody plans
    promotions in play: ``promo`` is 0 but in a history. In a daily market all weeks are days.

    Where the shop does not list an item, demand is 0 for certain: whoever came for it leaves, and its price
    counts as its usual one. ``log_mean`` and ``level`` are of demand were it listed.
    """

    shop: Shop
    realised: Any

    @abstractmethod
    def log_mean(self, state: Any, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        """Log mean demand (B, S, I) at ``price`` (B, S, I) with ``promo`` 0 … 1, wherever it is listed."""

    @abstractmethod
    def advance(self, state: Any, period: Period, key: NoiseKey, promo: Tensor | float = 0.0) -> Any:
        """State of the next week, given what this one brought."""

    @abstractmethod
    def ahead(self, state: Any, price: Tensor, weeks: int) -> Any:
        """The state ``weeks`` on, at ``price`` (B, S, I) held, whose mean demand is the mean of theirs."""

    @abstractmethod
    def level(self) -> Tensor:
        """(S, I) log mean demand at reference price in an ordinary week, without promotion."""

    @abstractmethod
    def own(self) -> Tensor:
        """(S, I) own elasticities within the week at reference prices, mean of the year."""

    @abstractmethod
    def cross(self) -> Tensor:
        """(S, I, I) ∂log demand(second axis) / ∂log price(third axis) at reference prices, diagonal 0."""

    @abstractmethod
    def dispersion(self) -> Tensor:
        """(I,) φ: variance of demand is μ + φ·μ²."""

    @abstractmethod
    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Self:
        """The sub-market, with the same customers; items left out stay at their reference prices."""

    def laws(self) -> dict[str, pd.DataFrame]:
        """Tables of what else is known of the customers, by name."""
        return {}

    def own_of(self, state: Any) -> Tensor:
        """(B, S, I) own elasticities of the week at reference prices."""
        return self.own().expand(len(state.week), -1, -1)

    def calm(self, state: Any) -> Any:
        """The same week without any shock: what one expects who does not know the week's shock."""
        none = {name: torch.zeros_like(getattr(state, name)) for name in ("series", "location", "chain")}
        return replace(state, **none)

    def shifted(self, state: Any, periods: int) -> Any:
        """The state as it would be so many periods later in the calendar, its shocks as they are."""
        return replace(state, week=state.week + periods)

    def rows(self, weeks: Tensor) -> Any:
        """The realised states of ``weeks`` (B,)."""
        return map_tensors(self.realised, lambda tensor: tensor[weeks])

    @property
    def locations(self) -> tuple[str, ...]:
        return self.shop.locations

    @property
    def items(self) -> tuple[str, ...]:
        return self.shop.items

    @property
    def periods(self) -> int:
        return len(self.realised.week) - 1

    @property
    def calendar(self) -> bool:
        return True

    def reset(self, start: Tensor, key: NoiseKey) -> Any:
        return self.rows(start)

    def outlook(self, state: Any) -> Outlook:
        mean = self.log_mean(state, self.shop.reference_price.expand(len(state.week), -1, -1)).exp()
        spread = (1 / mean + self.dispersion()).sqrt()
        return Outlook(self._listed(state, mean), self._listed(state, spread), self.own_of(state))

    def expected(self, state: Any, price: Tensor) -> Tensor:
        return self._listed(state, self.log_mean(state, price).exp())

    def later(self, state: Any, price: Tensor, periods: int) -> Tensor:
        return sum(
            (self.expected(self.ahead(state, price, weeks), price) for weeks in range(1, periods)),
            start=self.expected(state, price),
        )

    def disagreement(self, state: Any, price: Tensor) -> Tensor:
        return torch.zeros_like(price)

    def sample(self, state: Any, price: Tensor, key: NoiseKey, promo: Tensor | float = 0.0) -> Tensor:
        gamma, poisson = key.uniform(self._series, 0), key.uniform(self._series, 1)
        log_mean, log_r = self.log_mean(state, price, promo), -self.dispersion().log()
        return self._listed(state, nb_sample(torch.special.ndtri(gamma), poisson, log_mean, log_r))

    def heard(self, state: Any, price: Tensor) -> Tensor:
        """``price`` (B, S, I) as customers hear of it: the usual one of what is not listed."""
        listed = self.shop.listed_in(state.week)
        return price if listed is None else torch.where(listed, price, self.shop.reference_price)

    def _listed(self, state: Any, values: Tensor) -> Tensor:
        """``values`` (B, S, I), 0 where the item is not listed."""
        listed = self.shop.listed_in(state.week)
        return values if listed is None else torch.where(listed, values, 0.0)

    @cached_property
    def _series(self) -> Tensor:
        """(S, I) ids by name."""
        return series_ids(self.locations, self.items).to(self.shop.reference_price.device)

    def to(self, device: torch.device | str) -> Self:
        return move(self, device)
