"""A demand process around another: what is not changed is the other's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.simulation import DemandProcess, Outlook, Period
from ...forecasters.tensors import Cut, NoiseKey
from .addressed import addressed


class Wrapped:
    """``process`` as it is, with its states; whoever derives from it says what differs.

    A derived class is made again by ``_around`` of a cut or moved process, with its own tensors likewise.
    """

    def __init__(self, process: DemandProcess) -> None:
        self.process = process
        self.locations, self.items, self.periods = process.locations, process.items, process.periods

    @property
    def calendar(self) -> bool:
        return self.process.calendar

    @property
    def roundings(self) -> int:
        """How often a count was multiplied and rounded before it comes out."""
        return roundings(self.process)

    def reset(self, start: Tensor, key: NoiseKey) -> Any:
        return self.process.reset(start, key)

    def outlook(self, state: Any) -> Outlook:
        return self.process.outlook(state)

    def expected(self, state: Any, price: Tensor) -> Tensor:
        return self.process.expected(state, price)

    def later(self, state: Any, price: Tensor, periods: int) -> Tensor:
        return self.process.later(state, price, periods)

    def disagreement(self, state: Any, price: Tensor) -> Tensor:
        return self.process.disagreement(state, price)

    def sample(self, state: Any, price: Tensor, key: NoiseKey) -> Tensor:
        return self.process.sample(state, price, key)

    def advance(self, state: Any, period: Period, key: NoiseKey) -> Any:
        return self.process.advance(state, period, key)

    def addressed(self, state: Any, action: CustomerAction, price: Tensor) -> tuple[Any, Tensor]:
        """The state in which ``action`` is done to customers, and the share of revenue that it gives back."""
        return addressed(self.process, state, action, price)

    def shifted(self, state: Any, periods: int) -> Any:
        """The state so many periods later in the calendar, where the process knows one."""
        return self.process.shifted(state, periods)  # type: ignore[attr-defined]

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Self:
        cut = Cut.of(self.locations, self.items, locations, items)
        return self._around(
            self.process.select(locations, items),
            lambda x: x.index_select(-2, cut.places.to(x.device)).index_select(-1, cut.goods.to(x.device)),
        )

    def to(self, device: torch.device | str) -> Self:
        return self._around(self.process.to(device), lambda x: x.to(device))

    def _around(self, process: DemandProcess, tensor: Any) -> Self:
        """The same around ``process``, ``tensor`` applied to its own tensors (…, S, I)."""
        raise NotImplementedError


def roundings(process: DemandProcess) -> int:
    """How often a process multiplies and rounds a count: each time has a luck of its own."""
    return int(getattr(process, "roundings", 0))
