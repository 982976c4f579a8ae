"""Simulated against real history: whether the learned market behaves like the real one at the same prices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from ...forecasters.panel.sales_panel import SalesPanel
from ...forecasters.progress import SILENT, Progress
from ...forecasters.simulation import LearnedDemand, sample_paths

_LENGTH = 26  # periods that a simulated market goes its own way, at most
_PATHS = (4, 16)  # sampled histories: at least, at most
_WORK = 4_000_000  # steps of a series that all of them together should take
_INSIDE = (0.1, 0.9)  # quantiles of the paths between which 80% of them lie


def against_history(
    demand: LearnedDemand, panel: SalesPanel, first: int, seed: int, progress: Progress = SILENT
) -> dict[str, Any]:
    """Sampled histories at the prices and promotions that were charged, beside the real one.

    The history from calendar index ``first`` on is cut into stretches of at most 26 periods; every sampled
    history starts each of them from real sales and then goes its own way. Only observed rows count; where
    stock ran out, the estimate of what customers wanted stands for the sales. The model has seen these
    periods: this asks whether the market behaves like the real one, not how well it forecasts.
    """
    history = demand.history
    stretches = _stretches(first, panel.periods)
    known = history.known[first:].cpu().numpy()
    count = int(np.clip(_WORK // max(known.size, 1), *_PATHS))
    parts = []
    with progress.stage("simulate the history", len(stretches)) as stage:
        for number, (begin, end) in enumerate(stretches):
            parts.append(sample_paths(demand, history, begin, end - begin, count, seed + number))
            stage.advance()
    paths = np.where(known, np.concatenate(parts, axis=1), np.nan)  # (paths, T', S, I)
    real = np.where(known, history.demand[first:].cpu().numpy(), np.nan)
    restart = np.concatenate([np.arange(end - begin) == 0 for begin, end in stretches])
    out = (history.censored[first:].cpu().numpy() > 0) & known
    return {
        "from": str(panel.dates[first]),
        "to": str(panel.dates[-1]),
        "paths": count,
        "stretch": max(end - begin for begin, end in stretches),
        "stocked_out": float(out.sum() / max(known.sum(), 1)),
        "measures": list(_compared(real, paths, restart)),
        "by_location": [
            {"location": name, **_means(real[:, s], paths[:, :, s], restart)}
            for s, name in enumerate(demand.locations)
        ],
        "by_item": [
            {"item": name, **_means(real[:, :, i], paths[:, :, :, i], restart)}
            for i, name in enumerate(demand.items)
        ],
        "stretches": [
            {
                "from": str(panel.dates[begin]),
                "to": str(panel.dates[end - 1]),
                "real": float(np.nansum(real[begin - first : end - first])),
                "simulated": float(np.nansum(paths[:, begin - first : end - first]) / count),
            }
            for begin, end in stretches
        ],
        "totals": list(_totals(panel.dates[first:], real, paths, restart)),
    }


def moments(units: np.ndarray, restart: np.ndarray) -> dict[str, float]:
    """Moments of units (T, N), NaN where not compared; NaN for a moment that does not exist.

    Args:
        units: of N series over T periods.
        restart: (T,) whether a period does not follow upon the one before it.

    Returns:
        ``mean`` of all rows; ``variance`` over time, mean of the series; ``zero_share`` of all rows;
        ``autocorrelation`` at one period and ``correlation`` between two series, both pooled over series
        that vary, each standardised by its own mean and deviation.
    """
    seen = np.isfinite(units)
    standard, moving, variance = _standardised(units)
    follows = ~restart[1:, None]
    return {
        "mean": _ratio(units[seen].sum(), seen.sum()),
        "variance": _ratio(variance.sum(), seen.any(axis=0).sum()),
        "zero_share": _ratio((units[seen] == 0).sum(), seen.sum()),
        "autocorrelation": _ratio(
            (standard[1:] * standard[:-1] * follows).sum(), (moving[1:] & moving[:-1] & follows).sum()
        ),
        "correlation": _correlation(standard, moving, 1),
    }


def _of_all(units: np.ndarray, restart: np.ndarray) -> dict[str, float]:
    """Moments of units (T, S, I), and how far the locations of an item, the items of a location, go along."""
    standard, moving, _ = _standardised(units)
    return {
        **moments(units.reshape(len(units), -1), restart),
        "correlation_locations": _correlation(standard, moving, 1),
        "correlation_items": _correlation(standard, moving, 2),
    }


def _standardised(units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units (T, …) less their mean over their deviation, else 0; where there is one; the variance (…)."""
    seen = np.isfinite(units)
    counts = np.maximum(seen.sum(axis=0), 1)
    filled = np.where(seen, units, 0.0)
    centred = np.where(seen, filled - filled.sum(axis=0) / counts, 0.0)
    variance = np.square(centred).sum(axis=0) / counts
    moving = variance > 0
    return centred / np.sqrt(np.where(moving, variance, 1.0)), seen & moving, variance


def _correlation(standard: np.ndarray, moving: np.ndarray, axis: int) -> float:
    """Mean correlation of the pairs along an axis, from sums: (Σ z)² − Σ z² is twice the products' sum."""
    products = np.square(standard.sum(axis=axis)) - np.square(standard).sum(axis=axis)
    count = moving.sum(axis=axis)
    return _ratio(products.sum(), (count * (count - 1)).sum())


def _ratio(total: float, count: float) -> float:
    return float(total / count) if count > 0 else float("nan")


def _stretches(first: int, periods: int) -> list[tuple[int, int]]:
    """(begin, end) of equal stretches of at most 26 periods that cover ``first`` … ``periods``."""
    number = -(-(periods - first) // _LENGTH)
    return list(pairwise(np.linspace(first, periods, number + 1).round().astype(int).tolist()))


def _compared(real: np.ndarray, paths: np.ndarray, restart: np.ndarray) -> Iterator[dict[str, Any]]:
    told = [_of_all(path, restart) for path in paths]
    for name, value in _of_all(real, restart).items():
        simulated = np.array([one[name] for one in told])
        lo, hi = np.quantile(simulated, _INSIDE)
        yield {
            "measure": name,
            "real": value,
            "simulated": float(simulated.mean()),
            "lo": float(lo),
            "hi": float(hi),
        }


def _means(real: np.ndarray, paths: np.ndarray, restart: np.ndarray) -> dict[str, dict[str, float]]:
    """Moments of one location's or item's series (T, N), real and mean of the paths."""
    told = [moments(path, restart) for path in paths]
    return {
        "real": moments(real, restart),
        "simulated": {name: float(np.mean([one[name] for one in told])) for name in told[0]},
    }


def _totals(
    dates: np.ndarray, real: np.ndarray, paths: np.ndarray, restart: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Units of all observed series together, by period."""
    sums = np.nansum(paths, axis=(2, 3))
    lo, hi = np.quantile(sums, _INSIDE, axis=0)
    for t, units in enumerate(np.nansum(real, axis=(1, 2))):
        yield {
            "date": str(dates[t]),
            "real": float(units),
            "simulated": float(sums[:, t].mean()),
            "lo": float(lo[t]),
            "hi": float(hi[t]),
            "restart": bool(restart[t]),
        }
