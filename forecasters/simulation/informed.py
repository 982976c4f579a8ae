"""A learned market whose prices the shop has set, which knew things: for forecasts alone."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from ..features import History
from ..network import chain_news, stabilised
from ..tensors import NoiseKey
from .demand import Period
from .learned import LearnedDemand
from .state import LearnedState


class Informed:
    """The same customers, with what the chain's prices and promotions of a period say of it beside."""

    def __init__(self, demand: LearnedDemand):
        demand = demand.without_anchor()  # which has read those prices
        self.demand = demand
        self._base = stabilised(demand.model.informed)  # played step by step it reads its own demand, too

    @property
    def history(self) -> History:
        return self.demand.history

    @cached_property
    def _news(self) -> Tensor:
        return chain_news(self.history, self.demand.response.pivot)

    def reset(self, start: Tensor, key: NoiseKey) -> LearnedState:
        """Markets about to play period ``start`` (B,)."""
        return self.demand.reset(start, key)

    def sample(
        self, state: LearnedState, price: Tensor, key: NoiseKey, promo: Tensor | None = None
    ) -> Tensor:
        """Demand at ``price`` in a period of the history."""
        model, date = self.demand.model, state.date.clamp(max=self.history.periods - 1)
        ahead = self.history.ahead[date]
        past = state.past.features(None if self.history.assortment is None else self.history.listed[date])
        told = self._base.predict(past, self._base.known(torch.cat([ahead, self._news[date]], dim=-1)))
        state = self.demand.told_more(state, told - model.base.predict(past, model.base.known(ahead)))
        return self.demand.sample(state, price, key, promo)

    def advance(
        self, state: LearnedState, period: Period, key: NoiseKey, promo: Tensor | None = None
    ) -> LearnedState:
        """What the customers remember of a period."""
        return self.demand.advance(state, period, key, promo)
