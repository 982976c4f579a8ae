"""What showing something does, from a log that says by what chance it was shown.

The doubly robust estimate (Robins, Rotnitzky and Zhao 1994, "Estimation of regression coefficients when some
regressors are not always observed", JASA 89(427)) with propensities that are known: whatever the regression
of the outcome is worth, the estimate has no bias, and a good one makes it surer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OVERLAP = 0.02  # rows whose chance is nearer to 0 or 1 tell next to nothing and weigh all
FEWEST = 20  # outcomes on either side, below which a ratio has no interval worth the name


@dataclass(frozen=True)
class Lift:
    """By how much an outcome grows where it is caused: the log of a ratio of means."""

    mean: float  # log of the mean outcome when shown to that when held back
    sd: float  # its standard error, or the spread of the prior
    naive: float | None = None  # the same ratio without regard to who was shown what; None: not to be had
    rows: int = 0  # that it was estimated from
    because: str = ""  # why it is assumed; empty where it was estimated

    @staticmethod
    def stated(ratio: float) -> Lift:
        """A ratio that somebody states."""
        return Lift(float(np.log(ratio)), 0.0, because="as it was stated")

    @property
    def assumed(self) -> bool:
        return bool(self.because)

    def interval(self, z: float = 1.645) -> tuple[float, float]:
        """Of the ratio; 90% by default."""
        return float(np.exp(self.mean - z * self.sd)), float(np.exp(self.mean + z * self.sd))

    def text(self) -> str:
        """The ratio, its interval, and whether the table told it."""
        low, high = self.interval()
        told = f"× {np.exp(self.mean):.2f} [{low:.2f}, {high:.2f}]"
        if self.assumed:
            return f"{told}, assumed: {self.because}"
        naive = "" if self.naive is None else f"; × {np.exp(self.naive):.2f} without regard to who was chosen"
        return f"{told}, estimated from {self.rows:,} rows{naive}"


@dataclass(frozen=True)
class Trial:
    """Rows in which something was shown or held back by a known chance."""

    outcome: np.ndarray  # (N,) >= 0
    shown: np.ndarray  # (N,) bool
    propensity: np.ndarray  # (N,) chance of being shown, 0 … 1
    features: np.ndarray  # (N, F) known before, to be regressed on
    cluster: np.ndarray  # (N,) whose rows depend on each other: an index

    def rows(self, which: np.ndarray) -> Trial:
        return Trial(
            self.outcome[which],
            self.shown[which],
            self.propensity[which],
            self.features[which],
            self.cluster[which],
        )


def lift(trial: Trial) -> Lift | str:
    """The ratio of the mean outcome when shown to that when held back; in words why there is none.

    Its error is the jackknife's over clusters (Cameron and Miller 2015, "A practitioner's guide to
    cluster-robust inference", Journal of Human Resources 50(2)): rows of one count as one, whatever they have
    in common, and a few large ones are not taken for many.
    """
    trial = trial.rows((trial.propensity > OVERLAP) & (trial.propensity < 1 - OVERLAP))
    caused = [int((trial.outcome[trial.shown == side] > 0).sum()) for side in (True, False)]
    if min(caused) < FEWEST:
        return (
            f"expected {FEWEST} outcomes or more both shown and held back by a known chance,"
            f" found {caused[0]} and {caused[1]}"
        )
    shown, held = _influence(trial, True), _influence(trial, False)
    sums = [np.bincount(trial.cluster, side) for side in (shown, held)]
    totals = [float(each.sum()) for each in sums]
    without = [total - each for total, each in zip(totals, sums, strict=True)]
    if min(totals) <= 0 or min(each.min() for each in without) <= 0:
        return "the outcomes are too few beside their chances to tell"
    left_out = np.log(without[0][_met(trial)] / without[1][_met(trial)])
    clusters = len(left_out)
    error = float(np.sqrt((clusters - 1) / clusters * ((left_out - left_out.mean()) ** 2).sum()))
    plain = trial.outcome[trial.shown].mean() / trial.outcome[~trial.shown].mean()
    return Lift(float(np.log(totals[0] / totals[1])), error, float(np.log(plain)), len(shown))


def _met(trial: Trial) -> np.ndarray:
    """Clusters that have rows."""
    return np.unique(trial.cluster)


def _influence(trial: Trial, side: bool) -> np.ndarray:
    """(N,) whose mean is the mean outcome were all rows on that ``side``."""
    chance = trial.propensity if side else 1 - trial.propensity
    there = trial.shown == side
    weight = there / chance
    x = np.column_stack([np.ones(len(there)), trial.features])
    root = np.sqrt(weight[there])[:, None]
    beta = np.linalg.lstsq(x[there] * root, trial.outcome[there] * root[:, 0], rcond=None)[0]
    expected = x @ beta
    residual: np.ndarray = expected + weight * (trial.outcome - expected)
    return residual
