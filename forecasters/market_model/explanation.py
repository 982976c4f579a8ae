"""Why a forecast is what it is: what each group of features adds to it.

Shapley values of groups of features, over orders drawn at random and the reverse of each. What is not told is
as in an ordinary period: 0. A group is told of all series at once, since the model looks across.
"""

from __future__ import annotations

import numpy as np
import torch

from ..statistics import Explanation, shapley
from .features import Features
from .network import LEVELS, MarketNetwork
from .observed import Observed

_MIDDLE = len(LEVELS) // 2


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
    """What each group of features adds to the log median of the periods from ``origin`` on, each (H, S, I).

    In log units; ordinary is a period where nothing but the series' level is told.

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
    drawn = [[groups[at] for at in rng.permutation(len(groups))] for _ in range(orders // 2)]
    drawn += [order[::-1] for order in drawn]
    periods = []
    for ahead in range(horizon):
        whole, listed = features.at(origin, ahead), panel.listed[origin + ahead]

        def median(
            told: frozenset[str], whole: np.ndarray = whole, listed: np.ndarray = listed
        ) -> np.ndarray:
            seen = np.where([group in told for group in features.groups], whole, np.float32(0))
            deciles = network(torch.from_numpy(seen)[None], torch.from_numpy(listed)[None])
            return features.level + deciles[0, ..., _MIDDLE].double().numpy()

        periods.append(shapley(median, groups, drawn))
    return Explanation(
        np.stack([one.ordinary for one in periods]),
        {name: np.stack([one.parts[name] for one in periods]) for name in groups},
        np.stack([one.told for one in periods]),
    )
