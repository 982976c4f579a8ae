"""When customers come and whether they still do: BG/NBD (Fader, Hardie, Lee 2005, Marketing Science 24).

A customer visits at a rate λ of their own, Gamma(r, α) among customers, and leaves for good after any visit
with a chance p of their own, Beta(a, b) among customers. Of a customer's history it needs three numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from ..errors import InputError

_LEAST, _MOST = -7.0, 9.0  # logarithms of what is estimated, times in units of the mean age
_LEFT = 1e-12  # least chance to have left, so that its logarithm is a number


@dataclass(frozen=True)
class VisitCounts:
    """What BG/NBD reads of C customers; times in any one unit, whole days are what ``Purchases`` gives."""

    repeats: np.ndarray  # (C,) visits after the first, x
    last: np.ndarray  # (C,) from the first visit to the last, t_x
    age: np.ndarray  # (C,) from the first visit to the end of the log, T

    def __post_init__(self) -> None:
        wrong = (self.last < 0) | (self.last > self.age) | (self.repeats < 0)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(
                "visits: expected 0 ≤ last ≤ age and no negative count, found"
                f" {self.repeats[row]} repeats, last {self.last[row]}, age {self.age[row]} of customer {row}"
            )


@dataclass(frozen=True)
class BetaGeometric:
    """A fitted BG/NBD; ``alpha`` is in the unit of time of the counts."""

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, counts: VisitCounts) -> np.ndarray:
        """(C,), equation 6."""
        x, r, alpha, a, b = counts.repeats, self.r, self.alpha, self.a, self.b
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
        stayed = betaln(a, b + x) - (r + x) * np.log(alpha + counts.age)
        left = betaln(a + 1, b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + counts.last)
        return common + np.logaddexp(stayed, np.where(x > 0, left, -np.inf))

    def left(self, counts: VisitCounts) -> np.ndarray:
        """(C,) log odds that a customer has left; of those who came once −∞, as nobody leaves unseen."""
        x = counts.repeats
        with np.errstate(divide="ignore"):
            once = np.where(x > 0, np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1), -np.inf)
        return once + (self.r + x) * np.log((self.alpha + counts.age) / (self.alpha + counts.last))

    def alive(self, counts: VisitCounts) -> np.ndarray:
        """(C,) chance that a customer has not left."""
        return 1 / (1 + np.exp(np.minimum(self.left(counts), 700.0)))

    def silent(self, counts: VisitCounts, horizon: np.ndarray) -> np.ndarray:
        """(C, H) log chance that a customer who has not left stays away for these times, all > 0."""
        rate = self.alpha + counts.age[:, None]
        return (self.r + counts.repeats[:, None]) * (np.log(rate) - np.log(rate + horizon))

    def visit(self, counts: VisitCounts, horizon: float) -> np.ndarray:
        """(C,) chance of a visit within a time."""
        return self.alive(counts) * -np.expm1(self.silent(counts, np.array([horizon]))[:, 0])

    def expected(self, counts: VisitCounts, horizon: float) -> np.ndarray:
        """(C,) visits expected within a time, equation 10."""
        x, a, total = counts.repeats, self.a, self.a + self.b + counts.repeats - 1
        later = self.alpha + counts.age + horizon
        series = hyp2f1(self.r + x, self.b + x, total, horizon / later)
        kept = 1 - ((self.alpha + counts.age) / later) ** (self.r + x) * series
        return total / (a - 1) * kept * self.alive(counts)


def fit_visits(counts: VisitCounts) -> BetaGeometric:
    """BG/NBD by maximum likelihood.

    Raises:
        InputError: there is no customer, or none was watched for any time.
    """
    table = np.stack([counts.repeats, counts.last, counts.age], 1).astype(float)
    if not len(table) or not (unit := float(table[:, 2].mean())):
        raise InputError(f"visits: expected customers watched for some time, found {len(table)}, for none")
    alike, weight = np.unique(table, axis=0, return_counts=True)  # many came once, and on the same day
    few = VisitCounts(alike[:, 0], alike[:, 1] / unit, alike[:, 2] / unit)

    def loss(logs: np.ndarray) -> float:
        return -float(weight @ BetaGeometric(*np.exp(logs)).log_likelihood(few)) / len(table)

    found = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=[(_LEAST, _MOST)] * 4)
    r, alpha, a, b = np.exp(found.x)
    return BetaGeometric(r, alpha * unit, a, b)
