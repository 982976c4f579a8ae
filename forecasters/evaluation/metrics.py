"""Scores of probabilistic forecasts, pooled over rows so that busy series weigh more."""

from __future__ import annotations

import numpy as np

DECILES = tuple(round(0.1 * k, 1) for k in range(1, 10))


def scores(actual: np.ndarray, quantiles: np.ndarray) -> dict[str, float]:
    """Scores of N rows.

    Args:
        actual: (N,) units sold.
        quantiles: (N, 9) forecast deciles 0.1 … 0.9.

    Returns:
        ``wape`` Σ|y − median| / Σy; ``wpe`` Σ(median − y) / Σy; ``wql`` mean over the deciles of
        2·Σ pinball / Σy; ``coverage80`` share of rows within the 10% and 90% deciles; ``rows``. NaN without
        sales.
    """
    total = float(actual.sum())
    if total <= 0:
        return {"wape": np.nan, "wpe": np.nan, "wql": np.nan, "coverage80": np.nan, "rows": len(actual)}
    levels = np.array(DECILES)
    miss = actual[:, None] - quantiles
    pinball = np.maximum(levels * miss, (levels - 1) * miss).sum(0)
    inside = (actual >= quantiles[:, 0]) & (actual <= quantiles[:, -1])
    return {
        "wape": float(np.abs(miss[:, 4]).sum() / total),
        "wpe": float(-miss[:, 4].sum() / total),
        "wql": float((2 * pinball / total).mean()),
        "coverage80": float(inside.mean()),
        "rows": len(actual),
    }
