"""Sequential tests of many streams at once: has something changed, and since when?

A stream is one number a period, such as the mean surprise of a location. What it does while nothing has
changed is learned from a reference (``Null``): mean, spread, memory from one period to the next, tails. Each
period then gives e-values, likelihood ratios of a stream that has moved over one that has not, and these are
gathered by the rule of Shiryaev and Roberts, R_t = (1 + R_{t−1})·e_t, one R for each move that is looked for.
Where their mean passes a threshold there is an alarm, and they begin anew. As E[R_t − t] is no more than 0
while nothing has changed, the mean time to a false alarm is at least the threshold (Pollak 1985,
doi:10.1214/aos/1176346587; for e-values Shin, Ramdas and Rinaldo 2022, arXiv:2203.03532), as Ville's
inequality (1939) bounds the chance that a test martingale ever passes one (Vovk, Nouretdinov and Gammerman
2003). That bound is not tight: the threshold is the one at which simulated streams without a change alarm as
often as is allowed, as for Page's charts (1954, doi:10.1093/biomet/41.1-2.100), and never above
the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma

import numpy as np

_SHIFTS = (1.0, 3.0, 6.0)  # standard deviations that a change is looked for at: from creeping to a jump
TAILS = (3.0, 4.0, 6.0, 10.0, 20.0, 50.0)
"""Degrees of freedom that are tried."""
_MOST_MEMORY = 0.8
_LEAST_SPREAD = 1e-3
RATES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
"""Alarms a period that thresholds are known of; those of rarer ones are in proportion."""
_THRESHOLDS = {
    3.0: (29.58, 127.3, 275.5, 1005.0, 2657.0),
    4.0: (31.57, 136.9, 310.5, 1043.0, 2754.0),
    6.0: (31.29, 117.0, 416.4, 993.0, 2699.0),
    10.0: (30.9, 101.8, 337.3, 1194.0, 3356.0),
    20.0: (27.93, 94.94, 294.2, 1011.0, 3274.0),
    50.0: (26.73, 90.99, 277.8, 922.8, 2663.0),
}
"""By tails and rate: ``python -m benchmarks.update.thresholds``."""


@dataclass(frozen=True)
class Null:
    """What K streams do while nothing has changed: x' = m + ρ·(x − m) + σ·t_ν."""

    mean: np.ndarray  # (K,)
    memory: np.ndarray  # (K,) ρ, 0 … 0.8
    spread: np.ndarray  # (K,) σ
    tails: float  # ν, degrees of freedom, common to all

    @staticmethod
    def of(reference: np.ndarray, centre: float | None = None, fitted: int = 0) -> Null:
        """From streams (R, K), NaN where a period says nothing; around ``centre`` where it is known.

        Where ``fitted`` coefficients were learned from the same periods, new ones scatter more, by Akaike's
        final prediction error (1969, doi:10.1007/BF02532251).
        """
        seen = np.isfinite(reference)
        count = seen.sum(0).clip(1)
        mean = np.where(seen, reference, 0.0).sum(0) / count
        mean = mean if centre is None else np.full_like(mean, centre)
        x = np.where(seen, reference - mean, 0.0)
        lag = (x[1:] * x[:-1]).sum(0) / np.maximum((x[:-1] ** 2 * seen[1:]).sum(0), 1e-12)
        memory = (lag * count / (count + 10)).clip(0, _MOST_MEMORY)  # few periods tell little of it
        left = x[1:] - memory * x[:-1]
        both = seen[1:] & seen[:-1]
        degrees = np.maximum(both.sum(0) - 2, 1)
        spread = np.sqrt(np.where(both, left**2, 0.0).sum(0) / degrees).clip(_LEAST_SPREAD)
        z = (left / spread)[both]
        fits = [_log_t(z * _unit(tails), tails).sum() + len(z) * np.log(_unit(tails)) for tails in TAILS]
        share = np.minimum(fitted / np.maximum(count, 1), 0.5)
        return Null(
            mean,
            memory,
            spread * np.sqrt((1 + share) / (1 - share)),
            TAILS[int(np.argmax(fits))] if len(z) else TAILS[-1],
        )

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """(T, K) what each period adds to what the one before led to expect, in standard deviations."""
        x = np.nan_to_num(values - self.mean)
        before = np.concatenate([np.zeros_like(x[:1]), x[:-1]])
        return np.where(np.isfinite(values), (x - self.memory * before) / self.spread, np.nan)


def _unit(tails: float) -> float:
    """What a variable of variance one is multiplied with to be one of Student's with such tails."""
    return (tails / (tails - 2)) ** 0.5


def _log_t(x: np.ndarray, tails: float) -> np.ndarray:
    half = (tails + 1) / 2
    norm = lgamma(half) - lgamma(tails / 2) - 0.5 * np.log(np.pi * tails)
    return norm - half * np.log1p(x**2 / tails)


def e_values(z: np.ndarray, tails: float, band: np.ndarray | float = 0.0) -> np.ndarray:
    """(T, K, J) likelihood ratios of J means that have moved, up or down, over one within ``band`` of 0.

    Args:
        z: (T, K) of variance one; NaN says nothing: 1.
        tails: degrees of freedom.
        band: by how much a mean may be off that nobody would call changed, broadcast to ``z``.
    """
    unit, ratios = _unit(tails), []
    for side in (1.0, -1.0):
        x = side * z - band
        for shift in _SHIFTS:
            ratios.append(np.exp(_log_t((x - shift) * unit, tails) - _log_t(x * unit, tails)))
    return np.where(np.isfinite(z)[..., None], np.stack(ratios, axis=-1), 1.0)


@dataclass(frozen=True)
class Crossing:
    """A stream that has passed its threshold."""

    stream: int
    at: int  # period
    since: int  # period from which on the evidence has grown
    evidence: float  # R over the threshold, 1 or more


def first_crossings(e: np.ndarray, threshold: float) -> list[Crossing]:
    """Of ``crossings`` the first of each stream: once it has moved it does so again and again."""
    first: dict[int, Crossing] = {}
    for one in crossings(e, threshold):
        first.setdefault(one.stream, one)
    return list(first.values())


def crossings(e: np.ndarray, threshold: float) -> list[Crossing]:
    """Where the gathered evidence of streams (T, K, J) of e-values passes a threshold, in order of time.

    It is the mean of what is gathered for each of the J moves.
    """
    shape = e.shape[1:]
    gathered, chart, since = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=int)
    found = []
    for t, now in enumerate(e):
        since = np.where(chart <= 1, t, since)
        chart = np.maximum(chart, 1) * now
        gathered = (1 + gathered) * now
        mean = gathered.mean(-1)
        over = mean >= threshold
        for stream in np.flatnonzero(over):
            onset = since[stream, gathered[stream].argmax()]
            found.append(Crossing(int(stream), t, int(onset), float(mean[stream] / threshold)))
        gathered[over], chart[over] = 0.0, 0.0
    return found


def threshold(rate: float, tails: float) -> float:
    """Of the gathered evidence, at which a stream that does not change alarms ``rate`` times a period.

    At most 1 / ``rate``, at which it surely alarms no more often.
    """
    known, rates = _THRESHOLDS[tails], RATES
    if rate < rates[-1]:
        return known[-1] * rates[-1] / rate
    inside = np.exp(np.interp(-np.log(rate), -np.log(rates), np.log(known)))
    return float(min(inside, 1 / rate))
