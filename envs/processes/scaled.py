"""Customers who come in other numbers than the process they are made of: what a scenario changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...forecasters.simulation import DemandProcess, Outlook, Period
from ...forecasters.tensors import NoiseKey, series_ids
from .wrapped import Wrapped, roundings

ROUNDING_STREAM, _AGAIN_STREAM = 10, 100  # the first time a count is rounded, and again from there on


@dataclass(frozen=True)
class Rounding:
    """Makes a count of a multiple of a count: up or down by a uniform of its own, so that it keeps its mean,
    stays monotone for fixed noise, and a multiple of one changes nothing."""

    ids: Tensor  # (S, I) int64 whose luck it is
    stream: int

    @staticmethod
    def of(process: DemandProcess, device: torch.device) -> Rounding:
        """Of the counts of ``process``, which may have been rounded before."""
        times = roundings(process)
        ids = series_ids(process.locations, process.items).to(device)
        return Rounding(ids, _AGAIN_STREAM + times if times else ROUNDING_STREAM)

    def __call__(self, own: Tensor, moved: Tensor, key: NoiseKey) -> Tensor:
        """``moved`` (B, S, I), made of ``own``, in units; what is weighed is no count and stays as it is."""
        return torch.where(own == own.round(), torch.floor(moved + key.uniform(self.ids, self.stream)), moved)


class ScaledDemand(Wrapped):
    """``process`` with every demand multiplied by ``scale`` >= 0, then ``units`` more; states are shared.

    Both are (S, I), or (B, S, I) for scenarios side by side in one batch; ``units`` may be negative, demand
    is never below 0. What is not sold, at a scale of 0 or where the process expects nothing, has no units
    more either.

    The expected demand is exactly that; sampled demand is made of the process' own count (``Rounding``). The
    process remembers its own customers, not the multiple: a scenario does not feed on itself, and since
    states are shared the scale may differ from period to period. At a scale of 0 an item is not sold; its
    customers are remembered as they would have been.
    """

    def __init__(self, process: DemandProcess, scale: Tensor, units: Tensor | float = 0.0) -> None:
        super().__init__(process)
        self.scale = scale
        self.units = torch.as_tensor(units, dtype=scale.dtype, device=scale.device).expand_as(scale)
        self._more = bool((self.units != 0).any())
        self._rounded = Rounding.of(process, scale.device)

    @property
    def roundings(self) -> int:
        return roundings(self.process) + 1

    def outlook(self, state: Any) -> Outlook:
        outlook = self.process.outlook(state)
        return replace(outlook, mean=self._moved(outlook.mean))

    def expected(self, state: Any, price: Tensor) -> Tensor:
        return self._moved(self.process.expected(state, price))

    def later(self, state: Any, price: Tensor, periods: int) -> Tensor:
        return self._moved(self.process.later(state, price, periods), periods)

    def sample(self, state: Any, price: Tensor, key: NoiseKey) -> Tensor:
        own = self.process.sample(state, price, key)
        sold = self.process.expected(state, price) if self._more else own
        return self._rounded(own, self._moved(own, of=sold), key)

    def advance(self, state: Any, period: Period, key: NoiseKey) -> Any:
        own = self.process.sample(state, period.price, key)
        served = torch.where(period.demand > 0, period.sales / period.demand, 1.0)
        return self.process.advance(state, replace(period, demand=own, sales=own * served), key)

    def _moved(self, demand: Tensor, periods: int = 1, of: Tensor | None = None) -> Tensor:
        """``demand`` as it becomes; with more units where any is expected, as ``of`` says, else itself."""
        if not self._more:
            return demand * self.scale
        sold = ((demand if of is None else of) > 0) & (self.scale > 0)
        return (demand * self.scale + torch.where(sold, periods * self.units, 0.0)).clamp(min=0.0)

    def _around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> ScaledDemand:
        return ScaledDemand(process, tensor(self.scale), tensor(self.units))
