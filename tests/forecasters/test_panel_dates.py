"""Dates and periods: the day that was meant, and periods that all rows share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.panel import read_panel
from mercato.forecasters.panel.dates import days_of


def days(*text: str) -> tuple[list[str], list[str]]:
    notes: list[str] = []
    return days_of(pd.Series(text, name="date"), notes).astype(str).tolist(), notes


def table(dates: pd.DatetimeIndex | list[str]) -> pd.DataFrame:
    rows = [
        pd.DataFrame({"date": dates, "location": s, "item": "tea", "units": 5, "price": 2.0}) for s in "ab"
    ]
    return pd.concat(rows)


def test_local_midnights_written_in_utc_are_the_day_that_began() -> None:
    winter_and_summer = days("2024-01-31T23:00:00Z", "2024-06-30T22:00:00Z")
    assert winter_and_summer[0] == ["2024-02-01", "2024-07-01"]
    assert "2 rows are of the day after" in winter_and_summer[1][0]
    assert days("2024-01-31T05:00:00Z", "2024-06-30T04:00:00Z")[0] == ["2024-01-31", "2024-06-30"]  # New York
    assert days("2024-01-31T00:00:00Z", "2024-06-30T23:00:00Z")[0] == ["2024-01-31", "2024-07-01"]  # London


def test_times_of_sales_are_left_out_as_they_are_written() -> None:
    found, notes = days("2024-01-31T05:13:00Z", "2024-01-31T23:59:00Z")
    assert found == ["2024-01-31", "2024-01-31"]
    assert notes == ["date: 2 rows carry a time of day, left out"]


def test_a_zone_that_changes_in_summer_changes_no_day() -> None:
    assert days("2024-01-31T00:00:00+01:00", "2024-07-01T00:00+0200", "2024-07-02") == (
        ["2024-01-31", "2024-07-01", "2024-07-02"],
        [],
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (("31.01.2024", "1.2.2024 00:00"), ["2024-01-31", "2024-02-01"]),
        (("01.02.2024", "08.02.2024"), ["2024-02-01", "2024-02-08"]),  # with dots the day is first
        (("31/01/2024", "07/02/2024"), ["2024-01-31", "2024-02-07"]),
        (("2/7/2024", "1/31/2024"), ["2024-02-07", "2024-01-31"]),
    ],
)
def test_dates_that_end_in_the_year_are_read_where_the_column_tells_how(
    written: tuple[str, ...], meant: list[str]
) -> None:
    found, notes = days(*written)
    assert found == meant
    first = "month" if written[1].startswith("1/31") else "day"
    assert notes[0] == f"date: read with the {first} first, such as {written[0]}"


def test_two_orders_in_one_column_are_refused() -> None:
    with pytest.raises(InputError, match="nothing tells day from month"):
        days("31/12/2024", "12/31/2024")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("202452", "give the first day of each week"),
        ("7", "give the first day of each week"),
        ("2024-W07", "give the first day of each week"),
        ("45292", "days since 1900 are no dates"),
        ("0001-01-01", "expected ISO dates"),
        ("01/02/2024", "nothing tells day from month"),
        ("31.02.2024", "expected ISO dates"),
    ],
)
def test_what_is_no_date_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        days(text, text)


def test_a_retail_calendar_is_refused_by_its_name_and_not_pressed_into_months() -> None:
    ends = pd.to_datetime("2021-01-31") + pd.to_timedelta(np.cumsum([0, *[28, 35, 28] * 12]), "D")
    with pytest.raises(InputError, match="4-4-5 retail calendar; give the weekly rows"):
        read_panel(table(ends))
    with pytest.raises(InputError, match="some months would get two"):
        read_panel(table(ends), freq="MS")


def test_years_are_no_periods() -> None:
    with pytest.raises(
        InputError, match=r"expected periods of a quarter at most, found periods of 36[56] days"
    ):
        read_panel(table(pd.date_range("2010-01-01", periods=12, freq="YS")))
    assert read_panel(table(pd.date_range("2010-01-01", periods=12, freq="QS"))).frequency == "3MS"


@pytest.mark.parametrize("turned", [False, True])
def test_daily_rows_and_then_weekly_ones_are_told_apart(turned: bool) -> None:
    daily, weekly = (
        pd.date_range("2024-01-01", periods=90),
        pd.date_range("2024-03-31", periods=20, freq="7D"),
    )
    if turned:
        weekly = weekly - pd.Timedelta(days=140 + 90)
    both = weekly.append(daily) if turned else daily.append(weekly)
    with pytest.raises(InputError, match=r"rows of one length throughout.*--freq"):
        read_panel(table(both))
    panel = read_panel(table(both), freq="W")
    assert panel.frequency == "W"


def test_a_table_of_sales_alone_is_one_rhythm() -> None:
    """Rows are missing where nothing was sold, more of them in one season than in another."""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2024-01-01", periods=365)
    sold = rng.random(365) < np.where(np.arange(365) < 180, 0.9, 0.4)
    assert read_panel(table(dates[sold])).frequency == "D"
