"""Events counted between two times, for many customers or items at once."""

from __future__ import annotations

import numpy as np


def counted(
    labels: np.ndarray, times: np.ndarray, wanted: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """(N,) how many of M events have the ``wanted`` label from ``start`` (included) to ``stop`` (excluded).

    Args:
        labels: (M,) integers, whose event it is.
        times: (M,) datetime64.
        wanted: (N,) labels.
        start: (N,) datetime64; ``stop`` likewise.
    """
    names, known = np.unique(labels, return_inverse=True)
    if not len(names):
        return np.zeros(len(wanted), dtype=np.int64)
    seconds = _seconds(times)
    origin, span = int(seconds.min()), int(seconds.max() - seconds.min()) + 2
    keys = np.sort(known * span + (seconds - origin))
    at = np.minimum(np.searchsorted(names, wanted), len(names) - 1)

    def until(when: np.ndarray) -> np.ndarray:
        return np.searchsorted(keys, at * span + (_seconds(when) - origin).clip(0, span - 1))

    count: np.ndarray = np.where(names[at] == wanted, until(stop) - until(start), 0)
    return count


def _seconds(times: np.ndarray) -> np.ndarray:
    seconds: np.ndarray = times.astype("datetime64[s]").astype(np.int64)
    return seconds
