"""What a change did where part of the units did not have it: synthetic difference in differences.

A weighted mean of the units that were held out stands for what the others would have done: unit weights let
it run beside them before the change, period weights pick the periods that are like those after it, and what
is constant drops out (Arkhangelsky, Athey, Hirshberg, Imbens and Wager 2021, doi:10.1257/aer.20190159; the
unit weights are those of synthetic control, Abadie, Diamond and Hainmueller 2010,
doi:10.1198/jasa.2009.ap08746). The interval inverts a placebo test: a change is kept if the difference that
it leaves is no larger than nine tenths of those between groups of the same sizes, drawn from all units
(exact where those held out were drawn, Imbens and Rubin 2015, chapter 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .inversion import reach

_DRAWS = 199  # other groups
_ROUNDS, _STILL = 1000, 1e-6  # projected gradient steps at most, and the move that ends them
_LEAST = 2  # units on either side, and periods before


@dataclass(frozen=True)
class Difference:
    """The mean change, weighted by size."""

    value: float
    error: float  # spread of the placebo differences
    lo: float  # 90% interval; infinite where there are too few groups to draw
    hi: float


def synthetic_difference(
    outcome: np.ndarray, size: np.ndarray, held: np.ndarray, first: int, seed: int = 0
) -> Difference:
    """The change of an outcome after it began, in those that had it.

    Args:
        outcome: (N, T) of units and periods.
        size: (N,) weight of each unit in the mean.
        held: (N,) bool, units that never had the change.
        first: period of the first change.
        seed: of the placebo groups.

    Raises:
        InputError: there are too few units or periods to compare.
    """
    few = min(int(held.sum()), int((~held).sum()), first)
    if few < _LEAST or first >= outcome.shape[1]:
        raise InputError(
            f"held-out: expected {_LEAST} locations or more, as many others, as many periods before and one"
            f" after the change, found {int(held.sum())}, {int((~held).sum())}, {first} and"
            f" {max(outcome.shape[1] - first, 0)}"
        )
    had = (~held[:, None] & (np.arange(outcome.shape[1]) >= first)).astype(np.float64)
    rng = np.random.default_rng(seed)
    value, _ = _difference(outcome, had, size, held, first)
    rest = outcome - value * had
    placebo = np.array([_difference(rest, had, size, rng.permutation(held), first) for _ in range(_DRAWS)])
    error = float(placebo[:, 0].std())
    lo, hi = (value + way * reach(placebo[:, 0], way * placebo[:, 1], 1.0, error, 0.9) for way in (-1, 1))
    return Difference(value, error, lo, hi)


def _difference(
    outcome: np.ndarray, had: np.ndarray, size: np.ndarray, held: np.ndarray, first: int
) -> tuple[float, float]:
    """The estimate for a group held out, and by how much one more of the change that was ``had`` moves it."""
    control, treated = outcome[held], outcome[~held]
    share = size[~held] / size[~held].sum()
    noise = float(np.diff(control[:, :first], axis=1).std())
    ridge = (treated[:, first:].size ** 0.25 * noise) ** 2
    units = _weights(control[:, :first].T, share @ treated[:, :first], ridge * first)
    periods = _weights(control[:, :first], control[:, first:].mean(1), (1e-3 * noise) ** 2 * len(control))

    def of(values: np.ndarray) -> float:
        change = values[:, first:].mean(1) - values[:, :first] @ periods
        return float(share @ change[~held] - units @ change[held])

    return of(outcome), of(had)


def _weights(columns: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """(K,) weights on the simplex that bring columns (M, K), less their means, to the target (M,).

    Accelerated projected gradient (Beck and Teboulle 2009, doi:10.1137/080716542).
    """
    columns, target = columns - columns.mean(0), target - target.mean()
    gram = columns.T @ columns + ridge * np.eye(columns.shape[1])
    moment = columns.T @ target
    step = 1 / max(float(np.linalg.eigvalsh(gram)[-1]), 1e-12)
    weight = ahead = np.full(columns.shape[1], 1 / columns.shape[1])
    speed = 1.0
    for _ in range(_ROUNDS):
        new = _on_simplex(ahead - step * (gram @ ahead - moment))
        faster = (1 + (1 + 4 * speed**2) ** 0.5) / 2
        ahead = new + (speed - 1) / faster * (new - weight)
        moved, weight, speed = float(np.abs(new - weight).max()), new, faster
        if moved < _STILL:
            break
    return weight


def _on_simplex(x: np.ndarray) -> np.ndarray:
    """The nearest point of the simplex (Duchi et al. 2008, figure 1)."""
    ordered = np.sort(x)[::-1]
    above = np.cumsum(ordered) - 1
    count = np.arange(1, len(x) + 1)
    last = count[ordered - above / count > 0][-1]
    return np.maximum(x - above[last - 1] / last, 0)
