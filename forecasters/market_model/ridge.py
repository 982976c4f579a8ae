"""Regressions of every item's demand that are fitted again before each period, on what precedes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .running import decayed

_HALF_LIFE = 60.0  # periods
_ALIKE = 0.3  # correlation of one period's rows of an item: many locations say little more than a few
_STIFF = 3.0  # periods' worth of belief in a regression's prior


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
