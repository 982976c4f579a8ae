"""What one price does to its own demand, of any demand process, learned or true."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...forecasters.simulation import DemandProcess

_STEP = 0.02  # of log price, small enough for demand and large enough for single precision


def with_own_price(answer: Callable[[Tensor], Tensor], price: Tensor, own_price: Tensor) -> Tensor:
    """``answer`` to prices (B, S, I) where one item at a time costs ``own_price``, the others ``price``.

    ``answer`` maps prices (B, S, I) to something (B, S, I); of each call the item whose price moved is kept.
    Locations do not compete, so that all of them move at once.
    """
    answers = []
    for item in range(price.shape[-1]):
        moved = price.clone()
        moved[..., item] = own_price[..., item]
        answers.append(answer(moved)[..., item])
    return torch.stack(answers, dim=-1)


@torch.no_grad()
def own_elasticities(demand: DemandProcess, state: Any, price: Tensor) -> Tensor:
    """(B, S, I) ∂log mean demand / ∂log own price at ``price`` (B, S, I), by week; NaN where not listed."""
    up, down = (
        with_own_price(lambda p: demand.expected(state, p), price, price * math.exp(step)).log()
        for step in (_STEP, -_STEP)
    )
    return (up - down) / (2 * _STEP)


@torch.no_grad()
def demand_change(demand: DemandProcess, state: Any, reference: Tensor, multiple: float) -> Tensor:
    """(S, I) log of mean demand with one price at ``multiple`` × ``reference`` over that at ``reference``.

    Args:
        demand: any demand process.
        state: its state of B markets or weeks, over which demand is averaged; none is advanced.
        reference: (S, I) prices of all items but for the one that moves, and of that one before it does.
        multiple: of the reference price, item by item.
    """
    markets = demand.outlook(state).mean.shape[0]
    price = reference.expand(markets, *reference.shape)
    moved = with_own_price(lambda p: demand.expected(state, p), price, price * multiple)
    return moved.mean(0).log() - demand.expected(state, price).mean(0).log()
