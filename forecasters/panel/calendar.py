"""A regular calendar under the dates of a table."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

_LEAST_COVER = 0.1  # a calendar with fewer of its periods seen is a mistyped date rather than a panel

_LONGEST = 100  # days in a period
_RHYTHM, _MOSTLY = 12, 0.9  # rows that show a rhythm, and share of them that keep it
_RARE = 0.01  # of the steps between dates: fewer are mistakes


@dataclass(frozen=True)
class Grid:
    """Periods of ``step`` days or months, counted from ``origin``."""

    unit: str  # "D" or "M": numpy's unit in which periods are counted
    step: int
    origin: int

    @property
    def frequency(self) -> str:
        """The pandas offset: D, 3D, W, 2W, MS, 3MS …"""
        if self.unit == "M":
            count, letter = self.step, "MS"
        else:
            count, letter = (self.step // 7, "W") if self.step % 7 == 0 else (self.step, "D")
        return letter if count == 1 else f"{count}{letter}"

    def period_of(self, dates: np.ndarray) -> np.ndarray:
        """Index of the period that holds each of ``dates`` (datetime64[D]), int64."""
        return (_numbers(dates, self.unit) - self.origin) // self.step

    def lengths(self, periods: np.ndarray) -> np.ndarray:
        """Days of each of ``periods``, int64."""
        return (self.starts(periods + 1) - self.starts(periods)).astype(np.int64)

    def starts(self, periods: np.ndarray) -> np.ndarray:
        """First day of each of ``periods``, datetime64[D]."""
        return (self.origin + self.step * periods).astype(f"datetime64[{self.unit}]").astype("datetime64[D]")


def declared_grid(freq: str, days: np.ndarray) -> Grid:
    """The grid a frequency names: D, W, MS or a multiple; ``days`` are the sorted unique dates.

    Weeks start on the weekday that all dates share, otherwise on Monday.
    """
    match = re.fullmatch(r"([1-9]\d*)?(D|W|MS|M)", freq.upper())
    if not match:
        raise InputError(f"freq: expected D, W, MS or a multiple such as 2W, found {freq!r}")
    count, letter = int(match[1] or 1), match[2]
    if letter in ("M", "MS"):
        return Grid("M", count, int(_numbers(days, "M")[0]))
    numbers = _numbers(days, "D")
    if letter == "D":
        return Grid("D", count, int(numbers[0]))
    weekdays = (numbers + 3) % 7  # 1970-01-01 was a Thursday: Monday is 0
    shared = bool((weekdays == weekdays[0]).all())
    return Grid("D", 7 * count, int(numbers[0] - (0 if shared else weekdays[0])))


def inferred_grid(days: np.ndarray) -> Grid:
    """The grid on which the sorted unique dates ``days`` lie; whole periods may be missing.

    Raises:
        InputError: one date only, or dates that fit no regular grid.
    """
    if len(days) < 2:
        raise InputError(
            f"date: expected at least two dates to tell the frequency, found {days[0]}; give --freq"
        )
    if _are_months(days):
        numbers = np.unique(_numbers(days, "M"))
        return Grid("M", _usual_step(numbers), int(numbers[0]))
    numbers = _numbers(days, "D")
    step = _usual_step(numbers)
    off = days[_off_grid(numbers, step)]
    if len(off):
        _refuse_retail_calendar(numbers)
        shown = ", ".join(str(day) for day in off[:3])
        raise InputError(
            f"date: expected evenly spaced dates (the usual step is {step} days), found {len(off)} of "
            f"{len(days)} dates off that grid, first: {shown}; "
            f"aggregate with --freq {'MS' if step >= 28 else 'W'}"
        )
    return Grid("D", step, int(numbers[0]))


def _refuse_retail_calendar(numbers: np.ndarray) -> None:
    """Refuse months of four and five weeks by their name: no period of ours is like them."""
    steps, counts = np.unique(np.diff(numbers), return_counts=True)
    if counts[np.isin(steps, (28, 35))].sum() >= 0.9 * counts.sum():
        raise InputError(
            "date: expected evenly spaced dates, found steps of 28 and 35 days in turn, as in a 4-4-5 retail"
            " calendar; give the weekly rows"
        )


def check_length(grid: Grid) -> None:
    """Refuse periods in which prices and seasons would be averaged away."""
    days = int(grid.lengths(np.zeros(1, dtype=np.int64))[0])
    if days > _LONGEST:
        raise InputError(f"date: expected periods of a quarter at most, found periods of {days} days")


def check_parts(own: Grid, grid: Grid) -> None:
    """Refuse to add up rows of about a month to months that begin on other days: some would get two."""
    step = int(own.lengths(np.zeros(1, dtype=np.int64))[0])
    if grid.unit == "M" and own.unit == "D" and step > 2 * 7:
        raise InputError(
            f"freq: expected rows of a week at most to add up to months, found rows {step} days apart, of"
            " which some months would get two and others none"
        )


def check_one_rhythm(period: np.ndarray, series: np.ndarray, grid: Grid) -> None:
    """Refuse a table whose rows speak of one period in one part of it, and of several in another.

    Daily rows to begin with and weekly ones from then on would be sevenfold demand on every seventh day.

    Args:
        period: (R,) int64 of each row.
        series: (R,) a number for each series.
    """
    order = np.lexsort((period, series))
    same = np.diff(series[order]) == 0
    gap, at = np.diff(period[order])[same], period[order][1:][same]
    by_time = np.argsort(at, kind="stable")
    gap, at = gap[by_time], at[by_time]
    if len(gap) < 2 * _RHYTHM:
        return
    single = np.cumsum(gap == 1)
    count = np.arange(1, len(gap) + 1)
    before, after = single / count, (single[-1] - single) / np.maximum(len(gap) - count, 1)
    apart = np.abs(before - after)[_RHYTHM - 1 : -_RHYTHM]
    split = int(np.argmax(apart)) + _RHYTHM
    parts = gap[:split], gap[split:]
    usual = [int(np.bincount(part[part < 1000]).argmax()) if (part < 1000).any() else 0 for part in parts]
    clear = all((part == step).mean() > _MOSTLY for part, step in zip(parts, usual, strict=True))
    if clear and usual[0] != usual[1]:
        rows = (f"every {step * int(grid.lengths(at[:1])[0])} days" for step in usual)
        raise InputError(
            f"date: expected rows of one length throughout, found rows {next(rows)} until"
            f" {grid.starts(at[split - 1 : split])[0]} and {next(rows)} from then on; add up to the longer"
            " with --freq"
        )


def finest_grid(days: np.ndarray, series: np.ndarray, otherwise: Grid) -> Grid:
    """The grid of the rows of a table that is added up to longer periods: what time one row speaks of.

    Its step is the shortest between two dates of one series that is not a rarity: series may start on
    different days, and most of their rows may be missing.

    Args:
        days: (R,) date of each row.
        series: (R,) a number for each series.
        otherwise: the grid where no series has two dates.
    """
    unit = "M" if _are_months(np.unique(days)) else "D"
    numbers = _numbers(days, unit)
    order = np.lexsort((numbers, series))
    steps = np.diff(numbers[order])[np.diff(series[order]) == 0]
    steps, counts = np.unique(steps[steps > 0], return_counts=True)
    if not len(steps):
        return otherwise
    usual = steps[counts >= _RARE * counts.sum()]
    return Grid(unit, int((usual if len(usual) else steps).min()), int(numbers.min()))


def check_cover(grid: Grid, days: np.ndarray, declared: bool) -> list[str]:
    """Notes on periods without any row; ``days`` are the sorted unique dates.

    Raises:
        InputError: a declared frequency finer than the dates, or hardly any period seen.
    """
    seen = np.unique(grid.period_of(days))
    gaps = np.diff(seen)
    if declared and len(seen) > 3 and (finest := int(np.gcd.reduce(gaps))) > 1:
        raise InputError(
            f"freq: expected periods at least as long as the steps between dates, found {grid.frequency} "
            f"where dates are {finest} such periods apart"
        )
    total = int(seen[-1] - seen[0]) + 1
    if total >= 20 and len(seen) < _LEAST_COVER * total:
        widest = int(np.argmax(gaps))
        before, after = grid.starts(seen[widest : widest + 2])
        raise InputError(
            f"date: expected a calendar without gaps, found rows in {len(seen)} of its {total} periods; "
            f"the longest gap is {before} to {after}"
        )
    absent = np.setdiff1d(np.arange(seen[0], seen[-1] + 1), seen)
    if not len(absent):
        return []
    shown = ", ".join(str(day) for day in grid.starts(absent[:3]))
    return [f"date: {len(absent)} of {total} periods have no row at all (kept as unknown), first: {shown}"]


def partial_edges(grid: Grid, days: np.ndarray) -> np.ndarray:
    """Which of the first and last periods hold clearly fewer dates than is usual: 0 to 2 period indices."""
    periods, counts = np.unique(grid.period_of(days), return_counts=True)
    if len(periods) < 4:
        return periods[:0]
    share = counts / grid.lengths(periods)  # by length, so that February is not short
    edges = np.array([0, len(periods) - 1])
    return periods[edges[share[edges] < 0.95 * np.median(share)]]


def _numbers(dates: np.ndarray, unit: str) -> np.ndarray:
    return dates.astype(f"datetime64[{unit}]").astype(np.int64)


def _usual_step(numbers: np.ndarray) -> int:
    """The most common gap; among equally common ones, the one that leaves the fewest numbers off its grid."""
    steps, counts = np.unique(np.diff(numbers), return_counts=True)
    candidates = [int(step) for step in steps[counts == counts.max()]]
    return min(candidates, key=lambda step: _off_grid(numbers, step).sum())


def _off_grid(numbers: np.ndarray, step: int) -> np.ndarray:
    """Which numbers are not a whole count of steps from most of the others: bool."""
    phases, counts = np.unique(numbers % step, return_counts=True)
    return numbers % step != phases[np.argmax(counts)]


def _are_months(days: np.ndarray) -> bool:
    """Whether every date is the first, or every one the last, of its month."""

    def all_first(dates: np.ndarray) -> bool:
        return bool((dates == dates.astype("datetime64[M]").astype("datetime64[D]")).all())

    return all_first(days) or all_first(days + 1)
