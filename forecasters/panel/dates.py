"""From a column of dates to days: the day that was meant where the shop is."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ..errors import InputError

_EXPECTED = "expected ISO dates such as 2024-01-31, found"
_WITH_OFFSET = r"^(.{10}[T ]\d\d(?::?\d\d){0,2}(?:\.\d+)?) ?(?:[+-]\d\d(?::?\d\d)?|Z)$"
_YEAR_LAST = (
    r"\s*(?P<one>\d{1,2})(?P<mark>[./-])(?P<other>\d{1,2})(?P=mark)(?P<year>\d{4})(?P<rest>[T ].+)?\s*"
)
_MONTHS = 12
_YEARS = (1900, 2300)
_NOON = pd.Timedelta(hours=12)
_DAY = 24 * 60  # minutes
_SINCE_1970 = {10: "s", 13: "ms"}  # by the number of digits


def days_of(column: pd.Series, notes: list[str]) -> np.ndarray:
    """(R,) datetime64[D]; text is ISO 8601, YYYYMMDD or ends in the year: 31.01.2024, 1/31/2024.

    A time of day is left out, as it is written. Where all times are UTC and one and the same, but for an hour
    in summer, they are midnights of a shop elsewhere: 23:00 is the day after.

    Raises:
        InputError: what cannot be read as a date.
    """
    stamps, utc = _read(column, notes)
    day = stamps.dt.normalize()
    if not (timed := stamps != day).any():
        return day.to_numpy().astype("datetime64[D]")
    if utc and _are_midnights(time := stamps - day):
        later = time >= _NOON
        clock = " or ".join(sorted({_clock(t) for t in time.unique()}))
        notes.append(
            f"{column.name}: all times are {clock} in UTC, read as midnight where the shop is: {later.sum()}"
            " rows are of the day after"
        )
        return (day + pd.to_timedelta(later.astype(int), "D")).to_numpy().astype("datetime64[D]")
    notes.append(f"{column.name}: {timed.sum()} rows carry a time of day, left out")
    return day.to_numpy().astype("datetime64[D]")


def times_of(column: pd.Series, notes: list[str]) -> np.ndarray:
    """(R,) datetime64[s], as a clock at the place of writing shows it; text as ``days_of`` reads it.

    Numbers of 10 or 13 digits are seconds or milliseconds since 1970, as databases log them, in UTC.

    Raises:
        InputError: what cannot be read as a date.
    """
    told = pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)
    numbers = pd.to_numeric(column, errors="coerce") if told else column
    if pd.api.types.is_numeric_dtype(numbers) and (unit := _SINCE_1970.get(_digits(numbers))):
        notes.append(f"{column.name}: read as time since 1970 in {unit}, UTC")
        return numbers.to_numpy(np.int64).astype(f"datetime64[{unit}]").astype("datetime64[s]")
    code, distinct = pd.factorize(column, use_na_sentinel=False)  # a day's many events share its text
    try:
        stamps, _ = _read(pd.Series(distinct, name=column.name), notes)
    except InputError:
        stamps, _ = _read(column, notes)  # which counts the rows
        return stamps.to_numpy().astype("datetime64[s]")
    return stamps.to_numpy().astype("datetime64[s]")[code]


def _digits(column: pd.Series) -> int:
    """Of each of the numbers in a column; 0 where they differ or one is missing."""
    if not len(column) or column.isna().any():
        return 0
    low, high = (len(f"{value:.0f}") for value in (column.min(), column.max()))
    return low if low == high else 0


def _read(column: pd.Series, notes: list[str]) -> tuple[pd.Series, bool]:
    """Times as they are written, and whether all are in UTC."""
    if pd.api.types.is_numeric_dtype(column):
        column = column.convert_dtypes().astype(str)
    stamps, utc = _stamps(_year_first(column, notes))
    bad = ~stamps.dt.year.between(*_YEARS).to_numpy()  # nor is what is no date
    if bad.any():
        raise InputError(f"{column.name}: {_EXPECTED} {unreadable(column, bad)}{_hint(column, bad)}")
    return stamps, utc


def _year_first(column: pd.Series, notes: list[str]) -> pd.Series:
    """Dates that end in the year, 31.01.2024 or 1/31/2024, as ISO dates.

    With dots the day comes first. 01/02/2024 is two dates, unless another row has a 13th month one way round.
    """
    first = str(column.dropna().iloc[0]) if column.notna().any() else ""
    if not re.fullmatch(_YEAR_LAST, first):
        return column
    parts = column.astype(str).str.extract(rf"^{_YEAR_LAST}$")
    one, other = (pd.to_numeric(parts[group]) for group in ("one", "other"))
    month_first, day_first = bool((other > _MONTHS).any()), bool((one > _MONTHS).any())
    if month_first == day_first and not (parts["mark"].dropna() == ".").all():
        return column
    day, month = (other, one) if month_first else (one, other)
    notes.append(
        f"{column.name}: read with the {'month' if month_first else 'day'} first, such as {first:.40}"
    )
    text = (
        parts["year"] + month.map("-{:02.0f}".format) + day.map("-{:02.0f}".format) + parts["rest"].fillna("")
    )
    return text.where(parts["year"].notna(), column)


def _stamps(column: pd.Series) -> tuple[pd.Series, bool]:
    """Times as a clock at the place of writing shows them, and whether all are in UTC."""
    try:
        stamps = pd.to_datetime(column, format="ISO8601", errors="coerce")
    except (ValueError, TypeError):  # of several zones: each as it is written
        text = column.astype(str).str.replace(_WITH_OFFSET, r"\1", regex=True)
        return pd.to_datetime(text, format="ISO8601", errors="coerce"), False
    if stamps.dt.tz is None:
        return stamps, False
    return stamps.dt.tz_localize(None), str(stamps.dt.tz) in ("UTC", "UTC+00:00", "tzutc()")


def _are_midnights(time: pd.Series) -> bool:
    """Whether times of day (R,) are one, or two an hour apart (23:00 and 0:00 are), on the quarter hour."""
    minutes = sorted({pd.Timedelta(t).total_seconds() / 60 for t in time.unique()})
    apart = minutes[-1] - minutes[0]
    return len(minutes) <= 2 and min(apart, _DAY - apart) <= 60 and not any(m % 15 for m in minutes)


def _clock(time: pd.Timedelta) -> str:
    minutes = int(pd.Timedelta(time).total_seconds()) // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _hint(column: pd.Series, bad: np.ndarray) -> str:
    text = column[bad].astype(str).str.removesuffix(".0").str.strip()
    if text.str.fullmatch(r"\d{1,2}|\d{4}-?W?\d{2}|\d{4}-W\d{2}-\d").all():
        return "; give the first day of each week or month"
    if (ends := text.str.extract(rf"^{_YEAR_LAST}$"))["year"].notna().all() and (ends["mark"] != ".").any():
        return "; nothing tells day from month"
    if text.str.fullmatch(r"\d{5}").all():
        return "; days since 1900 are no dates: export them as text"
    return ""


def unreadable(column: pd.Series, bad: np.ndarray) -> str:
    """How many rows of a column cannot be read, and the first of them; bool (R,)."""
    rows = np.flatnonzero(bad)
    shown = ", ".join(f"{str(column.iloc[row])!r:.40} (row {row + 1})" for row in rows[:3])
    return f"{len(rows)} rows with {shown}" if len(rows) > 1 else f"1 row with {shown}"
