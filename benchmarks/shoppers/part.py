"""What the parts of the customers' table share: the figures by which predictions of customers are judged."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from ..tables.piece import Figure


def area(score: np.ndarray, came: np.ndarray) -> float:
    """Area under the ROC curve, ties counting half (Mann and Whitney 1947)."""
    there = came.astype(bool)
    ones, zeros = int(there.sum()), int((~there).sum())
    return float((rankdata(score)[there].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def area_gain(score: np.ndarray, other: np.ndarray, came: np.ndarray) -> tuple[float, float]:
    """How much larger the area of ``score`` is than that of another, and the error of it (DeLong et al. 1988,
    Biometrics 44)."""
    there = came.astype(bool)
    ones, zeros = int(there.sum()), int((~there).sum())

    def placements(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ranks = rankdata(values)
        above = (ranks[there] - rankdata(values[there])) / zeros
        below = 1 - (ranks[~there] - rankdata(values[~there])) / ones
        return above, below

    (above, below), (above_other, below_other) = placements(score), placements(other)
    gain, loss = above - above_other, below - below_other
    return float(gain.mean()), float(np.sqrt(gain.var() / ones + loss.var() / zeros))


def recalled(found: np.ndarray, row: np.ndarray, item: np.ndarray, items: int) -> np.ndarray:
    """(Q,) share of each basket among what was found for it (Q, N); NaN where there is no basket.

    Args:
        row: (L,) basket of each line bought, rising; ``item`` likewise.
    """
    bought = np.unique(row * np.int64(items) + item)
    hit = np.isin(np.arange(len(found))[:, None] * np.int64(items) + found, bought).sum(1)
    lines = np.bincount(bought // items, minlength=len(found))
    return np.where(lines > 0, hit / np.maximum(lines, 1), np.nan)


def better(name: str, value: float, mark: float, gain: float, error: float, least: bool = True) -> Figure:
    """A figure to be above a mark, or below it: reached where its ``gain`` on the yardstick's own answers to
    the same questions is clear of twice its ``error``; else it is said to be a tie."""
    tie = abs(gain) < 1.96 * error
    said = f"{value:.4f} (gain {gain:+.4f} ± {1.96 * error:.4f}{', a tie' if tie else ''})"
    reached = (value > mark if least else value < mark) and not tie
    return Figure(name, said, f"{'>' if least else '<'} {mark}", reached)


def paired(values: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Mean difference over the same questions, and the error of it."""
    difference = values - others
    return float(difference.mean()), float(difference.std() / np.sqrt(len(difference)))
