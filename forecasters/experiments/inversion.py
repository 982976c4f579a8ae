"""Intervals by inverting a randomisation test that is linear in what is asked."""

from __future__ import annotations

import numpy as np

_GRID, _FAR = 400, 12.0  # values in one direction that the test is asked, and how many errors away


def reach(noise: np.ndarray, moved: np.ndarray, here: float, error: float, level: float) -> float:
    """How far from the estimate, in one direction, a value is not excluded; infinite where none is.

    At a distance d the statistic of the draw that was made is d·here, those of other draws are
    noise − d·moved; the value is excluded where at most 1 − level of all draws are as far from 0.

    Args:
        noise: (R,) statistics of other draws at the estimate, where that of the draw made is 0.
        moved: (R,) by how much one more of the value, in this direction, lowers them.
        here: by how much it moves that of the draw that was made, above 0.
        error: standard error of the estimate.
        level: of the interval.
    """
    for distance in np.linspace(0, _FAR * error, _GRID + 1)[1:]:
        as_far = np.abs(noise - distance * moved) >= distance * here
        if (1 + as_far.sum()) / (1 + len(noise)) <= 1 - level:
            return float(distance)
    return float("inf")
