"""Calibration: whether outcomes fall where a forecast said that they would.

If counts are drawn from the forecasts, the randomised probability integral transform (PIT) is uniform
(Czado, Gneiting, Held 2009, "Predictive model assessment for count data", eq. 2). Everything here follows
from it: the distance from uniform, the coverage of central intervals, the histogram.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..features import History

LEVELS = (0.5, 0.8, 0.95)  # central intervals whose coverage is measured
_BINS = 10
_SURE = 1.36  # 95% quantile of Kolmogorov's distribution, times the root of the number of rows


class OneStep(Protocol):
    """A forecaster one step ahead, of a history that it knows."""

    @property
    def history(self) -> History: ...

    def one_step_cdf(self, count: Tensor, begin: int, exposure: Tensor) -> tuple[Tensor, Tensor]:
        """P(demand < count) and P(demand <= count) of the periods from ``begin`` on, each from all that
        precedes it; 0 below 0.

        ``count`` is (T', S, I) units, ``exposure`` (T', S, I) the share of each period in which they were
        wanted; what returns has the same shape each. At the prices and promotions of the history.
        """
        ...


@dataclass(frozen=True)
class Calibration:
    """How well observed sales and the forecasts of them agree."""

    rows: int  # observed rows that were measured
    stocked_out: int  # of them rows in which stock ran out
    distance: float  # largest distance of the PIT's distribution from uniform, 0 … 1
    chance: float  # what independent rows of a perfect forecast stay below, 19 times in 20
    coverage: tuple[tuple[float, float], ...]  # (level, share of rows within the central interval)
    histogram: tuple[float, ...]  # shares of the PIT in ten equal bins, 0.1 each where it is uniform


def randomised_pit(below: np.ndarray, at: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """PIT of counts, uniform where they follow their forecasts.

    Args:
        below: P(D < y) of the observed count y; any shape, like the others.
        at: P(D <= y); 1 where stock ran out, since all that is known there is D >= y.
        uniform: draws from 0 … 1.
    """
    return below + uniform * (at - below)


def distance_from_uniform(pit: np.ndarray) -> float:
    """Kolmogorov's distance sup |F(u) − u| of N values from the uniform distribution; NaN without any."""
    if pit.size == 0:
        return float("nan")
    ordered, n = np.sort(pit, axis=None), pit.size
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def coverage(pit: np.ndarray, levels: Sequence[float] = LEVELS) -> tuple[tuple[float, float], ...]:
    """(level, share of N values inside the central interval of that level); NaN without any."""
    off_centre = np.abs(pit - 0.5)
    return tuple(
        (level, float((off_centre <= level / 2).mean()) if pit.size else float("nan")) for level in levels
    )


@torch.no_grad()
def one_step_pit(demand: OneStep, begin: int, end: int, seed: int = 0) -> np.ndarray:
    """(T', S, I) randomised PIT of the periods ``begin`` … ``end``, stock-outs as in ``calibration``.

    Of rows that were not observed it means nothing.
    """
    history = demand.history
    count = history.units[begin:end]
    exposure, bound = (x[begin:end] for x in (history.stock_outs.exposure, history.stock_outs.bound))
    stopped = ((exposure < 1) & (count > 0)).cpu().numpy()
    below, at = (part.cpu().numpy() for part in demand.one_step_cdf(count, begin, exposure))
    at = np.where(bound.cpu().numpy(), 1.0, np.where(stopped, below, at))
    return randomised_pit(below, at, np.random.default_rng(seed).random(at.shape))


@torch.no_grad()
def calibration(demand: OneStep, begin: int, end: int, seed: int = 0) -> Calibration:
    """Calibration one step ahead over the observed rows of the periods ``begin`` … ``end`` (excluded).

    Rows in which stock ran out stay in. Where the share of the period is known, the last unit was sold as it
    ran out: the moment at which K are sold has P(fewer than K until then) uniform, as the Gamma distribution
    function is a Poisson tail. Where it is not, demand was at least the sales. The same seed randomises
    alike.
    """
    history = demand.history
    known = history.known[begin:end].cpu().numpy()
    out = (~history.stock_outs.whole[begin:end]).cpu().numpy()
    pit = one_step_pit(demand, begin, end, seed)[known]
    edges = np.linspace(0, 1, _BINS + 1)
    rows = int(known.sum())
    return Calibration(
        rows=rows,
        stocked_out=int((out & known).sum()),
        distance=distance_from_uniform(pit),
        chance=_SURE / rows**0.5 if rows else float("nan"),
        coverage=coverage(pit),
        histogram=tuple((np.histogram(pit.clip(0, 1), edges)[0] / max(rows, 1)).tolist()),
    )
