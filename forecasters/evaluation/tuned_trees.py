"""LightGBM for every horizon at once: deciles on the same columns that the market model reads.

One model a decile over all series, origins and horizons (pinball loss), on log sales above the series' level,
with the names of location and item. Sizes are chosen by the windows before the first one that is scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..market_model import Features, Observed, build_features
from .metrics import DECILES, scores

_SIZES: tuple[dict[str, Any], ...] = (
    {"num_leaves": 15, "min_data_in_leaf": 400, "learning_rate": 0.06, "num_iterations": 200},
    {"num_leaves": 31, "min_data_in_leaf": 100, "learning_rate": 0.06, "num_iterations": 250},
    {"num_leaves": 63, "min_data_in_leaf": 50, "learning_rate": 0.05, "num_iterations": 400},
)
_COMMON = {
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}
_SAMPLED = 0.5  # of the columns a tree sees: there are many
_ROWS = 250_000  # that are learned from, at most
_SOME = (0.1, 0.5, 0.9)  # deciles that sizes are compared by
_LEAST = 8  # periods that precede a forecast, at least


def tuned_deciles(panel: Observed, origins: list[int], horizon: int, seed: int = 0) -> np.ndarray:
    """(H·K, S, I, 9) forecasts from each origin on, learned from what precedes the first.

    Raises:
        ImportError: LightGBM is not installed.
    """
    first, last = origins[0], origins[0] - horizon
    kept_back = panel.scored[last:first]
    tried = []
    for size in _SIZES:
        told = _fitted(panel, last, [last], horizon, size, _SOME, seed)
        every = np.interp(DECILES, _SOME, np.arange(3))
        between = np.stack([_at(told, place) for place in every], axis=-1)
        tried.append(scores(panel.units[last:first][kept_back], between[kept_back])["wql"])
    return _fitted(panel, first, origins, horizon, _SIZES[int(np.argmin(tried))], DECILES, seed)


def _at(told: np.ndarray, place: float) -> np.ndarray:
    """A level between those of ``told`` (…, Q), on a straight line."""
    low = min(int(place), told.shape[-1] - 2)
    return told[..., low] + (place - low) * (told[..., low + 1] - told[..., low])


def _fitted(
    panel: Observed,
    fitted: int,
    origins: list[int],
    horizon: int,
    size: dict[str, Any],
    levels: tuple[float, ...],
    seed: int,
) -> np.ndarray:
    """(H·K, S, I, Q) quantiles, learned from the first ``fitted`` periods."""
    import lightgbm

    learn_at = list(range(max(_LEAST, fitted // 5), fitted))
    features = build_features(panel, fitted, sorted({*learn_at, *origins}))
    rng = np.random.default_rng(seed)
    x, y = _rows(panel, features, learn_at, fitted, horizon)
    keep = rng.permutation(len(x))[:_ROWS]
    names = [x.shape[1] - 2, x.shape[1] - 1]
    asked = [(origin, ahead) for origin in origins for ahead in range(horizon)]
    to_tell = np.stack([_named(features.at(*pair)) for pair in asked])
    told = []
    for level in levels:
        how = {**size, "objective": "quantile", "alpha": level, "seed": seed, "feature_fraction": _SAMPLED}
        rows = lightgbm.Dataset(x[keep], y[keep], categorical_feature=names)
        booster = lightgbm.train({**_COMMON, **how}, rows)
        told.append(booster.predict(to_tell.reshape(-1, x.shape[1]), num_threads=1))
    logs = np.sort(np.stack(told, axis=-1), axis=-1).reshape(*to_tell.shape[:3], -1)
    above = logs + features.level[..., None]
    return np.maximum(np.exp(above) - 0.5 * panel.grain[:, None], 0)


def _rows(
    panel: Observed, features: Features, origins: list[int], fitted: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Columns (N, F) and log demand above its level (N,) of what came after each origin."""
    x, y = [], []
    for origin in origins:
        for ahead in range(min(horizon, fitted - origin)):
            scored = panel.scored[origin + ahead]
            x.append(_named(features.at(origin, ahead))[scored])
            above = np.log(panel.units[origin + ahead] + 0.5 * panel.grain) - features.level
            y.append(above[scored])
    return np.concatenate(x), np.concatenate(y)


def _named(columns: np.ndarray) -> np.ndarray:
    """Columns (S, I, F) and the numbers of location and item."""
    places, goods = columns.shape[:2]
    numbers = np.stack(np.meshgrid(np.arange(places), np.arange(goods), indexing="ij"), axis=-1)
    return np.concatenate([columns, numbers], axis=-1)
