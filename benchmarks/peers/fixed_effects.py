"""Least squares with many fixed effects, absorbed by alternating demeaning, errors clustered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_TOLERANCE, _MOST = 1e-8, 2000


def absorb(columns: np.ndarray, effects: Sequence[np.ndarray]) -> np.ndarray:
    """``columns`` (N, R) with the means of each of ``effects`` (N,) int taken out in turn till none is left.

    The method of alternating projections (Gaure 2013, doi:10.1016/j.csda.2013.03.024). A row that is alone in
    its group is left at zero and so adds nothing.
    """
    groups = [np.unique(effect, return_inverse=True)[1].ravel() for effect in effects]
    counts = [np.bincount(group) for group in groups]
    out = columns.astype(float)
    for _ in range(_MOST):
        before = out
        for group, count in zip(groups, counts, strict=True):
            sums = np.stack([np.bincount(group, weights=column) for column in out.T], axis=1)
            out = out - (sums / count[:, None])[group]
        if np.abs(out - before).max() < _TOLERANCE:
            return out
    raise ArithmeticError(f"fixed effects: expected to settle within {_MOST} rounds of demeaning, did not")
