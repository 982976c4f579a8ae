"""Public holidays as a column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.features.history import build_history, calendar
from mercato.forecasters.panel import read_panel, write_panel
from mercato.forecasters.panel.holidays import NAME, holiday_days


def table(dates: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame({"date": dates, "location": "a", "item": "tea", "units": 5, "price": 2.0})


def test_good_friday_and_easter_monday_are_in_weeks_of_their_own() -> None:
    weeks = np.arange("2024-03-18", "2024-04-15", 7, dtype="datetime64[D]")
    found = holiday_days("DE", weeks, np.datetime64("2024-04-15"))
    assert found.tolist() == [0, 1, 1, 0]  # 29 March, 1 April


def test_a_part_of_a_country_has_its_own() -> None:
    day = np.array(["2024-01-06"], dtype="datetime64[D]")  # Epiphany
    assert holiday_days("DE-BY", day, day[-1] + 1)[0] == 1
    assert holiday_days("DE-BE", day, day[-1] + 1)[0] == 0


@pytest.mark.parametrize("country", ["XX", "DE-ZZ", "", "Germany"])
def test_another_code_is_refused_in_a_line(country: str) -> None:
    day = np.array(["2024-01-06"], dtype="datetime64[D]")
    with pytest.raises(InputError, match="expected the ISO code"):
        holiday_days(country, day, day[-1] + 1)


def test_holidays_are_known_beyond_the_table_where_easter_moves() -> None:
    panel = read_panel(table(pd.date_range("2022-01-03", "2024-02-26", freq="W-MON")), holidays="DE")
    history = build_history(panel)
    dates, _ = calendar(panel.dates, panel.frequency)
    laid_out = history.ahead[:, 0, 0, -1]
    good_friday, year_after = (list(dates).index(np.datetime64(x)) for x in ("2024-03-25", "2024-04-08"))
    assert float(laid_out[good_friday]) > 1 > float(laid_out[year_after])


@pytest.mark.parametrize("freq", ["D", "W-MON", "W-SUN", "2W-WED", "MS", "2MS"])
def test_periods_beyond_the_table_follow_those_in_it(freq: str) -> None:
    """Weeks that begin on another day than the calendar's own, too."""
    known = pd.date_range("2022-01-01", periods=40, freq=freq)
    beyond = pd.date_range(known[-1], periods=61, freq=freq)[1:]
    panel = read_panel(table(known))
    dates, _ = calendar(panel.dates, panel.frequency)
    assert pd.DatetimeIndex(dates[len(known) :]).equals(beyond.as_unit("s")), panel.frequency


def test_a_written_panel_keeps_them(tmp_path: Path) -> None:
    panel = read_panel(table(pd.date_range("2024-01-01", periods=60)), holidays="US")
    write_panel(panel, tmp_path / "panel.parquet")
    again = read_panel(tmp_path / "panel.parquet")
    np.testing.assert_array_equal(again.covariate(NAME).values, panel.covariate(NAME).values)
    assert (again.covariate(NAME).country, again.covariate(NAME).role) == ("US", "exogenous")
