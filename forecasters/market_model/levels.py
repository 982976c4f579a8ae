"""How large every series ordinarily is, seen or not, and rows that are out of all bounds."""

from __future__ import annotations

import numpy as np

from .running import mean, or_else

_FEW = 0.5  # seen items' worth of belief that a location is like the others
_PENALTIES = np.geomspace(0.1, 1000, 13)
_FAR = 6.0  # median absolute deviations, beyond which a row is cut
_LEAST = 0.5  # of such a deviation: most rows of a slow series are alike


def levels(log_demand: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """(S, I) mean over time of log demand (T, S, I), or a guess where nothing was seen.

    A series that was not seen has the level of its item, and what its location is above or below others: by
    the location's other items, or by its attributes (S, A) where it has none. An item that was not seen has
    the mean level.
    """
    own = mean(log_demand, 0)[0]
    of_item = mean(own, 0)
    of_item = np.nan_to_num(or_else(of_item, mean(of_item, 1)))
    away = own - of_item
    seen = np.isfinite(away)
    found = mean(away, 1)[:, 0]
    told = _told(found, attributes)
    share = seen.sum(1) / (seen.sum(1) + _FEW)
    of_place = told + share * (np.nan_to_num(found) - told)
    return or_else(own, of_item + of_place[:, None])


def _told(found: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """(S) a ridge regression of what was found, NaN where nothing was, on attributes.

    Its penalty has the least generalised cross-validation error (Golub, Heath, Wahba 1979, Technometrics 21).
    """
    seen = np.isfinite(found)
    if attributes.shape[1] == 0 or seen.sum() < 3:
        return np.zeros(len(found))
    centre = attributes[seen].mean(0)
    x, y = attributes[seen] - centre, found[seen] - found[seen].mean()
    left, size, right = np.linalg.svd(x, full_matrices=False)
    along, best = left.T @ y, (float((y**2).mean()), np.zeros(x.shape[1]))
    for penalty in _PENALTIES:
        kept = size**2 / (size**2 + penalty)
        missed = y - left @ (kept * along)
        free = 1 - (kept.sum() + 1) / len(y)
        if free > 0 and float((missed**2).mean()) / free**2 < best[0]:
            weights = right.T @ (size / (size**2 + penalty) * along)
            best = float((missed**2).mean()) / free**2, weights
    return found[seen].mean() + (attributes - centre) @ best[1]


def tamed(demand: np.ndarray, expected: np.ndarray, fitted: int) -> np.ndarray:
    """Demand (T, S, I) with rows far from what was expected of them (T, S, I) brought nearer.

    What a promotion or a price explains is expected, and stays. Bounds are of the first ``fitted`` periods:
    so many median absolute deviations of the row's item, which a few wrong rows do not move.
    """
    missed = demand - expected
    wide = np.where(np.isfinite(missed[:fitted]), np.abs(missed[:fitted]), np.nan).reshape(
        -1, missed.shape[-1]
    )
    seen = np.isfinite(wide).any(0)
    bound = np.full(missed.shape[-1], np.inf)
    bound[seen] = _FAR * np.nanmedian(wide[:, seen], axis=0).clip(_LEAST)
    return expected + np.clip(missed, -bound, bound)
