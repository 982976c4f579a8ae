"""Customers who compare with a competitor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.simulation import DemandProcess, Outlook, Period
from ...forecasters.tensors import NoiseKey
from .rivals import Rival
from .scaled import ScaledDemand
from .wrapped import Wrapped, roundings


@dataclass(frozen=True)
class RivalledState:
    """What the process knows, and what the competitor does."""

    process: Any
    rival: Any


class RivalledDemand(Wrapped):
    """``process`` with demand multiplied by q^η, q the competitor's price as a multiple of its usual one.

    Args:
        process: customers who know the competitor's usual price.
        rival: the competitor.
        reference: (S, I) the shop's usual prices.
        cross: (S, I) η, cross elasticity of demand to the competitor's price; 0 where there is none.
    """

    def __init__(self, process: DemandProcess, rival: Rival, reference: Tensor, cross: Tensor) -> None:
        super().__init__(process)
        self.rival, self.reference, self.cross = rival, reference, cross

    @property
    def roundings(self) -> int:
        return roundings(self.process) + 1

    def reset(self, start: Tensor, key: NoiseKey) -> RivalledState:
        return RivalledState(self.process.reset(start, key), self.rival.reset(start, key))

    def outlook(self, state: RivalledState) -> Outlook:
        return self._now(state).outlook(state.process)

    def expected(self, state: RivalledState, price: Tensor) -> Tensor:
        return self._now(state).expected(state.process, price)

    def later(self, state: RivalledState, price: Tensor, periods: int) -> Tensor:
        coming = self.expected(state, price)
        if periods == 1:
            return coming
        after = self.process.later(state.process, price, periods) - self.process.expected(
            state.process, price
        )
        return coming + after * self.rival.answer(state.rival, price / self.reference) ** self.cross

    def disagreement(self, state: RivalledState, price: Tensor) -> Tensor:
        return self.process.disagreement(state.process, price)

    def sample(self, state: RivalledState, price: Tensor, key: NoiseKey) -> Tensor:
        return self._now(state).sample(state.process, price, key)

    def advance(self, state: RivalledState, period: Period, key: NoiseKey) -> RivalledState:
        return RivalledState(
            self._now(state).advance(state.process, period, key),
            self.rival.advance(state.rival, period.price / self.reference, key),
        )

    def addressed(
        self, state: RivalledState, action: CustomerAction, price: Tensor
    ) -> tuple[RivalledState, Tensor]:
        inner, given = super().addressed(state.process, action, price)
        return replace(state, process=inner), given

    def shifted(self, state: RivalledState, periods: int) -> RivalledState:
        """The state so many periods later in the calendar."""
        return replace(state, process=super().shifted(state.process, periods))

    def _now(self, state: RivalledState) -> ScaledDemand:
        """The customers at what the competitor charges in the coming period."""
        return ScaledDemand(self.process, self.rival.price(state.rival) ** self.cross)

    def _around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> RivalledDemand:
        rival = self.rival.around(process, tensor)
        return RivalledDemand(process, rival, tensor(self.reference), tensor(self.cross))
