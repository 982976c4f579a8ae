"""The myopic price of an ordinary period, held: it needs no tuning, and next to nothing to play."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.view import View
from ...envs.market import Market
from ...forecasters.tensors import NoiseKey
from .myopic import best_price

_DATES = 26  # of the history, evenly spread, whose mean is ordinary


@dataclass(frozen=True)
class HeldMyopic:
    """Maximises the expected profit (p - c) · E[demand | p], on average over the dates that an episode may
    begin on, jointly over the items of a location, within the supported range. Stock plays no part.

    It is worked out once for each market.
    """

    iterations: int = 15

    def price(self, view: View) -> Tensor:
        return _once(view.market, self.iterations).expand_as(view.state.on_hand)


_FOUND: dict[tuple[int, int], Tensor] = {}  # by a market's identity, as long as it lives


def _once(market: Market, iterations: int) -> Tensor:
    key = (id(market), iterations)
    if key not in _FOUND:
        _FOUND[key] = _best(market, iterations)
        weakref.finalize(market, _FOUND.pop, key)
    return _FOUND[key]


def _best(market: Market, iterations: int) -> Tensor:
    """(S, I) prices."""
    starts = market.starts(1)
    dates = torch.linspace(starts[0], starts[-1], _DATES, device=market.device).round().long()
    nothing = torch.zeros_like(dates)
    state = market.demand.reset(dates, NoiseKey(0, nothing, nothing, nothing))
    cost, usual = market.terms.unit_cost, market.terms.reference_price.unsqueeze(0)

    def profit(price: Tensor) -> Tensor:
        expected = market.demand.expected(state, price.expand(_DATES, -1, -1))
        return ((price - cost) * expected).mean(0, keepdim=True)

    return best_price(profit, market, [usual], iterations=iterations)[0]
