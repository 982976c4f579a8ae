"""What a price test says of an item's own elasticity, by the draw that set its prices.

log μ = offset + ε·x + a_series + b_period, sales negative binomial, x the log of the price that was charged
over the usual one. The estimate solves Σ z·score = 0, where z is the log price that was *assigned*, less its
mean over draws: an instrument, since what was charged may differ, and may differ for a reason (an estimating
equation for counts with an instrument: Mullahy 1997, doi:10.1162/003465397557169). Effects of series and
periods are random, as wide as the rows show them. Sales of a part of the period are those of a shorter one;
where stock ran out and nobody knows when, sales are a lower bound (``statistics.StockOuts``).

The interval inverts Fisher's test: an elasticity is kept if the scores that it leaves are no more correlated
with the prices that were drawn than with nine tenths of those that might have been drawn instead (Imbens and
Rubin 2015, chapter 5; with an instrument Imbens and Rosenbaum 2005, doi:10.1111/j.1467-985X.2004.00339.x).
It asks nothing of how demand moves from week to week, since all draws meet the same weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..statistics import nb_survival_score
from .inversion import reach

_ROUNDS, _LONGEST, _STILL = 60, 1.0, 1e-6  # Newton steps at most, their length, and the length that ends them
_SPREADS = (0.02, 1.5)  # bounds of the spread of series' and of periods' effects
_SHAPES = (1e-4, 10.0)  # bounds of the dispersion 1/r
_LEAST_ROWS = 4


@dataclass(frozen=True)
class Rows:
    """N rows of one item's test."""

    units: np.ndarray  # (N,) counts
    exposure: np.ndarray  # (N,) share of the period that sales speak of
    bound: np.ndarray  # (N,) bool: sales are a lower bound
    offset: np.ndarray  # (N,) log units of the series at its usual price, as they were before
    charged: np.ndarray  # (N,) log price charged over the usual one
    assigned: np.ndarray  # (N,) log price assigned over the usual one, less its mean over draws
    series: np.ndarray  # (N,) int64
    period: np.ndarray  # (N,) int64


@dataclass(frozen=True)
class Estimate:
    """Of one item's own elasticity, mean of the series in the test as they inform it."""

    value: float
    error: float  # standard error over draws
    lo: float  # ends of the interval; infinite where the test excludes nothing on that side
    hi: float
    compliance: float  # log price charged for each log price assigned
    strength: float  # how far, in standard errors over draws, the assigned price moved the charged one
    weight: np.ndarray  # (S,) share of the information that each series gave


