"""Numbers of arrays with gaps: means of what is known, and running means of what was known before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRAWN = 0.25  # periods' worth of zeros in a running mean


def running(values: np.ndarray, half_life: float, origins: Sequence[int], drawn: float = DRAWN) -> np.ndarray:
    """(O, …) exponentially weighted mean of what was known before each origin, drawn to 0."""
    seen = np.isfinite(values)
    decay = decayed(half_life, origins, len(values))
    total = np.tensordot(decay, np.where(seen, values, 0.0), 1)
    return total / (np.tensordot(decay, seen.astype(float), 1) + drawn)


def weight(values: np.ndarray, half_life: float, origins: Sequence[int]) -> np.ndarray:
    """(O, …) how much was known, 0 … 1."""
    seen = np.isfinite(values).astype(float)
    return np.tensordot(decayed(half_life, origins, len(values)), seen, 1) * (1 - 0.5 ** (1 / half_life))


def decayed(half_life: float, origins: Sequence[int], periods: int) -> np.ndarray:
    """(O, T) weight of each period in what is remembered at each origin; 1 for the one before."""
    age = np.array(origins)[:, None] - 1 - np.arange(periods)
    return np.where(age >= 0, 0.5 ** (age.clip(0) / half_life), 0.0)


def mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean along ``axis``, which is kept, of what is known; NaN where nothing is."""
    seen = np.isfinite(values)
    total, count = np.where(seen, values, 0.0).sum(axis, keepdims=True), seen.sum(axis, keepdims=True)
    return np.where(count > 0, total / count.clip(1), np.nan)


def first_known(values: np.ndarray) -> np.ndarray:
    """(…) the first known one along time; NaN where there is none."""
    return np.take_along_axis(values, np.isfinite(values).argmax(0)[None], axis=0)[0]


def or_else(values: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, otherwise)


def lagged(values: np.ndarray, by: int) -> np.ndarray:
    out = np.full_like(values, np.nan)
    out[by:] = values[:-by]
    return out


def root(square: np.ndarray) -> np.ndarray:
    return np.sqrt(square.clip(0))
