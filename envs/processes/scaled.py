"""Customers who come in other numbers than the process they are made of: what a scenario changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...forecasters.simulation import DemandProcess, Outlook, Period
from ...forecasters.tensors import Cut, NoiseKey, series_ids

ROUNDING_STREAM = 10


class ScaledDemand:
    """``process`` with every demand multiplied by ``scale`` >= 0, states shared with ``process``.

    ``scale`` is (S, I), or (B, S, I) for scenarios side by side in one batch.

    The expected demand is exactly the multiple; sampled demand is the multiple of the process' own count,
    rounded up or down by a uniform of its own, so that it keeps its mean, stays monotone for fixed noise, and
    a scale of one changes nothing. The process remembers its own customers, not the multiple: a scenario does
    not feed on itself, and since states are shared the scale may differ from period to period. At a scale of
    0 an item is not sold; its customers are remembered as they would have been.
    """

    def __init__(self, process: DemandProcess, scale: Tensor) -> None:
        self.process, self.scale = process, scale
        self.locations, self.items, self.periods = process.locations, process.items, process.periods
        self._ids = series_ids(self.locations, self.items).to(scale.device)

    def reset(self, start: Tensor, key: NoiseKey) -> Any:
        return self.process.reset(start, key)

    def outlook(self, state: Any) -> Outlook:
        outlook = self.process.outlook(state)
        return replace(outlook, mean=outlook.mean * self.scale)

    def expected(self, state: Any, price: Tensor) -> Tensor:
        return self.process.expected(state, price) * self.scale

    def later(self, state: Any, price: Tensor, periods: int) -> Tensor:
        return self.process.later(state, price, periods) * self.scale

    def disagreement(self, state: Any, price: Tensor) -> Tensor:
        return self.process.disagreement(state, price)

    def sample(self, state: Any, price: Tensor, key: NoiseKey) -> Tensor:
        own = self.process.sample(state, price, key)
        scaled = own * self.scale
        rounded = torch.floor(scaled + key.uniform(self._ids, ROUNDING_STREAM))
        return torch.where(own == own.round(), rounded, scaled)  # what is weighed is no count

    def advance(self, state: Any, period: Period, key: NoiseKey) -> Any:
        own = self.process.sample(state, period.price, key)
        served = torch.where(period.demand > 0, period.sales / period.demand, 1.0)
        return self.process.advance(state, replace(period, demand=own, sales=own * served), key)

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> ScaledDemand:
        cut = Cut.of(self.locations, self.items, locations, items, self.scale.device)
        scale = self.scale.index_select(-2, cut.places).index_select(-1, cut.goods)
        return ScaledDemand(self.process.select(locations, items), scale)

    def to(self, device: torch.device | str) -> ScaledDemand:
        return ScaledDemand(self.process.to(device), self.scale.to(device))
