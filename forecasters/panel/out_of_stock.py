"""Shares of a period out of stock, from a column in whatever unit it counts in.

A unit is named after the column, ``--map censored=COLUMN:UNIT``; a share of the period needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import InputError
from .traffic import HOURS, usual_traffic

if TYPE_CHECKING:
    from .columns import Rows

COLUMN = "censored"
_EXPECTED = "hours, minutes (hours/16: of a day of 16), percent or hourmask"
_SLACK = 1e-6  # relative: what a file's rounding may add to a whole period


class Unit(Protocol):
    """What the numbers of a column of stock-outs count."""

    def shares(
        self, values: np.ndarray, rows: Rows, days: np.ndarray, traffic: Sequence[float], notes: list[str]
    ) -> tuple[np.ndarray, tuple[float, ...]]:
        """Shares of the period (R,), NaN where unknown, and the traffic by hour that they were weighted with.

        Args:
            values: the column (R,), NaN where unknown.
            rows: whose column it is.
            days: (R,) that each row covers.
            traffic: of each hour, a share of the day's; to be learned from the table where empty.

        Raises:
            InputError: a value outside what the unit allows.
        """
        ...


@dataclass(frozen=True)
class Amount:
    """A part of the period: ``a_period + a_day`` × days is the whole of it."""

    name: str
    a_period: float = 0.0
    a_day: float = 0.0

    def shares(
        self, values: np.ndarray, rows: Rows, days: np.ndarray, traffic: Sequence[float], notes: list[str]
    ) -> tuple[np.ndarray, tuple[float, ...]]:
        whole = self.a_period + self.a_day * days
        if (bad := (values < 0) | (values > whole * (1 + _SLACK))).any():
            first = np.flatnonzero(bad)[0]
            raise InputError(
                f"{COLUMN}: expected 0 to {whole[first]:g}{self.name and ' ' + self.name}, found {bad.sum()} "
                f"rows outside, such as {values[first]:g}, {rows.where(bad)}{self._hint(values)}"
            )
        share = np.clip(values / whole, 0, 1)
        if self.name:
            notes.append(
                f"{COLUMN}: read as {self.name} of {_span(whole)} a row ({_span(days)} days), "
                f"{np.nanmean(share) if np.isfinite(share).any() else 0:.1%} out of stock on average"
            )
        return share, ()

    def _hint(self, values: np.ndarray) -> str:
        """Which unit would fit numbers that are no shares."""
        if self.name or (values < 0).any():
            return ""
        most = np.nanmax(values)
        fitting = next((unit for unit, top in (("hours", 24), ("percent", 100)) if most <= top), "minutes")
        return f"; if they are {fitting}, declare it: --map {COLUMN}=THEIRS:{fitting}"


@dataclass(frozen=True)
class HourMask:
    """Which hours of a day were out: bit h (worth 2 to the power h) is the hour from h:00 to h + 1:00.

    Hours count by the usual traffic in them.
    """

    def shares(
        self, values: np.ndarray, rows: Rows, days: np.ndarray, traffic: Sequence[float], notes: list[str]
    ) -> tuple[np.ndarray, tuple[float, ...]]:
        if (days != 1).any():
            raise InputError(
                f"{COLUMN}: expected one row a day for an hourmask, found rows of {_span(days)} days"
            )
        top = 2**HOURS - 1
        if (bad := (values < 0) | (values > top) | (values % 1 > 0)).any():
            shown = values[np.flatnonzero(bad)[0]]
            raise InputError(
                f"{COLUMN}: expected an hourmask, whole numbers from 0 to {top} (bit 0 is the hour after "
                f"midnight), found {bad.sum()} rows outside, such as {shown:g}, {rows.where(bad)}"
            )
        masks, which = np.unique(np.nan_to_num(values).astype(np.int64), return_inverse=True)
        open_hours = 1.0 - (masks[:, None] >> np.arange(HOURS) & 1)  # (M, 24)
        learned = tuple(traffic)
        if not learned:
            series = rows.location * len(rows.items) + rows.item
            learned = usual_traffic(rows.numbers["units"], open_hours, which, series)
        shown = ", ".join(f"{hour:02d} {share:.1%}" for hour, share in enumerate(learned))
        notes.append(
            f"{COLUMN}: hours out of stock weighted by the usual traffic of the hour, "
            f"{'as when the market was fitted' if traffic else 'learned from the table'}: {shown}"
        )
        share = np.clip(1 - open_hours @ np.array(learned), 0, 1)
        share[masks == top] = 1  # beyond rounding
        share[masks == 0] = 0
        return np.where(np.isnan(values), np.nan, share[which]), learned


SHARE = Amount("", a_period=1)


def split_units(
    renames: Mapping[str, str], columns: Iterable[str], named: str
) -> tuple[dict[str, str], Unit]:
    """The renames (ours -> theirs) with the unit of ``censored`` taken off, and that unit.

    A column whose own name ends like a unit is that column.

    Raises:
        InputError: a unit that is none.
    """
    renames, columns = dict(renames), set(columns)
    column, colon, unit = renames.get(COLUMN, "").rpartition(":")
    if not colon or f"{column}:{unit}" in columns:
        return renames, SHARE
    if column not in columns and _unit(unit) is None:
        return renames, SHARE  # a column that the table lacks, as it is written
    found = _unit(unit)
    if found is None:
        raise InputError(f"{named}: expected a unit of {column}, one of {_EXPECTED}, found {unit!r}")
    return {**renames, COLUMN: column}, found


def _unit(text: str) -> Unit | None:
    name, slash, of = text.partition("/")
    if text == "hourmask":
        return HourMask()
    if text == "percent":
        return Amount("percent", a_period=100)
    day = {"hours": 24.0, "minutes": 1440.0}.get(name)
    if day is None:
        return None
    try:
        whole = float(of) if slash else day
    except ValueError:
        return None
    return Amount(name, a_day=whole) if 0 < whole <= day else None


def with_shares(
    rows: Rows, unit: Unit, days: np.ndarray, traffic: Sequence[float], notes: list[str]
) -> tuple[Rows, tuple[float, ...]]:
    """``rows`` with ``censored`` as a share, and the traffic by hour that it was weighted with, if any.

    The share is the one given, in its unit; or 1 where the stock at the period's end is nothing; or 0.
    """
    numbers, learned = dict(rows.numbers), tuple[float, ...]()
    if COLUMN in numbers:
        share, learned = unit.shares(numbers[COLUMN], rows, days, traffic, notes)
        if (empty := np.isnan(share)).any():
            notes.append(f"{COLUMN}: {empty.sum()} rows are empty, taken as in stock, {rows.where(empty)}")
        numbers[COLUMN] = np.nan_to_num(share)
    else:
        numbers[COLUMN] = _used_up(rows, notes)
    return replace(rows, numbers=numbers), learned


def _used_up(rows: Rows, notes: list[str]) -> np.ndarray:
    """1 where the stock at the period's end is nothing, else 0."""
    stock = rows.numbers.get("stock_on_hand")
    if stock is None:
        return np.zeros(len(rows.day))
    empty = stock <= 0
    if empty.any():
        notes.append(
            f"{COLUMN}: {empty.sum()} rows whose stock_on_hand is used up are flagged as censored, "
            f"{rows.where(empty)}"
        )
    return empty.astype(np.float64)


def _span(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
