"""Events counted between two times, for many customers or items at once."""

from __future__ import annotations

import numpy as np


def counted(
    labels: np.ndarray,
    times: np.ndarray,
    wanted: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """(N,) how many of M events have the ``wanted`` label from ``start`` (included) to ``stop`` (excluded).

    Args:
        labels: (M,) integers, whose event it is.
        times: (M,) datetime64.
        wanted: (N,) labels.
        start: (N,) datetime64; ``stop`` likewise.
        weight: (M,) what an event counts; 1 where None.
    """
    names, known = np.unique(labels, return_inverse=True)
    if not len(names):
        return np.zeros(len(wanted))
    seconds = _seconds(times)
    origin, span = int(seconds.min()), int(seconds.max() - seconds.min()) + 2
    keys = known * span + (seconds - origin)
    order = np.argsort(keys)
    keys, counts = keys[order], np.ones(len(keys)) if weight is None else weight[order]
    total = np.concatenate([[0.0], np.cumsum(counts)])
    at = np.minimum(np.searchsorted(names, wanted), len(names) - 1)

    def until(when: np.ndarray) -> np.ndarray:
        return total[np.searchsorted(keys, at * span + (_seconds(when) - origin).clip(0, span - 1))]

    count: np.ndarray = np.where(names[at] == wanted, until(stop) - until(start), 0.0)
    return count


def _seconds(times: np.ndarray) -> np.ndarray:
    seconds: np.ndarray = times.astype("datetime64[s]").astype(np.int64)
    return seconds
