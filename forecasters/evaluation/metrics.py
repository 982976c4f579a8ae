"""Scores of probabilistic forecasts, pooled over rows so that busy series weigh more."""

from __future__ import annotations

import numpy as np

DECILES = tuple(round(0.1 * k, 1) for k in range(1, 10))


def scores(actual: np.ndarray, quantiles: np.ndarray, grain: np.ndarray | float = 1.0) -> dict[str, float]:
    """Scores of N rows.

    Args:
        actual: (N,) units sold.
        quantiles: (N, 9) forecast deciles 0.1 … 0.9.
        grain: (N,) units that one count stands for; 1 where all are whole.

    Returns:
        ``wape`` Σ|y − median| / Σy; ``wpe`` Σ(median − y) / Σy; ``wql`` mean over the deciles of
        2·Σ pinball / Σy; ``coverage80`` share of rows within the 10% and 90% deciles; ``pit_distance`` of the
        rows from what their forecasts say; ``rows``. NaN without sales.

    Of counts, coverage and PIT are those of the randomised PIT (Czado et al. 2009,
    doi:10.1111/j.1541-0420.2009.01191.x), in expectation: a row without sales is neither in nor out of an
    interval that ends at 0.3 units.
    """
    total = float(actual.sum())
    if total <= 0:
        unknown = dict.fromkeys(("wape", "wpe", "wql", "coverage80", "pit_distance"), np.nan)
        return {**unknown, "rows": len(actual)}
    levels = np.array(DECILES)
    miss = actual[:, None] - quantiles
    pinball = np.maximum(levels * miss, (levels - 1) * miss).sum(0)
    passed = _passed(actual, quantiles, grain)
    return {
        "wape": float(np.abs(miss[:, 4]).sum() / total),
        "wpe": float(-miss[:, 4].sum() / total),
        "wql": float((2 * pinball / total).mean()),
        "coverage80": float(passed[-1] - passed[0]),
        "pit_distance": float(np.abs(passed - levels).max()),
        "rows": len(actual),
    }


def _passed(actual: np.ndarray, deciles: np.ndarray, grain: np.ndarray | float) -> np.ndarray:
    """(9,) share of N rows whose randomised PIT is below each decile level, in expectation."""
    below, at = (cdf_of_deciles(deciles, actual + side * grain) for side in (-0.5, 0.5))
    width = np.maximum(at - below, 1e-12)[:, None]
    return np.clip((np.array(DECILES) - below[:, None]) / width, 0.0, 1.0).mean(0)


def cdf_of_deciles(deciles: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Distribution functions known by their deciles, linear between them.

    The first and the last tenth are as long as the four between it and the median, from 0 on at least.

    Args:
        deciles: (N, 9), rising.
        at: (N,) where they are asked for; between counts, half a unit below or above one.
    """
    low, middle, high = deciles[:, :1], deciles[:, 4:5], deciles[:, -1:]
    first = np.minimum(np.maximum(2 * low - middle, -0.5), low)
    knots = np.concatenate([first, deciles, 2 * high - middle], axis=1)  # (N, 11)
    levels = np.linspace(0, 1, 11)
    passed = (knots <= at[:, None]).sum(1)
    left, right = np.clip(passed - 1, 0, 10), np.clip(passed, 0, 10)
    row = np.arange(len(at))
    gap = knots[row, right] - knots[row, left]
    share = np.where(gap > 0, (at - knots[row, left]) / np.where(gap > 0, gap, 1.0), 0.0)
    return np.where(passed == 0, 0.0, levels[left] + share.clip(0, 1) * (levels[right] - levels[left]))
