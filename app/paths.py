"""What a learned market would have sold at the prices that were charged."""

from __future__ import annotations

import numpy as np
import torch

from ..forecasters.demand import Period
from ..forecasters.learned import LearnedDemand
from ..forecasters.noise import NoiseKey
from ..forecasters.progress import SILENT, Progress

_SERIES_AT_ONCE = 16_384  # bounds the memory of a batch of markets


@torch.no_grad()
def sample_paths(
    demand: LearnedDemand, begin: int, length: int, count: int, seed: int, progress: Progress = SILENT
) -> np.ndarray:
    """Sampled demand (count, length, S, I) from period ``begin`` on, at the history's prices and promotions.

    Each path goes its own way: nothing of the history is seen after ``begin`` but prices and promotions.
    """
    history, device = demand.history, demand.history.units.device
    batches = torch.arange(count, device=device).split(max(1, _SERIES_AT_ONCE // history.units[0].numel()))
    out = []
    with progress.stage("sample the last periods", total=length * len(batches)) as stage:
        for episode in batches:
            zero = torch.zeros_like(episode)
            state = demand.reset(zero + begin, NoiseKey(seed, zero, episode, zero))
            path = []
            for t in range(length):
                key = NoiseKey(seed, zero, episode, zero + t)
                price = history.log_price[begin + t].exp().expand(len(episode), -1, -1)
                promo = history.promo[begin + t].expand(len(episode), -1, -1, -1)
                units = demand.sample(state, price, key, promo)
                state = demand.advance(state, Period(price, units, units), key, promo)
                path.append(units)
                stage.advance()
            out.append(torch.stack(path, dim=1))
    return torch.cat(out).cpu().numpy()
