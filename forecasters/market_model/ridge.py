"""Regressions of every item's demand that are fitted again before each period, on what precedes it.

Such a regression has foretold every period of a history before it came. Columns that might help are kept
where with them it would have foretold them better (prequential: Dawid 1984, doi:10.2307/2981683).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics import BLOCK, student
from .running import decayed

_HALF_LIFE = 60.0  # periods
_ALIKE = 0.3  # correlation of one period's rows of an item: many locations say little more than a few
_STIFF = 3.0  # periods' worth of belief in a regression's prior
_CLEARLY = 2.0  # standard errors by which columns must have helped
_WARM = 4  # one over this share of the history is too early to judge by


@dataclass(frozen=True)
class Ridge:
    """An item's demand regressed on columns (T, S, I, K), again before each period, on what precedes it."""

    columns: np.ndarray
    weights: np.ndarray  # (T + 1, I, K)
    centre: np.ndarray  # (T + 1, I, K) of the columns

    @staticmethod
    def of(columns: np.ndarray, demand: np.ndarray) -> Ridge:
        """Rows of older periods count less; those of one period count as a few."""
        seen = np.isfinite(demand)
        weight = seen / (1 + _ALIKE * (seen.sum(1, keepdims=True) - 1).clip(0))
        value = np.where(seen, demand, 0.0)
        weighted = columns * weight[..., None]
        sums = (
            np.einsum("tsik,tsil->tikl", weighted, columns),
            np.einsum("tsik,tsi->tik", weighted, value),
            weighted.sum(1),
            (weight * value).sum(1),
            weight.sum(1),
        )
        decay = decayed(_HALF_LIFE, range(len(demand) + 1), len(demand))
        return Ridge(columns, *_solve(*(np.tensordot(decay, x, 1) for x in sums)))

    def predict(self, origin: int, target: int) -> np.ndarray:
        """(S, I, 1) the effect on log demand of what is known ahead, around that of an ordinary period."""
        away = self.columns[target] - self.centre[origin]
        return np.einsum("sik,ik->si", away, self.weights[origin])[..., None]

    def residuals(self, demand: np.ndarray) -> np.ndarray:
        """(T, S, I) of each period, by the regression on what precedes it."""
        away = self.columns - self.centre[:-1, None]
        return demand - np.einsum("tsik,tik->tsi", away, self.weights[:-1])


def extended(
    ridge: Ridge, demand: np.ndarray, more: Sequence[np.ndarray], weight: np.ndarray, fitted: int
) -> Ridge:
    """The regression with those of the ``more`` sets of columns (T, S, I, k) that help, each by itself.

    Args:
        ridge: of the columns that are read in any case.
        demand: (T, S, I) that it is of.
        more: sets to choose from.
        weight: (S, I) of a series' squared errors.
        fitted: first periods, by which they are judged.
    """
    without = _lost(ridge, demand, weight, fitted)
    kept = [ridge.columns]
    for columns in more:
        tried = Ridge.of(np.concatenate([ridge.columns, columns], axis=-1), demand)
        gain = without - _lost(tried, demand, weight, fitted)
        blocks = np.array([part.mean() for part in np.array_split(gain, max(1, len(gain) // BLOCK))])
        if len(blocks) > 2:
            error = blocks.std(ddof=1) / len(blocks) ** 0.5
            if blocks.mean() > student(_CLEARLY, len(blocks)) * error:
                kept.append(columns)
    return ridge if len(kept) == 1 else Ridge.of(np.concatenate(kept, axis=-1), demand)


def _lost(ridge: Ridge, demand: np.ndarray, weight: np.ndarray, fitted: int) -> np.ndarray:
    """(T') weighted squared errors of each period that is judged by."""
    judged = slice(fitted // _WARM, fitted)
    return (np.nan_to_num(ridge.residuals(demand)[judged]) ** 2 * weight).sum((1, 2))


def _solve(
    gram: np.ndarray, cross: np.ndarray, total: np.ndarray, value: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (…, I, K) of every item, drawn to those of all items together, and the columns' centre."""
    number = count.clip(1e-6)[..., None]
    centre = total / number
    gram = gram - number[..., None] * centre[..., :, None] * centre[..., None, :]
    cross = cross - centre * value[..., None]
    spread = (np.einsum("...kk->...k", gram) / number).clip(0.05)
    identity = np.eye(gram.shape[-1])
    together = gram.sum(-3) + (2 * _STIFF * spread.mean(-2) + 1e-3)[..., None] * identity
    prior = np.linalg.solve(together, cross.sum(-2)[..., None])[..., 0][..., None, :]
    own = gram + _STIFF * spread[..., None] * identity
    return np.linalg.solve(own, (cross + _STIFF * spread * prior)[..., None])[..., 0], centre
