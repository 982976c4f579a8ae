"""Two processes as one market: more locations, or more items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.simulation import DemandProcess, Outlook, Period
from ...forecasters.tensors import Cut, NoiseKey, stable_id
from .addressed import addressed
from .wrapped import Wrapped, roundings

_SEEDS = 2**20  # by how much a namesake's seed may differ


class Namesake(Wrapped):
    """``process`` under other names, with other luck: what is alike in law, not in what happens."""

    def __init__(
        self,
        process: DemandProcess,
        locations: Sequence[str],
        items: Sequence[str],
        luck: int | None = None,
    ) -> None:
        """``luck`` is what tells its noise from that of ``process``; by its names where None."""
        super().__init__(process)
        self.locations, self.items = tuple(locations), tuple(items)
        self.luck = 1 + stable_id(*self.locations, *self.items) % _SEEDS if luck is None else luck

    def reset(self, start: Tensor, key: NoiseKey) -> Any:
        return self.process.reset(start, self._own(key))

    def sample(self, state: Any, price: Tensor, key: NoiseKey) -> Tensor:
        return self.process.sample(state, price, self._own(key))

    def advance(self, state: Any, period: Period, key: NoiseKey) -> Any:
        return self.process.advance(state, period, self._own(key))

    def _own(self, key: NoiseKey) -> NoiseKey:
        return replace(key, seed=key.seed + self.luck)

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Namesake:
        cut = Cut.of(self.locations, self.items, locations, items)
        places, goods = cut.names(self.process.locations, self.process.items)
        named = cut.names(self.locations, self.items)
        return Namesake(self.process.select(places, goods), *named, self.luck)

    def to(self, device: torch.device | str) -> Namesake:
        return Namesake(self.process.to(device), self.locations, self.items, self.luck)


@dataclass(frozen=True)
class JoinedState:
    """The states of both."""

    first: Any
    second: Any


class Joined:
    """``first``, and ``second`` beside it: other locations with the same items, or other items there.

    Args:
        axis: what is joined; the other names are the same in both.
    """

    def __init__(
        self, first: DemandProcess, second: DemandProcess, axis: Literal["locations", "items"]
    ) -> None:
        self.first, self.second, self.axis = first, second, axis
        self.locations = (*first.locations, *(second.locations if axis == "locations" else ()))
        self.items = (*first.items, *(second.items if axis == "items" else ()))
        self.periods = min(first.periods, second.periods)
        self._dim = -2 if axis == "locations" else -1
        self._sizes = [len(getattr(first, axis)), len(getattr(second, axis))]

    @property
    def calendar(self) -> bool:
        return self.first.calendar or self.second.calendar

    @property
    def roundings(self) -> int:
        return max(roundings(self.first), roundings(self.second))

    def reset(self, start: Tensor, key: NoiseKey) -> JoinedState:
        return JoinedState(self.first.reset(start.clone(), key), self.second.reset(start.clone(), key))

    def outlook(self, state: JoinedState) -> Outlook:
        both = self.first.outlook(state.first), self.second.outlook(state.second)
        return Outlook(
            *(self._cat([getattr(one, name) for one in both]) for name in ("mean", "spread", "elasticity"))
        )

    def expected(self, state: JoinedState, price: Tensor) -> Tensor:
        first, second = self._split(price)
        return self._cat(
            [self.first.expected(state.first, first), self.second.expected(state.second, second)]
        )

    def later(self, state: JoinedState, price: Tensor, periods: int) -> Tensor:
        first, second = self._split(price)
        return self._cat(
            [self.first.later(state.first, first, periods), self.second.later(state.second, second, periods)]
        )

    def disagreement(self, state: JoinedState, price: Tensor) -> Tensor:
        first, second = self._split(price)
        return self._cat(
            [self.first.disagreement(state.first, first), self.second.disagreement(state.second, second)]
        )

    def sample(self, state: JoinedState, price: Tensor, key: NoiseKey) -> Tensor:
        first, second = self._split(price)
        return self._cat(
            [self.first.sample(state.first, first, key), self.second.sample(state.second, second, key)]
        )

    def advance(self, state: JoinedState, period: Period, key: NoiseKey) -> JoinedState:
        first, second = (
            Period(*parts) for parts in zip(*map(self._split, vars(period).values()), strict=True)
        )
        return JoinedState(
            self.first.advance(state.first, first, key), self.second.advance(state.second, second, key)
        )

    def addressed(
        self, state: JoinedState, action: CustomerAction, price: Tensor
    ) -> tuple[JoinedState, Tensor]:
        """What ``action`` does to the customers of the first; what is new has none who are known."""
        own, other = self._split(price)
        first, given = addressed(self.first, state.first, action, own)
        return replace(state, first=first), self._cat([given, torch.zeros_like(other)])

    def shifted(self, state: JoinedState, periods: int) -> JoinedState:
        """Both so many periods later in the calendar."""
        return JoinedState(
            self.first.shifted(state.first, periods),  # type: ignore[attr-defined]
            self.second.shifted(state.second, periods),  # type: ignore[attr-defined]
        )

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> DemandProcess:
        cut = Cut.of(self.locations, self.items, locations, items)
        wanted = dict(zip(("locations", "items"), cut.names(self.locations, self.items), strict=True))
        parts = []
        for part in (self.first, self.second):
            kept = [name for name in wanted[self.axis] if name in getattr(part, self.axis)]
            if kept:
                parts.append(part.select(**{**wanted, self.axis: kept}))
        return parts[0] if len(parts) == 1 else Joined(parts[0], parts[1], self.axis)

    def to(self, device: torch.device | str) -> Joined:
        return Joined(self.first.to(device), self.second.to(device), self.axis)

    def _split(self, x: Tensor) -> list[Tensor]:
        return list(x.split(self._sizes, dim=self._dim))

    def _cat(self, parts: list[Tensor]) -> Tensor:
        return torch.cat(parts, dim=self._dim)
