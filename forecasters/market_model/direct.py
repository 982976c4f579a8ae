"""Direct regressions of a panel's own past on the market model's columns: linear, and by boosted trees.

One regression, of all series and horizons together, says where log demand above its level will lie; another
how far off it will be. The shape of the errors between is as it was in the last periods, which the first
regression had not seen then (location and scale: Koenker and Zhao 1994, doi:10.1080/10485259408832595).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from ..errors import InputError
from .features import Features
from .lesson import lesson
from .network import LEVELS
from .observed import Observed

Predict = Callable[[np.ndarray], np.ndarray]
"""Columns (N, F) → (N,)."""

_ROWS = 150_000  # that are learned from, at most
_KEPT_BACK = 0.2  # of the rows, the last ones
_NARROW, _WIDE = 0.5, 2.0  # times the mean error: bounds of an expected one
_NAMES = 2  # last columns, the numbers of location and item


class Regression(Protocol):
    """A way to regress values (N,) on columns (N, F) with weights (N,)."""

    def fit(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Predict: ...

    def chosen(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray, late: np.ndarray) -> Regression:
        """The same with the size that predicts the rows ``late`` (N,) bool best from the others."""
        ...


@dataclass(frozen=True)
class Linear:
    """Ridge regression on standardised columns."""

    penalty: float = 1e-2  # as a share of the rows

    def fit(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Predict:
        x, share = x[:, :-_NAMES].astype(float), weight / weight.sum()
        centre, middle = share @ x, float(share @ y)
        spread = np.sqrt(share @ (x - centre) ** 2).clip(1e-6)
        z = (x - centre) / spread
        gram = (z * share[:, None]).T @ z + self.penalty * np.eye(z.shape[1])
        slope = np.linalg.solve(gram, z.T @ (share * (y - middle))) / spread

        def predict(columns: np.ndarray) -> np.ndarray:
            return middle + (columns[:, :-_NAMES] - centre) @ slope

        return predict

    def chosen(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray, late: np.ndarray) -> Linear:
        def lost(penalty: float) -> float:
            predict = Linear(penalty).fit(x[~late], y[~late], weight[~late])
            return float(weight[late] @ np.abs(y[late] - predict(x[late])))

        return Linear(min((1e-3, 1e-2, 1e-1, 1.0), key=lost))


@dataclass(frozen=True)
class Trees:
    """Gradient-boosted trees, by LightGBM (extra ``trees``), one thread, the same from the same rows."""

    count: int = 300
    leaves: int = 31
    least_rows: int = 100

    def fit(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Predict:
        return self._grown(x, y, weight).predict

    def chosen(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray, late: np.ndarray) -> Trees:
        best, least = self, np.inf
        for leaves, rows in ((15, 400), (31, 100)):
            size = replace(self, leaves=leaves, least_rows=rows)
            grown = size._grown(x[~late], y[~late], weight[~late])
            for count in range(50, self.count + 1, 50):
                told = grown.predict(x[late], num_iteration=count)
                lost = float(weight[late] @ np.abs(y[late] - told))
                if lost < least:
                    best, least = replace(size, count=count), lost
        return best

    @staticmethod
    def at_hand() -> bool:
        """Whether LightGBM is installed."""
        return find_spec("lightgbm") is not None

    def _grown(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray):
        import lightgbm

        names = list(range(x.shape[1] - _NAMES, x.shape[1]))
        rows = lightgbm.Dataset(x, y, weight=weight, categorical_feature=names)
        settings = {
            "objective": "regression",
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.least_rows,
            "learning_rate": 0.06,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "num_threads": 1,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }
        return lightgbm.train(settings, rows, num_boost_round=self.count)


@dataclass(frozen=True)
class DirectModel:
    """A fitted regression of where log demand above its level lies, and of how far off that is."""

    place: Predict
    size: Predict
    least: float  # bounds of the size
    most: float
    shape: np.ndarray  # (9,) deciles of errors in units of their expected size

    def log_deciles(self, features: Features, origin: int, horizon: int) -> np.ndarray:
        """(H, S, I, 9) deciles of log demand in the ``horizon`` periods from ``origin`` on."""
        columns = np.stack([_named(features.at(origin, ahead)) for ahead in range(horizon)])
        rows = columns.reshape(-1, columns.shape[-1])
        told = self.place(rows)[:, None] + self.spread(rows)[:, None] * self.shape
        return told.reshape(*columns.shape[:3], -1) + features.level[..., None]

    def spread(self, rows: np.ndarray) -> np.ndarray:
        """(N,) expected size of an error."""
        return np.clip(self.size(rows), self.least, self.most)


def learn_direct(
    panel: Observed,
    features: Features,
    origins: Sequence[int],
    fitted: int,
    horizon: int,
    regression: Regression,
    seed: int = 0,
) -> DirectModel:
    """A regression on what came in the first ``fitted`` periods of a panel, up to ``horizon`` ahead.

    Args:
        panel: T periods.
        features: of the panel, for forecasts from ``origins`` on.
        origins: that forecasts to learn from begin at.
        fitted: periods that are learned from.
        horizon: periods ahead that will be asked for, at most.
        regression: how.
        seed: of the rows drawn, where there are many.

    Raises:
        InputError: there is nothing to learn from, or a library is missing.
    """
    x, y, weight, when = _rows(panel, features, origins, fitted, horizon, np.random.default_rng(seed))
    if len(y) < 5:
        raise InputError(f"expected rows with sales to learn a forecast from, found {len(y)}")
    late = when > np.quantile(when, 1 - _KEPT_BACK, method="lower")
    if not late.any():
        late = when == when.max()
    if late.all():
        late = np.arange(len(y)) % 5 == 0
    regression = regression.chosen(x, y, weight, late)
    missed = y[late] - regression.fit(x[~late], y[~late], weight[~late])(x[late])
    size = Linear(1.0).fit(x[late], np.abs(missed), weight[late])
    usual = float(np.average(np.abs(missed), weights=weight[late]).clip(1e-3))
    out = DirectModel(regression.fit(x, y, weight), size, _NARROW * usual, _WIDE * usual, np.zeros(9))
    return replace(out, shape=_quantiles(missed / out.spread(x[late]), weight[late]))


def _rows(
    panel: Observed,
    features: Features,
    origins: Sequence[int],
    fitted: int,
    horizon: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Columns (N, F), log demand above its level (N,), weights (N,), periods (N,) of rows that are drawn."""
    pairs = [(o, ahead) for o in origins for ahead in range(min(horizon, fitted - o))]
    share = min(1.0, _ROWS / max(1, len(pairs) * features.level.size))
    found = []
    for origin, ahead in pairs:
        one = lesson(panel, features, [(origin, ahead)])
        keep = one.counts[0].numpy() & (rng.random(features.level.shape) < share)
        weight = np.exp(0.5 * features.level[keep])
        when = np.full(len(weight), origin + ahead)
        found.append((_named(one.features[0].numpy())[keep], one.value[0].numpy()[keep], weight, when))
    x, y, weight, when = (np.concatenate(part) for part in zip(*found, strict=True))
    return x, y.astype(float), weight, when


def _named(columns: np.ndarray) -> np.ndarray:
    """Columns (S, I, F) and the numbers of location and item."""
    places, goods = columns.shape[:2]
    numbers = np.stack(np.meshgrid(np.arange(places), np.arange(goods), indexing="ij"), axis=-1)
    return np.concatenate([columns, numbers], axis=-1).astype(np.float32)


def _quantiles(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(9,) weighted deciles."""
    order = np.argsort(values)
    share = np.cumsum(weight[order]) - 0.5 * weight[order]
    return np.interp(LEVELS.numpy(), share / weight.sum(), values[order])
