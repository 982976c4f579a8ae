"""A true market seen through a fitted model: nature sells, the observer only forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.simulation import DemandProcess, LearnedDemand, Outlook, Period
from ...forecasters.statistics import nb_mean_above
from ...forecasters.tensors import NoiseKey


@dataclass(frozen=True)
class ObservedState:
    """The state of either process."""

    nature: Any
    observer: Any


class ObservedDemand:
    """Customers come from ``nature``; what is expected, and how surely, is the word of ``observer``, who sees
    what a shop sees.

    The observer is told prices, sales and whether the shelf ran empty, never how much more was wanted: where
    stock ran out it fills in the mean of what it held possible beyond the sales, by the rule for rows of a
    table whose share of the period is not known (``forecasters.statistics.stock_outs``). A learned observer
    follows what happened with its mean elasticities: those drawn for an episode are of its own customers, who
    are not these. How unsure it is of them it still says.

    Raises:
        InputError: the two do not name the same locations and items.
    """

    def __init__(self, nature: DemandProcess, observer: DemandProcess) -> None:
        if (nature.locations, nature.items) != (observer.locations, observer.items):
            raise InputError(
                "observed demand: expected nature and observer to name the same locations and items, found"
                f" {(*nature.locations, *nature.items)} and {(*observer.locations, *observer.items)}"
            )
        self.nature, self.observer = nature, observer
        self.follower = observer.with_elasticity("mean") if isinstance(observer, LearnedDemand) else observer
        self.locations, self.items = nature.locations, nature.items
        self.periods = min(nature.periods, observer.periods)

    @property
    def calendar(self) -> bool:
        return self.nature.calendar or self.observer.calendar

    def reset(self, start: Tensor, key: NoiseKey) -> ObservedState:
        return ObservedState(self.nature.reset(start, key), self.follower.reset(start, key))

    def outlook(self, state: ObservedState) -> Outlook:
        return self.observer.outlook(state.observer)

    def expected(self, state: ObservedState, price: Tensor) -> Tensor:
        return self.observer.expected(state.observer, price)

    def later(self, state: ObservedState, price: Tensor, periods: int) -> Tensor:
        return self.observer.later(state.observer, price, periods)

    def disagreement(self, state: ObservedState, price: Tensor) -> Tensor:
        return self.observer.disagreement(state.observer, price)

    def sample(self, state: ObservedState, price: Tensor, key: NoiseKey) -> Tensor:
        return self.nature.sample(state.nature, price, key)

    def advance(self, state: ObservedState, period: Period, key: NoiseKey) -> ObservedState:
        seen = Period(period.price, self._told(state.observer, period), period.sales)
        return ObservedState(
            self.nature.advance(state.nature, period, key), self.follower.advance(state.observer, seen, key)
        )

    def _told(self, state: Any, period: Period) -> Tensor:
        """(B, S, I) sales; where the shelf ran empty, expected demand given that it was more."""
        ran_out = period.demand > period.sales
        mean, outlook = self.observer.expected(state, period.price), self.observer.outlook(state)
        over = outlook.spread.square() - 1 / outlook.mean.clamp(min=1e-6)  # 1/r of a negative binomial
        log_r = -over.clamp(min=1e-4).log()
        told = period.sales.clone()
        told[ran_out] = nb_mean_above(period.sales[ran_out] + 1, mean[ran_out].log(), log_r[ran_out])
        return told

    def shifted(self, state: ObservedState, periods: int) -> ObservedState:
        """The state as it would be so many periods later in the calendar, where both know one."""
        nature = self.nature.shifted(state.nature, periods)  # type: ignore[attr-defined]
        return ObservedState(nature, self.observer.shifted(state.observer, periods))  # type: ignore[attr-defined]

    def recalling(self) -> ObservedDemand:
        """The same for several runs of the same episodes (``LearnedDemand.recalling``): nature is, whom stock
        does not move; what is observed depends on it."""
        if not isinstance(self.nature, LearnedDemand):
            return self
        return ObservedDemand(self.nature.recalling(), self.observer)

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> ObservedDemand:
        return ObservedDemand(self.nature.select(locations, items), self.observer.select(locations, items))

    def to(self, device: torch.device | str) -> ObservedDemand:
        return ObservedDemand(self.nature.to(device), self.observer.to(device))
