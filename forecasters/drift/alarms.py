"""Drift of a market: alarms on level, calibration and price response, at a stated rate of false ones.

Each test has its share of the false alarms that are allowed a year, which its streams share alike. Locations
and items are measured against the whole chain, so that what happens to all is said once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .sequential import Crossing, Null, e_values, first_crossings, threshold
from .surprises import Surprises

RATE = 0.4  # false alarms a year of a whole chain that are allowed in all
_SHARES = {
    "level of the chain": 0.4,
    "level of a location": 0.03,
    "level of an item": 0.35,
    "calibration": 0.02,
    "price response": 0.15,
    "price response of an item": 0.05,
}
_LEAST = 8  # periods of a reference, at least
_ROWS = 6  # of a stream in a period, for a spread or a slope
_SAME_LEVEL = 0.02  # log units by which a level may be off that nobody would call changed
_SAME_RESPONSE = 0.05  # the same of an elasticity, as a share of it; or its standard error if that is more


@dataclass(frozen=True)
class Alarm:
    """Something that is no longer as it was."""

    test: str  # level, calibration, price response or column
    where: str  # the chain, a location, an item or a column
    date: str  # first day of the period that raised it
    since: str  # first day of the period from which on it shows
    size: float  # in what ``said`` says
    said: str  # the size in words
    evidence: float  # over the threshold, 1 or more; infinite where no chance is left
    advice: str  # what to do
    asks: str  # for an update of this depth: condition, settle or refit


_SETTLE = "`mercato update --depth settle` learns the new level"
_REFIT = (
    "`mercato update --depth refit` learns the price response anew; until then keep prices near the usual"
)


@dataclass(frozen=True)
class _Test:
    """Streams of one kind, and how an alarm of theirs is told."""

    name: str
    streams: np.ndarray  # (T, K)
    band: np.ndarray | float  # (T, K) in the streams' own units
    where: Sequence[str]  # (K,)
    size: Callable[[Crossing], float]
    said: Callable[[float], str]
    advice: str
    asks: str
    centre: float | None = None  # what the streams are around while nothing has changed, if it is known
    fitted: int = 0  # coefficients that were learned from the reference

    def alarms(self, reference: int, rate: float, dates: np.ndarray) -> list[Alarm]:
        """From the periods after the first ``reference`` ones, at ``rate`` false alarms a period in all."""
        null = Null.of(self.streams[:reference], self.centre, self.fitted)
        z = null.standardised(self.streams)[reference:]
        band = np.broadcast_to(self.band / null.spread, self.streams.shape)[reference:]
        e = e_values(z, null.tails, band)
        found = first_crossings(e, threshold(rate / max(1, e.shape[1]), null.tails))
        return [self._told(one, reference, dates) for one in found]

    def _told(self, one: Crossing, reference: int, dates: np.ndarray) -> Alarm:
        one = Crossing(one.stream, one.at + reference, one.since + reference, one.evidence)
        size = self.size(one)
        test = self.name.split(" of ")[0]
        at, since = (str(dates[t]) for t in (one.at, one.since))
        return Alarm(
            test,
            self.where[one.stream],
            at,
            since,
            size,
            self.said(size),
            one.evidence,
            self.advice,
            self.asks,
        )


def alarms(
    surprises: Surprises,
    reference: int,
    dates: np.ndarray,
    locations: Sequence[str],
    items: Sequence[str],
    rate: float = RATE,
) -> list[Alarm]:
    """Alarms of the periods from calendar index ``reference`` on, in order of date, one of each stream.

    Args:
        surprises: of periods before and after ``reference``.
        reference: periods of the calendar that the market was learned from.
        dates: (T,) first days of the periods of the calendar.
        locations, items: names (S,) and (I,).
        rate: false alarms a year that are allowed in all.
    """
    before = reference - surprises.first
    if before < _LEAST or len(surprises.score) <= before:
        return []
    tests = [
        *_levels(surprises, locations, items),
        _calibration(surprises),
        *_responses(surprises, items),
    ]
    found = [
        alarm
        for test in tests
        for alarm in test.alarms(before, rate * _SHARES[test.name] / surprises.year, dates[surprises.first :])
    ]
    return sorted(found, key=lambda alarm: (alarm.date, alarm.test, alarm.where))


def _mean(values: np.ndarray, axis: int | tuple[int, ...], least: int = 1) -> np.ndarray:
    """Mean of what is not NaN along an axis, NaN where there are fewer than ``least``."""
    seen = np.isfinite(values)
    count = seen.sum(axis)
    total = np.where(seen, values, 0.0).sum(axis)
    return np.where(count >= least, total / np.maximum(count, 1), np.nan)


def _levels(s: Surprises, locations: Sequence[str], items: Sequence[str]) -> list[_Test]:
    """Whether surprises are to one side: of all, and of each location and item beyond those of all."""
    every, chain = slice(None), _mean(s.score, (1, 2))
    rest = s.score - chain[:, None, None]
    unchanged = _SAME_LEVEL / s.spread  # in scores

    def whole(one: Crossing) -> float:
        return float(np.expm1(_log_ratio(s, slice(one.since, one.at + 1), every, every)))

    def of_location(one: Crossing) -> float:
        when = slice(one.since, one.at + 1)
        return float(np.expm1(_log_ratio(s, when, one.stream, every) - _log_ratio(s, when, every, every)))

    def of_item(one: Crossing) -> float:
        when = slice(one.since, one.at + 1)
        return float(np.expm1(_log_ratio(s, when, every, one.stream) - _log_ratio(s, when, every, every)))

    def test(
        name: str,
        streams: np.ndarray,
        band: np.ndarray | float,
        where: Sequence[str],
        size: Callable[[Crossing], float],
    ) -> _Test:
        beyond = "" if size is whole else ", beyond the chain's"
        return _Test(
            name, streams, band, where, size,
            lambda found: f"sales {found:+.0%} against what was expected{beyond}",
            _SETTLE, "settle", fitted=s.coefficients,
        )  # fmt: skip

    tests = [test("level of the chain", chain[:, None], 0.0, ["the chain"], whole)]
    if len(locations) > 1:
        names = [f"location {name}" for name in locations]
        tests.append(test("level of a location", _mean(rest, 2), unchanged.mean(2), names, of_location))
    if len(items) > 1:
        names = [f"item {name}" for name in items]
        tests.append(test("level of an item", _mean(rest, 1), unchanged.mean(1), names, of_item))
    return tests


def _log_ratio(s: Surprises, when: slice, place: slice | int, item: slice | int) -> float:
    sold, expected = (np.nansum(x[when, place, item]) for x in (s.units, s.expected))
    return float(np.log(max(sold, 0.5) / max(expected, 0.5)))


def _calibration(s: Surprises) -> _Test:
    """Whether surprises are as large as they were held to be."""
    chain = _mean(s.score, (1, 2))
    rest = np.abs(s.score - chain[:, None, None])
    spread = np.log(_mean(rest, (1, 2), _ROWS)).reshape(-1, 1)

    def size(one: Crossing) -> float:
        return float(np.exp(np.nanmean(spread[one.since : one.at + 1]) - np.nanmean(spread[: one.since])) - 1)

    return _Test(
        "calibration", spread, 0.0, ["the chain"], size,
        lambda size: f"forecast errors {size:+.0%} against those of before",
        "`mercato update --depth settle` learns the new spread; until then intervals are off", "settle",
    )  # fmt: skip


def _responses(s: Surprises, items: Sequence[str]) -> list[_Test]:
    """Whether surprises move with prices.

    The slope of scores on price moves, both less their means of the period, by weighted least squares: of all
    rows, and of each item's.
    """
    doubt = np.array([np.sqrt((s.doubt**2).sum()) / len(s.doubt)])
    tests = [
        _response("price response", _slope(s, (1, 2)), ["the chain"], np.array([s.elasticity.mean()]), doubt)
    ]
    if len(items) > 1:
        where = [f"item {item}" for item in items]
        tests.append(_response("price response of an item", _slope(s, (1,)), where, s.elasticity, s.doubt))
    return tests


def _slope(s: Surprises, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, K) sums of products of price move and score, information on the slope, and rows, by period."""
    weight = np.where(np.isfinite(s.score) & np.isfinite(s.move), 1 / s.spread**2, 0.0)

    def centred(values: np.ndarray) -> np.ndarray:
        total = (np.nan_to_num(values) * weight).sum(axes, keepdims=True)
        return np.nan_to_num(values) - total / np.maximum(weight.sum(axes, keepdims=True), 1e-12)

    move, surprise = centred(s.move), centred(s.score * s.spread)  # both in log units
    return (
        (weight * move * surprise).sum(axes).reshape(len(weight), -1),
        (weight * move**2).sum(axes).reshape(len(weight), -1),
        (weight > 0).sum(axes).reshape(len(weight), -1),
    )


def _response(
    name: str,
    sums: tuple[np.ndarray, np.ndarray, np.ndarray],
    where: Sequence[str],
    own: np.ndarray,
    doubt: np.ndarray,
) -> _Test:
    products, information, rows = sums
    root = np.sqrt(np.maximum(information, 1e-9))
    streams = np.where((information > 1e-6) & (rows >= _ROWS), products / root, np.nan)
    band = np.maximum(_SAME_RESPONSE * np.abs(own), doubt) * root

    def size(one: Crossing) -> float:
        when = slice(one.since, one.at + 1)
        slope = products[when, one.stream].sum() / max(information[when, one.stream].sum(), 1e-9)
        return float(slope / own[one.stream])

    return _Test(
        name, streams, band, where, size,
        lambda size: f"own elasticity {abs(size):.0%} {'stronger' if size > 0 else 'weaker'} than was found",
        _REFIT, "refit", 0.0,
    )  # fmt: skip
