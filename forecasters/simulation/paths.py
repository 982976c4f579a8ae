"""What a learned market's customers would have wanted at the prices that were charged."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..features import History
from ..progress import SILENT, Progress
from ..tensors import NoiseKey
from .demand import Period
from .learned import LearnedDemand

_SERIES_AT_ONCE = 16_384  # bounds the memory of a batch of markets


class Promoted(Protocol):
    """Customers who are told what is promoted each period, (B, S, I, K): a demand process plays without."""

    def reset(self, start: Tensor, key: NoiseKey) -> Any: ...

    def sample(self, state: Any, price: Tensor, key: NoiseKey, promo: Tensor) -> Tensor: ...

    def advance(self, state: Any, period: Period, key: NoiseKey, promo: Tensor) -> Any: ...


@torch.no_grad()
def mean_path(
    demand: LearnedDemand, log_price: Tensor, promo: Tensor, begin: int, count: int, seed: int
) -> Tensor:
    """Mean demand (H, S, I) from ``begin`` on, over ``count`` markets whose paths come in mirrored pairs.

    Args:
        demand: a learned market.
        log_price: (H, S, I) charged.
        promo: (H, S, I, K) run.
        begin: calendar index of the first period.
        count: paths, an even number.
        seed: of their noise.
    """
    path = torch.arange(count, device=log_price.device)
    zero, episode, turned = torch.zeros_like(path), path // 2, path % 2 == 1
    state, out = demand.reset(zero + begin, NoiseKey(seed, zero, episode, zero, turned)), []
    for t in range(len(log_price)):
        key = NoiseKey(seed, zero, episode, zero + t, turned)
        price = log_price[t].exp().expand(count, -1, -1)
        deals = promo[t].expand(count, -1, -1, -1)
        out.append(demand.mean(state, price, deals).mean(0))
        units = demand.sample(state, price, key, deals)
        state = demand.advance(state, Period(price, units, units), key, deals)
    return torch.stack(out)


@torch.no_grad()
def sample_paths(
    demand: Promoted,
    history: History,
    begin: int,
    length: int,
    count: int,
    seed: int,
    progress: Progress = SILENT,
    mirrored: bool = False,
) -> np.ndarray:
    """Sampled demand (count, length, S, I) from ``begin`` on, at the prices and promotions of ``history``.

    Each path goes its own way: nothing of ``history`` is seen from ``begin`` on but prices and promotions.
    ``demand`` is conditioned on what precedes ``begin`` at least. Beyond its end the history's prices begin
    again, while the calendar goes on. ``mirrored`` paths come in pairs, the noise
    of the second that of the first turned around (antithetic variates: Hammersley and Morton 1956,
    doi:10.1017/S0305004100031455): what is good for a whole chain cancels in their mean.
    """
    device = history.units.device
    batches = torch.arange(count, device=device).split(max(1, _SERIES_AT_ONCE // history.units[0].numel()))
    out = []
    with progress.stage("simulate the last periods", total=length * len(batches)) as stage:
        for path in batches:
            zero = torch.zeros_like(path)
            episode, turned = (path // 2, path % 2 == 1) if mirrored else (path, None)
            state = demand.reset(zero + begin, NoiseKey(seed, zero, episode, zero, turned))
            wanted = []
            for t in range(length):
                key = NoiseKey(seed, zero, episode, zero + t, turned)
                row = begin + t % (history.periods - begin)
                price = history.log_price[row].exp().expand(len(path), -1, -1)
                promo = history.promo[row].expand(len(path), -1, -1, -1)
                units = demand.sample(state, price, key, promo)
                state = demand.advance(state, Period(price, units, units), key, promo)
                wanted.append(units)
                stage.advance()
            out.append(torch.stack(wanted, dim=1))
    return torch.cat(out).cpu().numpy()