@dataclass(frozen=True)
class _Effects:
    """The effects of series and periods in one Newton system, series eliminated."""

    series: Tensor  # (N,) int64
    period: Tensor  # (N,) int64
    sizes: tuple[int, int]

    def gather(self, effects: tuple[Tensor, Tensor]) -> Tensor:
        """(N,) the sum of a row's effects."""
        return effects[0][self.series] + effects[1][self.period]

    def sums(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of x (N,) by series and by period."""
        one, two = (x.new_zeros(size) for size in self.sizes)
        return one.index_add_(0, self.series, x), two.index_add_(0, self.period, x)

    def solver(self, weight: Tensor, spreads: tuple[float, float]) -> _Solver:
        outer, inner = self.sums(weight)
        cross = weight.new_zeros(self.sizes).index_put_((self.series, self.period), weight, accumulate=True)
        outer = outer + spreads[0] ** -2.0
        schur = (inner + spreads[1] ** -2.0).diag() - cross.T @ (cross / outer.unsqueeze(1))
        return _Solver(outer, cross, torch.linalg.inv(schur))


@dataclass(frozen=True)
class _Solver:
    outer: Tensor  # (S,)
    cross: Tensor  # (S, T)
    inverse: Tensor  # (T, T)

    def __call__(self, right: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        inner = self.inverse @ (right[1] - self.cross.T @ (right[0] / self.outer))
        return (right[0] - self.cross @ inner) / self.outer, inner

    def variances(self) -> tuple[Tensor, Tensor]:
        """Diagonal of the inverse."""
        some = self.cross / self.outer.unsqueeze(1)
        return 1 / self.outer + ((some @ self.inverse) * some).sum(1), self.inverse.diag()


@dataclass(frozen=True)
class _Solved:
    own: float
    score: Tensor  # (N,) that is left
    price: Tensor  # (N,) weight · log price charged, freed of the effects
    weight: Tensor  # (N,)


def _solve(rows: Rows) -> _Solved:
    """Newton steps for elasticity and effects together; dispersion and spreads follow."""
    units, charged, assigned, offset = (
        torch.from_numpy(np.asarray(x, dtype=np.float64))
        for x in (rows.units, rows.charged, rows.assigned, rows.offset + np.log(rows.exposure))
    )
    bound = torch.from_numpy(rows.bound)
    series, period = (
        torch.from_numpy(np.unique(x, return_inverse=True)[1]) for x in (rows.series, rows.period)
    )
    among = _Effects(series, period, (int(series.max()) + 1, int(period.max()) + 1))
    effects = (units.new_zeros(among.sizes[0]), units.new_zeros(among.sizes[1]))
    offset = offset + (units.sum() / offset.exp().sum()).clamp(min=1e-9).log()
    several = among.sizes[0] > 1  # a single series tells no period from its own noise
    own, shape, spreads = -2.0, 0.1, (0.3, 0.3 if several else _SPREADS[0])
    for _ in range(_ROUNDS):
        eta = (offset + own * charged + among.gather(effects)).clamp(-12, 16)
        score, weight = _score(units, bound, eta, shape)
        solve = among.solver(weight, spreads)
        free = solve(among.sums(weight * charged))
        sums = among.sums(score)
        move = solve((sums[0] - effects[0] * spreads[0] ** -2.0, sums[1] - effects[1] * spreads[1] ** -2.0))
        price = weight * (charged - among.gather(free))
        strength = float(assigned @ price)
        by = float(assigned @ (score - weight * among.gather(move))) / (strength or 1e-12)
        moves = (move[0] - free[0] * by, move[1] - free[1] * by)
        longest = max(abs(by), *(float(m.abs().max()) for m in moves), 1e-12)
        scale = min(1.0, _LONGEST / longest)
        own += scale * by
        effects = (effects[0] + scale * moves[0], effects[1] + scale * moves[1])
        second = solve.variances()
        wide = [
            float((e.square() + v).mean().sqrt().clamp(*_SPREADS))
            for e, v in zip(effects, second, strict=True)
        ]
        spreads = (wide[0], wide[1] if several else spreads[1])
        taken = 1 + sum(len(v) - float(v.sum()) * s**-2.0 for v, s in zip(second, spreads, strict=True))
        free_rows = max(len(units) - taken, 1.0)
        mean = eta.exp()[~bound]
        excess = ((units[~bound] - mean).square() * len(units) / free_rows - mean).sum()
        shape = float((excess / mean.square().sum().clamp(min=1e-9)).clamp(*_SHAPES))
        if scale == 1 and longest < _STILL:
            break
    eta = (offset + own * charged + among.gather(effects)).clamp(-12, 16)
    score, weight = _score(units, bound, eta, shape)
    solve = among.solver(weight, spreads)
    price = weight * (charged - among.gather(solve(among.sums(weight * charged))))
    return _Solved(own, score, price, weight)


def _score(units: Tensor, bound: Tensor, eta: Tensor, shape: float) -> tuple[Tensor, Tensor]:
    """Derivative of the log likelihood in log μ, and minus its second (expected, where sales are demand)."""
    mean = eta.exp()
    damped = 1 + mean * shape
    score, weight = (units - mean) / damped, mean / damped
    if bool(bound.any()):
        log_r = -torch.tensor(shape, dtype=torch.float64).log()
        slope, curvature = nb_survival_score(units[bound], eta[bound], log_r)
        score, weight = score.masked_scatter(bound, slope), weight.masked_scatter(bound, curvature)
    return score, weight


def estimate(rows: Rows, redrawn: np.ndarray, level: float = 0.9) -> Estimate | None:
    """The elasticity and its interval; None where too little was sold or seen to say anything.

    Args:
        rows: of one item.
        redrawn: (R, N) other draws of ``rows.assigned``, made as it was.
        level: of the interval.
    """
    enough = len(rows.units) >= _LEAST_ROWS and rows.units.sum() > 0 and np.ptp(rows.assigned) > 0
    if not enough:
        return None
    found = _solve(rows)
    score, price, weight = (x.numpy() for x in (found.score, found.price, found.weight))
    moved = float(rows.assigned @ price)
    noise, moved_again = redrawn @ score, redrawn @ price
    usual = float(weight @ rows.assigned**2)
    if not abs(moved) > 1e-9 * usual:
        return None
    error = float(noise.std() / abs(moved))
    lo, hi = (found.own + way * reach(noise, way * moved_again, abs(moved), error, level) for way in (-1, 1))
    informed = np.bincount(rows.series, weight * rows.assigned**2)
    return Estimate(
        value=float(found.own),
        error=error,
        lo=float(lo),
        hi=float(hi),
        compliance=_slope(rows.charged, rows.assigned, weight),
        strength=abs(moved) / float(max(moved_again.std(), 1e-12)),
        weight=informed / informed.sum(),
    )


def _slope(y: np.ndarray, x: np.ndarray, weight: np.ndarray) -> float:
    """Of a weighted regression of y (N,) on x (N,)."""
    away = x - np.average(x, weights=weight)
    return float((weight * away) @ y / ((weight * away) @ x))
