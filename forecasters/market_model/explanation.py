"""Why a forecast is what it is: what each group of features adds to it.

Shapley values of groups of features (Shapley 1953; Štrumbelj and Kononenko 2014,
doi:10.1007/s10115-013-0679-x, section 3), sampled over orders in which groups are told to the model, each
order and its reverse. What is not told is as in an ordinary period: 0. A group is told of all series at once,
since the model looks across.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .features import Features
from .network import LEVELS, MarketNetwork
from .observed import Observed

_MIDDLE = len(LEVELS) // 2


@dataclass(frozen=True)
class Explanation:
    """Log units of medians: ``told`` = ``ordinary`` + the sum of ``parts``, exactly."""

    ordinary: np.ndarray  # (H, …) of series, where nothing but the series' level is told
    parts: dict[str, np.ndarray]  # by group, (H, …)
    told: np.ndarray  # (H, …) where all is


@torch.no_grad()
def explain(
    network: MarketNetwork,
    panel: Observed,
    features: Features,
    origin: int,
    horizon: int,
    orders: int = 8,
    seed: int = 0,
) -> Explanation:
    """What each group of features adds to the log median of the periods from ``origin`` on.

    Args:
        network: who forecasts.
        panel: T periods.
        features: of the panel, with ``origin`` among its origins.
        origin: the first period that is not known.
        horizon: periods to explain.
        orders: that groups are told in, half of them the reverse of the others; an even number.
        seed: of the orders.
    """
    groups, rng = list(dict.fromkeys(features.groups)), np.random.default_rng(seed)
    of_group = {name: np.array([group == name for group in features.groups]) for name in groups}
    drawn = [rng.permutation(len(groups)) for _ in range(orders // 2)]
    drawn += [order[::-1] for order in drawn]
    periods = []
    for ahead in range(horizon):
        whole, listed = features.at(origin, ahead), panel.listed[origin + ahead]

        def median(told: np.ndarray, listed: np.ndarray = listed) -> np.ndarray:
            deciles = network(torch.from_numpy(told)[None], torch.from_numpy(listed)[None])
            return deciles[0, ..., _MIDDLE].double().numpy()

        nothing, everything = median(np.zeros_like(whole)), median(whole)
        added = {name: np.zeros(features.level.shape) for name in groups}
        for order in drawn:
            told, before = np.zeros_like(whole), nothing
            for place, number in enumerate(order):
                name = groups[number]
                told[..., of_group[name]] = whole[..., of_group[name]]
                now = everything if place == len(groups) - 1 else median(told)
                added[name] += (now - before) / len(drawn)
                before = now
        periods.append((nothing + features.level, added, everything + features.level))
    ordinary, parts, told_all = zip(*periods, strict=True)
    return Explanation(
        np.stack(ordinary),
        {name: np.stack([part[name] for part in parts]) for name in groups},
        np.stack(told_all),
    )
