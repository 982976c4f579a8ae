"""Replay: demand as it was recorded, whatever is charged. For checks against history, not for pricing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.simulation import Outlook, Period
from ...forecasters.tensors import Cut, NoiseKey


@dataclass(frozen=True)
class ReplayState:
    """Where in the recording each market is."""

    index: Tensor  # (B,) int64 calendar index


class Replay:
    """Plays ``units`` (T, S, I) period by period and begins again after the last.

    What is expected of a period is the series' mean over the whole recording; price has no effect.

    Raises:
        InputError: units are not (T, S, I), negative or unknown, or do not fit the names.
    """

    calendar = True

    def __init__(self, units: Tensor, locations: Sequence[str], items: Sequence[str]) -> None:
        expected = ("T", len(locations), len(items))
        if units.dim() != 3 or units.shape[1:] != expected[1:] or not len(units):
            raise InputError(f"replay: expected units of shape {expected}, found {tuple(units.shape)}")
        if not bool((units >= 0).all()):
            raise InputError("replay: expected known units >= 0, found negative or unknown ones")
        self.units, self.locations, self.items = units, tuple(locations), tuple(items)
        self.periods = len(units)
        self._mean = units.mean(0)
        self._spread = units.std(0, correction=0) / self._mean.clamp(min=1e-6)

    def reset(self, start: Tensor, key: NoiseKey) -> ReplayState:
        return ReplayState(start)

    def outlook(self, state: ReplayState) -> Outlook:
        shape = (len(state.index), *self._mean.shape)
        return Outlook(
            self._mean.expand(shape), self._spread.expand(shape), torch.zeros_like(self._mean).expand(shape)
        )

    def expected(self, state: ReplayState, price: Tensor) -> Tensor:
        return self._mean.expand_as(price)

    def later(self, state: ReplayState, price: Tensor, periods: int) -> Tensor:
        return periods * self.expected(state, price)

    def disagreement(self, state: ReplayState, price: Tensor) -> Tensor:
        return torch.zeros_like(price)

    def sample(self, state: ReplayState, price: Tensor, key: NoiseKey) -> Tensor:
        return self.units[state.index % self.periods]

    def advance(self, state: ReplayState, period: Period, key: NoiseKey) -> ReplayState:
        return ReplayState(state.index + 1)

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Replay:
        cut = Cut.of(self.locations, self.items, locations, items, self.units.device)
        return Replay(cut.tensor(self.units, "TSI"), *cut.names(self.locations, self.items))

    def to(self, device: torch.device | str) -> Replay:
        return Replay(self.units.to(device), self.locations, self.items)
