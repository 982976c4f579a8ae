"""A global LightGBM forecaster of deciles, one step ahead, that is told the price and promotion of the row.

One model a decile over all series (pinball loss), on log sales above the series' level: the form in which
gradient-boosted trees win forecasting contests (M5: Makridakis et al. 2022,
doi:10.1016/j.ijforecast.2021.11.013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mercato.forecasters.evaluation.metrics import DECILES
from mercato.forecasters.features.history import History

from .features import known_before, log_price, log_sales, mean_known, series_names, smoothed
from .trees import grow

_TREES = {"num_leaves": 31, "min_data_in_leaf": 100, "learning_rate": 0.05, "num_iterations": 200}


@dataclass(frozen=True)
class Forecaster:
    """Fitted deciles of the next period's sales."""

    models: tuple[Any, ...]  # a booster a decile
    level: np.ndarray  # (S, I) mean log sales where fitted
    price_level: np.ndarray  # (S, I) mean log price where fitted

    def deciles(self, history: History, periods: np.ndarray) -> np.ndarray:
        """(T', S, I, 9) of ``periods`` (T',), each from what precedes it and its own price and promotion."""
        x = _columns(history, self.level, self.price_level)[periods]
        flat = x.reshape(-1, x.shape[-1])
        logs = np.stack([model.predict(flat, num_threads=1) for model in self.models], axis=-1)
        logs = np.sort(logs, axis=-1).reshape(*x.shape[:-1], -1) + self.level[..., None]
        return np.maximum(np.exp(logs) - 0.5, 0)


def fit_forecaster(history: History, seed: int = 0) -> Forecaster:
    """Fit on the known rows of a history that had stock.

    Raises:
        ImportError: LightGBM is not installed.
    """
    sales = log_sales(history)
    level = mean_known(sales)
    level = np.where(np.isfinite(level), level, mean_known(level, 1))[0]
    price_level = mean_known(log_price(history))[0]
    x = _columns(history, level, price_level)
    rows = np.isfinite(sales) & (history.censored.numpy() == 0)
    rows[0] = False
    y = (sales - level)[rows]
    names = [x.shape[-1] - 2, x.shape[-1] - 1]
    models = [
        grow(x[rows], y, names, {**_TREES, "objective": "quantile", "alpha": decile, "seed": seed})
        for decile in DECILES
    ]
    return Forecaster(tuple(models), level, price_level)


def _columns(history: History, level: np.ndarray, price_level: np.ndarray) -> np.ndarray:
    """(T, S, I, P) what was known before, price against its past and its rivals', promotion, names."""
    price = log_price(history) - price_level
    rivals = (price.sum(2, keepdims=True) - price) / max(1, price.shape[2] - 1)
    promo = history.promo.double().numpy()
    promo_rivals = (promo.sum(2, keepdims=True) - promo) / max(1, promo.shape[2] - 1)
    before = np.concatenate([np.full_like(price[:1], np.nan), price[:-1]])
    now = [price, price + price_level, price - before, price - smoothed(price, 13.0), rivals, price - rivals]
    static = np.broadcast_to(history.static.double().numpy(), (*price.shape, history.static.shape[-1]))
    levels = np.broadcast_to(level, price.shape)
    return np.concatenate(
        [
            known_before(log_sales(history) - level, price, history),
            np.stack([*now, levels], axis=-1),
            promo,
            promo_rivals,
            static,
            series_names(history),
        ],
        axis=-1,
    )
