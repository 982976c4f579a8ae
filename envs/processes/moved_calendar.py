"""Customers who keep another calendar: a holiday that falls in another period."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ...forecasters.simulation import DemandProcess, Outlook
from ...forecasters.tensors import NoiseKey
from .wrapped import Wrapped


@runtime_checkable
class Dated(Protocol):
    """A process whose customers know the date."""

    def shifted(self, state: Any, periods: int) -> Any:
        """The state as it would be so many periods later in the calendar, its past as it is."""
        ...


class MovedCalendar(Wrapped):
    """``process`` whose customers take a period for one ``moved`` (S, I) int64 periods later; shared states.

    What they remember, and what befalls them by chance, stays that of the period.
    """

    def __init__(self, process: DemandProcess, moved: Tensor) -> None:
        super().__init__(process)
        self.moved = moved
        self._offsets = [int(offset) for offset in moved.unique() if offset != 0]

    def outlook(self, state: Any) -> Outlook:
        usual = self.process.outlook(state)
        others = {by: self.process.outlook(self._later(state, by)) for by in self._offsets}
        return Outlook(
            *(
                self._each({by: getattr(other, name) for by, other in others.items()}, getattr(usual, name))
                for name in ("mean", "spread", "elasticity")
            )
        )

    def expected(self, state: Any, price: Tensor) -> Tensor:
        return self._asked(state, lambda at: self.process.expected(at, price))

    def later(self, state: Any, price: Tensor, periods: int) -> Tensor:
        return self._asked(state, lambda at: self.process.later(at, price, periods))

    def disagreement(self, state: Any, price: Tensor) -> Tensor:
        return self._asked(state, lambda at: self.process.disagreement(at, price))

    def sample(self, state: Any, price: Tensor, key: NoiseKey) -> Tensor:
        return self._asked(state, lambda at: self.process.sample(at, price, key))

    def _asked(self, state: Any, of: Callable[[Any], Tensor]) -> Tensor:
        return self._each({by: of(self._later(state, by)) for by in self._offsets}, of(state))

    def _each(self, others: dict[int, Tensor], usual: Tensor) -> Tensor:
        """(B, S, I) each series' value at its own date."""
        for by, value in others.items():
            usual = torch.where(self.moved == by, value, usual)
        return usual

    def _later(self, state: Any, periods: int) -> Any:
        return self.process.shifted(state, periods)  # type: ignore[attr-defined]

    def _around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> MovedCalendar:
        return MovedCalendar(process, tensor(self.moved))
