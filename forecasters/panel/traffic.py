"""How much of a day's demand comes in each of its hours, from daily sales and the hours out of stock."""

from __future__ import annotations

import numpy as np

HOURS = 24
_EVEN = 0.1  # of what is said is an even day: shelves run empty on good days, which hides late hours' traffic
_PRIOR = 10  # rows of an average series that an even day weighs as much as
_PASSES = 1000
_STILL = 1e-4  # sum of changes below which another pass says nothing new
_MOST_ROWS = 200_000  # that are read; whole series


def usual_traffic(
    units: np.ndarray, open_hours: np.ndarray, which: np.ndarray, series: np.ndarray
) -> tuple[float, ...]:
    """Share of a day's demand in each hour (24,), sum 1, 0 in an hour in which nothing ever was in stock.

    Sales of a row are taken as Poisson with mean λ · Σ π_h over the hours h in stock, λ a series' level; both
    by expectation maximisation, which splits a row's sales over its hours in stock by π (Dempster, Laird and
    Rubin 1977) and so never leaves π ≥ 0. π is drawn towards an even day over the hours that ever were in
    stock: by as much as ``_PRIOR`` rows would say, and by ``_EVEN`` however many there are.

    Args:
        units: sales (R,), NaN where unknown.
        open_hours: (M, 24) 1 in stock, 0 out, of the M patterns of a day that there are.
        which: (R,) the pattern of each row.
        series: (R,) a number for each.
    """
    known = units >= 0  # NaN is not
    _, series = np.unique(series, return_inverse=True)
    series = series[known]
    kept = series % max(1, int(np.ceil(len(series) / _MOST_ROWS))) == 0
    sold, which, series = units[known][kept], which[known][kept], series[kept]
    patterns = len(open_hours)
    ever = open_hours[np.bincount(which, minlength=patterns) > 0].any(axis=0)
    even = np.where(ever.any(), ever, True) / max(1, ever.sum() or HOURS)
    traffic, total = even, np.bincount(series, sold)
    for _ in range(_PASSES):
        share = open_hours @ traffic  # (M,) of the day in stock
        level = total / np.maximum(np.bincount(series, share[which]), 1e-9)
        asked = np.bincount(which, level[series], patterns) @ open_hours  # (24,) Σ λ of the rows in stock
        rate = np.divide(np.bincount(which, sold, patterns), share, out=np.zeros(patterns), where=share > 0)
        prior = max(_PRIOR * level.mean(), 1e-9)
        better = (traffic * (rate @ open_hours) + prior * even) / (asked + prior)
        better = np.where(ever, better, 0) if ever.any() else even
        better /= better.sum()
        moved, traffic = np.abs(better - traffic).sum(), better
        if moved < _STILL:
            break
    return tuple(((1 - _EVEN) * traffic + _EVEN * even).tolist())
