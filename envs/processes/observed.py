"""A true market seen through a fitted model: nature sells, the observer only forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.errors import InputError
from ...forecasters.simulation import DemandProcess, LearnedDemand, Outlook, Period
from ...forecasters.statistics import nb_mean_above
from ...forecasters.tensors import NoiseKey
from .addressed import addressed

_LEAST = 1e-30  # units that a quotient divides by, where nothing is expected


@dataclass(frozen=True)
class ObservedState:
    """The state of either process."""

    nature: Any
    observer: Any
    told: Tensor  # (B, S, I) times as much that is bought for what is shown and sent now; (B, 0): nothing is


class ObservedDemand:
    """Customers come from ``nature``; what is expected, and how surely, is the word of ``observer``, who sees
    what a shop sees.

    The observer is told prices, sales and whether the shelf ran empty, never how much more was wanted: where
    stock ran out it fills in the mean of what it held possible beyond the sales, by the rule for rows of a
    table whose share of the period is not known (``forecasters.statistics.stock_outs``). A learned observer
    follows what happened with its mean elasticities: those drawn for an episode are of its own customers, who
    are not these. How unsure it is of them it still says.

    What is shown or sent to customers is no secret of nature: the observer expects as many times more as it
    brings, and remembers what would have been sold without it.

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
        nature, observer = self.nature.reset(start, key), self.follower.reset(start, key)
        return ObservedState(nature, observer, torch.ones(len(start), 0, device=start.device))

    def outlook(self, state: ObservedState) -> Outlook:
        outlook = self.observer.outlook(state.observer)
        return replace(outlook, mean=_times(outlook.mean, state.told))

    def expected(self, state: ObservedState, price: Tensor) -> Tensor:
        return _times(self.observer.expected(state.observer, price), state.told)

    def later(self, state: ObservedState, price: Tensor, periods: int) -> Tensor:
        return _times(self.observer.later(state.observer, price, periods), state.told)

    def disagreement(self, state: ObservedState, price: Tensor) -> Tensor:
        return self.observer.disagreement(state.observer, price)

    def sample(self, state: ObservedState, price: Tensor, key: NoiseKey) -> Tensor:
        return self.nature.sample(state.nature, price, key)

    def advance(self, state: ObservedState, period: Period, key: NoiseKey) -> ObservedState:
        alone = 1 / _times(torch.ones_like(period.sales), state.told).clamp(min=_LEAST)
        seen = Period(period.price, self._wanted(state, period) * alone, period.sales * alone)
        nature = self.nature.advance(state.nature, period, key)
        observer = self.follower.advance(state.observer, seen, key)
        return ObservedState(nature, observer, state.told.new_ones(len(state.told), 0))

    def addressed(
        self, state: ObservedState, action: CustomerAction, price: Tensor
    ) -> tuple[ObservedState, Tensor]:
        """The state in which ``action`` is done to nature's customers in the coming period, in place of any
        other, and the share (B, S, I) of revenue at ``price`` that it gives back.

        Raises:
            InputError: nature has no customers who are known.
        """
        usual, _ = addressed(self.nature, state.nature, CustomerAction.none(price.device), price)
        nature, given = addressed(self.nature, state.nature, action, price)
        before, after = (self.nature.expected(each, price) for each in (usual, nature))
        told = torch.where(before > _LEAST, after / before.clamp(min=_LEAST), 1.0)
        return ObservedState(nature, state.observer, told), given

    def _wanted(self, state: ObservedState, period: Period) -> Tensor:
        """(B, S, I) sales; where the shelf ran empty, expected demand given that it was more."""
        ran_out = period.demand > period.sales
        mean, outlook = self.expected(state, period.price), self.outlook(state)
        over = outlook.spread.square() - 1 / outlook.mean.clamp(min=1e-6)  # 1/r of a negative binomial
        log_r = -over.clamp(min=1e-4).log()
        told = period.sales.clone()
        told[ran_out] = nb_mean_above(period.sales[ran_out] + 1, mean[ran_out].log(), log_r[ran_out])
        return told

    def shifted(self, state: ObservedState, periods: int) -> ObservedState:
        """The state as it would be so many periods later in the calendar, where both know one."""
        nature = self.nature.shifted(state.nature, periods)  # type: ignore[attr-defined]
        observer = self.observer.shifted(state.observer, periods)  # type: ignore[attr-defined]
        return ObservedState(nature, observer, state.told)

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


def _times(units: Tensor, told: Tensor) -> Tensor:
    """``units`` (B, S, I) as many times as is ``told``, where anything is."""
    return units * told if told.shape[1:].numel() else units
