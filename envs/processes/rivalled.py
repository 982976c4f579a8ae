"""Customers who compare with a competitor that answers to the shop's last price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...forecasters.simulation import DemandProcess, Outlook, Period
from ...forecasters.tensors import NoiseKey
from .scaled import ScaledDemand
from .wrapped import Wrapped


@dataclass(frozen=True)
class RivalledState:
    """What the process knows, and what the competitor charges."""

    process: Any
    rival: Tensor  # (B, S, I) its price as a multiple of its usual one


class RivalledDemand(Wrapped):
    """``process`` with demand multiplied by q^η, q the competitor's price as a multiple of its usual one.

    In each period the competitor charges the shop's price of the period before, less ``undercut``, both as
    multiples of their usual prices; in an episode's first period its usual price.

    Args:
        process: customers who know the competitor's usual price.
        reference: (S, I) the shop's usual prices.
        cross: (S, I) η, cross elasticity of demand to the competitor's price; 0 where there is none.
        undercut: (S, I) share by which it goes below.
    """

    def __init__(self, process: DemandProcess, reference: Tensor, cross: Tensor, undercut: Tensor) -> None:
        super().__init__(process)
        self.reference, self.cross, self.undercut = reference, cross, undercut

    def reset(self, start: Tensor, key: NoiseKey) -> RivalledState:
        rival = torch.ones(len(start), *self.reference.shape, device=start.device)
        return RivalledState(self.process.reset(start, key), rival)

    def outlook(self, state: RivalledState) -> Outlook:
        return self._at(state).outlook(state.process)

    def expected(self, state: RivalledState, price: Tensor) -> Tensor:
        return self._at(state).expected(state.process, price)

    def later(self, state: RivalledState, price: Tensor, periods: int) -> Tensor:
        return self._at(state).later(state.process, price, periods)

    def disagreement(self, state: RivalledState, price: Tensor) -> Tensor:
        return self.process.disagreement(state.process, price)

    def sample(self, state: RivalledState, price: Tensor, key: NoiseKey) -> Tensor:
        return self._at(state).sample(state.process, price, key)

    def advance(self, state: RivalledState, period: Period, key: NoiseKey) -> RivalledState:
        rival = period.price / self.reference * (1 - self.undercut)
        return RivalledState(self._at(state).advance(state.process, period, key), rival)

    def shifted(self, state: RivalledState, periods: int) -> RivalledState:
        """The state so many periods later in the calendar."""
        return replace(state, process=super().shifted(state.process, periods))

    def _at(self, state: RivalledState) -> ScaledDemand:
        return ScaledDemand(self.process, state.rival**self.cross)

    def _around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> RivalledDemand:
        return RivalledDemand(process, tensor(self.reference), tensor(self.cross), tensor(self.undercut))
