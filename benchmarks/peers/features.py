"""What a shop knew of a row before it set the price: columns that every peer reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mercato.forecasters.features.history import History


def lagged(values: np.ndarray, by: int) -> np.ndarray:
    """``values`` (T, …) moved ``by`` periods on, NaN before."""
    out = np.full_like(values, np.nan)
    out[by:] = values[:-by]
    return out


def smoothed(values: np.ndarray, half_life: float) -> np.ndarray:
    """(T, …) exponentially weighted mean of what was known before each period, NaN where nothing was."""
    keep = 0.5 ** (1 / half_life)
    total, weight = np.zeros_like(values[0]), np.zeros_like(values[0])
    out = np.empty_like(values)
    for t, now in enumerate(values):
        out[t] = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 1e-6)
        known = np.isfinite(now)
        total, weight = keep * total + np.where(known, now, 0), keep * weight + known
    return out


def past(
    values: np.ndarray, lags: int, half_lives: Sequence[float] = (4.0, 13.0), wide: bool = True
) -> list[np.ndarray]:
    """Columns (T, S, I) from the past of ``values`` (T, S, I), NaN where unknown.

    The series' own lags and smoothed past; where ``wide``, also the last value and the smoothed past of the
    item in all locations and of the location's items.
    """
    columns = [lagged(values, k) for k in range(1, lags + 1)] + [smoothed(values, h) for h in half_lives]
    for axis in (1, 2) if wide else ():
        common = mean_known(values, axis)
        parts = [lagged(common, 1), *(smoothed(common, h) for h in half_lives)]
        columns += [np.broadcast_to(part, values.shape) for part in parts]
    return columns


def known_before(demand: np.ndarray, price: np.ndarray, history: History) -> np.ndarray:
    """(T, S, I, P) past of log demand, log price and promotions; calendar and exogenous columns.

    Args:
        demand, price: (T, S, I) logs above the series' level, NaN where unknown.
    """
    columns = past(demand, 4) + past(price, 4)
    for promo in np.moveaxis(history.promo.double().numpy(), -1, 0):
        columns += past(promo, 2, (4.0,))
    calendar = history.ahead[: history.periods].double().numpy()
    return np.stack([*columns, *np.moveaxis(calendar, -1, 0)], axis=-1)


def series_names(history: History) -> np.ndarray:
    """(T, S, I, 2) numbers of location and item."""
    periods, places, goods = history.units.shape
    names = np.stack(np.meshgrid(np.arange(places), np.arange(goods), indexing="ij"), axis=-1)
    return np.broadcast_to(names, (periods, places, goods, 2))


def log_price(history: History) -> np.ndarray:
    """(T, S, I)."""
    return history.log_price.double().numpy()


def log_sales(history: History) -> np.ndarray:
    """(T, S, I) log of units and a half, NaN where unknown."""
    return np.where(history.known.numpy(), np.log(history.units.double().numpy() + 0.5), np.nan)


def mean_known(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean along ``axis``, which is kept, of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis, keepdims=True)
    total = np.where(known, values, 0).sum(axis, keepdims=True)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
