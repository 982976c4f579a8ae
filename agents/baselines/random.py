"""The policy that knows nothing: the floor of every table."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.types import Decision
from ...envs.engine.view import View
from ...forecasters.tensors import NoiseKey, series_ids, stable_id
from ..policy import price_range
from .orders import order_up_to

_PRICE_STREAM, _COVER_STREAM = 16, 17


@dataclass(frozen=True)
class RandomPolicy:
    """Any supported price and any cover up to ``max_cover`` periods of expected demand, anew each period."""

    seed: int = 0
    max_cover: float = 4.0  # periods of expected demand at reference price
    name: str = "random"

    def decide(self, view: View) -> Decision:
        market, state = view.market, view.state
        key = NoiseKey(self.seed, state.slot, state.episode, state.age)
        low, high = price_range(market)
        draw = key.uniform(_unit_ids(view), _PRICE_STREAM)
        price = market.by_group.spread(low + draw * (high - low), -2)
        series = series_ids(market.locations, market.items).to(market.device)
        level = self.max_cover * key.uniform(series, _COVER_STREAM) * view.outlook.mean
        return Decision(price=price, order=order_up_to(level, view))


def _unit_ids(view: View) -> Tensor:
    """(G, I) int64 ids of the decision units, by name."""
    groups, items = view.market.groups, view.market.items
    ids = [[stable_id("group", group, item) for item in items] for group in groups]
    return torch.tensor(ids, dtype=torch.int64, device=view.market.device)
