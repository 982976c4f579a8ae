"""Numbers that cannot be meant: found by levels and spreads, said with their rows, never quietly learned.

One row of units far above all others of its series and its item (a total, a typing error) is unknown. One
price far from the others of its series (a case for a piece) is unknown; where such prices are many, or all
prices change by one factor for good, nobody can say which are right, and the table is refused. One value of
another column far beyond all others is unknown, too: by it the whole column would be scaled.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..errors import InputError

_TIMES = 50.0  # what is usual at most, from which on units are a mistake
_MINDED = 4.0  # strength with which customers may answer to a low price
_HIGH = 0.9  # quantile of a series' positive units that counts as usual at most
_ENOUGH = 8  # rows of a series that show what is usual
_AWAY = 20.0  # a price times or over its series' median, from which on it is of another unit
_MANY = 0.05  # share of a series' prices
_FACTOR = 1.8  # by which all prices change at once where a currency does
_SAME, _ABOUT = 0.02, 0.15  # log distance of changes that are one at once, and for good
_HALF, _ALL = 0.5, 0.9  # shares of series: single ones are promoted at the time
_LEAST_SERIES = 4
_BOTH = 4  # periods at either side of a change, that show it to be for good


def without_spikes(units: np.ndarray, price: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units (T, N) with those beyond belief unknown, and which those are.

    A low price, or a week in which the item sells far more elsewhere, too, explains the more.

    Args:
        price: (T, N), NaN where unknown.
        item: (N,) of each series.
    """
    positive = np.where(units > 0, units, np.nan)
    seen = (units > 0).sum(0)
    of_series = _quantile(positive, seen)
    usual = np.zeros(len(item))
    order = np.argsort(item, kind="stable")
    for here in np.split(order, np.flatnonzero(np.diff(item[order])) + 1):
        values = positive[:, here]
        whole = np.nanquantile(values, _HIGH, method="lower") if np.isfinite(values).any() else np.inf
        usual[here] = np.maximum(whole, np.where(seen[here] >= _ENOUGH, of_series[here], whole))
    times = units / np.maximum(usual, 1e-9)
    spikes = times > _TIMES  # of unknown units, none
    for t, series in np.argwhere(spikes):
        others = times[t, item == item[series]]
        elsewhere = np.median(others[~np.isnan(others)]) if (~np.isnan(others)).sum() > 2 else 1.0
        cheap = price[t, series] / np.nanmedian(price[:, series]) if price[t, series] > 0 else 1.0
        spikes[t, series] = times[t, series] > _TIMES * max(1.0, elsewhere) * max(1.0, cheap**-_MINDED)
    return np.where(spikes, np.nan, units), spikes


def _quantile(positive: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N,) of each series; 0 of one that never sold. Never between two values: one may be the spike."""
    out = np.zeros(positive.shape[1])
    if (some := seen > 0).any():
        out[some] = np.nanquantile(positive[:, some], _HIGH, axis=0, method="lower")
    return out


def without_strays(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A column's values (T, N) with those beyond belief unknown, and which those are.

    Beyond belief is what differs from the median of its series by ``_TIMES`` as much as nine in ten of those
    values that differ at all, of the column and of the series. What is left would be kept by another pass.
    """
    left = values
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of series without a value
            away = np.abs(left - np.nanmedian(left, axis=0))
        away = np.where(away > 0, away, np.nan)
        seen = np.isfinite(away).sum(0)
        if seen.sum() < _ENOUGH:
            break
        usual = np.where(seen >= _ENOUGH, _quantile(away, seen), 0.0)
        more = away > _TIMES * np.maximum(np.nanquantile(away, _HIGH, method="lower"), usual)
        if not more.any():
            break
        left = np.where(more, np.nan, left)
    return left, np.isnan(left) & ~np.isnan(values)


def without_slips(price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prices (T, N) with single ones of another unit unknown, and which those are.

    Raises:
        ManySlips: too many of a series' prices are far from its median.
    """
    known = (~np.isnan(price)).sum(0)
    away = np.zeros(price.shape, dtype=bool)
    some = known >= _ENOUGH
    if some.any():
        median = np.nanmedian(price[:, some], axis=0)
        with np.errstate(invalid="ignore"):
            away[:, some] = np.abs(np.log(price[:, some] / median)) > np.log(_AWAY)
    if (many := away.sum(0) > _MANY * known).any():
        raise ManySlips(int(np.argmax(many)))
    return np.where(away, np.nan, price), away


class ManySlips(Exception):
    """A series whose prices are of two units."""

    def __init__(self, series: int) -> None:
        self.series = series


def refuse_new_currency(price: np.ndarray, dates: np.ndarray) -> None:
    """Refuse prices (T, N), filled forward, that all change by one factor for good.

    Raises:
        InputError: from when on, and by how much.
    """
    log = np.log(price)
    jumps = [(t, step) for t, step in enumerate(_common_steps(np.diff(log, axis=0))) if step != 0]
    if len(jumps) != 1:  # a sale of everything begins and ends
        return
    ((t, step),) = jumps
    if min(t + 1, len(log) - t - 1) < _BOTH:
        return
    here = ~np.isnan(log[t + 1] - log[t])
    before, after = (np.nanmedian(part[:, here], axis=0) for part in (log[: t + 1], log[t + 1 :]))
    if (np.abs(after - before - step) < _ABOUT).mean() >= _ALL:
        raise InputError(
            f"price: expected one currency and one unit, found that from {dates[t + 1]} on {here.sum()}"
            f" series cost {np.exp(step):.4g} times what they did; convert all prices to one"
        )


def _common_steps(change: np.ndarray) -> np.ndarray:
    """(T - 1,) the step that most series' log prices take at once, 0 where there is none so large."""
    out = np.zeros(len(change))
    for t in np.flatnonzero((~np.isnan(change)).sum(1) >= _LEAST_SERIES):
        moves = change[t][~np.isnan(change[t])]
        step = float(np.median(moves))
        if abs(step) >= np.log(_FACTOR) and (np.abs(moves - step) < _SAME).mean() >= _HALF:
            out[t] = step
    return out
