"""Hours, minutes, percent and which hours out of stock, all read as one share of the period."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.panel.traffic import usual_traffic


def sales(out: list[float], freq: str = "D") -> pd.DataFrame:
    """One series; ``empty`` is how long it was out of stock."""
    dates = pd.date_range("2024-01-01", periods=len(out), freq=freq)
    price = 2.0 + np.arange(len(out)) % 2
    return pd.DataFrame(
        {"date": dates, "location": "a", "item": "x", "units": 5, "price": price, "empty": out}
    )


def shares(frame: pd.DataFrame, unit: str, freq: str | None = None) -> list[float]:
    return read_panel(frame, map={"censored": f"empty:{unit}"}, freq=freq).censored.ravel().tolist()


def said(panel: SalesPanel) -> str:
    return next(note for note in panel.report.notes if note.startswith("censored: read as"))


@pytest.mark.parametrize(
    ("unit", "out", "expected"),
    [
        ("hours", [0, 6, 24], [0, 0.25, 1]),
        ("hours/16", [0, 4, 16], [0, 0.25, 1]),
        ("minutes", [0, 360, 1440], [0, 0.25, 1]),
        ("minutes/960", [0, 240, 960], [0, 0.25, 1]),
        ("percent", [0, 25, 100], [0, 0.25, 1]),
        ("percent", [0, 25, np.nan], [0, 0.25, 0]),
    ],
)
def test_units(unit: str, out: list[float], expected: list[float]) -> None:
    assert shares(sales(out), unit) == pytest.approx(expected)


def test_how_it_was_read_is_said() -> None:
    panel = read_panel(sales([0, 6, 24], "W"), map={"censored": "empty:hours/16"})
    assert said(panel) == ("censored: read as hours of 112 a row (7 days), 8.9% out of stock on average")


def test_hours_of_a_longer_row_are_out_of_all_its_days() -> None:
    assert shares(sales([0, 84, 168], "W"), "hours") == pytest.approx([0, 0.5, 1])
    january_to_april = sales([31 * 24, 29 * 12, 31 * 12, 0], "MS")
    assert shares(january_to_april, "hours") == pytest.approx([1, 0.5, 0.5, 0])


def test_hours_of_daily_rows_stay_out_of_a_day_when_rows_are_added_up() -> None:
    assert shares(sales([6] * 14), "hours", "W") == pytest.approx([0.25, 0.25])
    assert shares(sales([12] * 7 + [0] * 7), "hours", "W") == pytest.approx([0.5, 0])
    assert shares(sales([84] * 8, "W"), "hours", "2W") == pytest.approx([0.5] * 4)


def test_series_that_start_on_different_weekdays_still_have_rows_of_a_week() -> None:
    later = sales([84] * 8, "W").assign(item="y")
    later["date"] += pd.Timedelta(days=3)
    frame = pd.concat([sales([84] * 8, "W"), later])
    panel = read_panel(frame, map={"censored": "empty:hours"}, freq="4W")
    np.testing.assert_allclose(panel.censored[np.isfinite(panel.units)], 0.5)


def test_a_flag_on_a_day_that_sold_makes_the_week_a_lower_bound() -> None:
    week = [0, 0, 0, 1, 0, 0, 0]
    assert shares(sales(week * 2), "hours/1", "W") == [1, 1]
    closed = sales(week * 2).assign(units=[5, 5, 5, 0, 5, 5, 5] * 2)
    assert shares(closed, "hours/1", "W") == pytest.approx([1 / 7] * 2)


def test_days_of_unknown_sales_do_not_count() -> None:
    frame = sales([12, 0, 0, 0, 0, 0, 0]).assign(units=[np.nan, 5, 5, 5, 5, 5, 5])
    assert shares(pd.concat([frame, sales([0] * 14).iloc[7:]]), "hours", "W") == [0, 0]


def test_a_column_whose_name_has_a_colon_is_itself() -> None:
    frame = sales([0, 0.25, 1]).rename(columns={"empty": "empty:hours"})
    panel = read_panel(frame, map={"censored": "empty:hours"})
    assert panel.censored.ravel().tolist() == [0, 0.25, 1]
    inner = frame.rename(columns={"empty:hours": "a:b"})
    assert read_panel(inner, map={"censored": "a:b:percent"}).censored.ravel().tolist() == pytest.approx(
        [0, 0.0025, 0.01]
    )


@pytest.mark.parametrize(
    ("unit", "out", "line"),
    [
        (
            "hours/16",
            [0, 18, 2],
            "censored: expected 0 to 16 hours, found 1 rows outside, such as 18, first: 2024-01-02 a x",
        ),
        (
            "percent",
            [-1, 120, 2],
            "censored: expected 0 to 100 percent, found 2 rows outside, such as -1, first: 2024-01-01 a x; "
            "2024-01-02 a x",
        ),
        (
            "hourmask",
            [0, 2**24, 0],
            "censored: expected an hourmask, whole numbers from 0 to 16777215 (bit 0 is the hour after "
            "midnight), found 1 rows outside, such as 1.67772e+07, first: 2024-01-02 a x",
        ),
        (
            "days",
            [0, 1, 0],
            "the data frame: expected a unit of empty, one of hours, minutes (hours/16: of a day of 16), "
            "percent or hourmask, found 'days'",
        ),
        ("hours/25", [0, 1, 0], "the data frame: expected a unit of empty, one of"),
        ("hours/none", [0, 1, 0], "the data frame: expected a unit of empty, one of"),
    ],
)
def test_what_does_not_fit_the_unit_is_an_error(unit: str, out: list[float], line: str) -> None:
    with pytest.raises(InputError) as caught:
        shares(sales(out), unit)
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("most", "hint"), [(24, "hours"), (90, "percent"), (1440, "minutes"), (1.5, "hours")]
)
def test_numbers_that_are_no_shares_are_told_which_unit_may_be_theirs(most: float, hint: str) -> None:
    with pytest.raises(InputError, match=rf"if they are {hint}, declare it: --map censored=THEIRS:{hint}$"):
        read_panel(sales([0, 0.5, most]), map={"censored": "empty"})


def test_an_hourmask_needs_daily_rows() -> None:
    with pytest.raises(InputError, match="expected one row a day for an hourmask, found rows of 7 days"):
        shares(sales([0, 1, 3], "W"), "hourmask")


def test_a_missing_column_is_named_without_its_unit() -> None:
    with pytest.raises(InputError, match="expected the column nowhere that the map names for censored"):
        read_panel(sales([0, 1, 2]), map={"censored": "nowhere:hours"})


def masked(seed: int, days: int = 400) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Sales of 20 series in the hours that a shelf was not empty, the masks' open hours, the true traffic."""
    rng = np.random.default_rng(seed)
    traffic = np.zeros(24)
    traffic[7:22] = rng.dirichlet(np.full(15, 2.0))
    rows = []
    for series, level in enumerate(rng.lognormal(2.5, 0.5, 20)):
        start, length = rng.integers(0, 24, days), rng.integers(0, 14, days)
        hours = np.arange(24)
        out = (hours >= start[:, None]) & (hours < (start + length)[:, None])
        out[rng.random(days) < 0.4] = False
        units = rng.poisson(level * (~out @ traffic))
        rows.append(
            pd.DataFrame(
                {
                    "date": pd.date_range("2024-01-01", periods=days),
                    "location": "a",
                    "item": f"{series:02d}",
                    "units": units,
                    "price": 1.0 + np.arange(days) % 2,
                    "mask": out.astype(np.int64) @ (1 << hours),
                    "true": out @ traffic,
                }
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    return frame, traffic, frame.pop("true").to_numpy()


def test_hours_count_by_the_traffic_learned_in_them() -> None:
    frame, traffic, true = masked(0)
    panel = read_panel(frame, map={"censored": "mask:hourmask"})
    learned = np.array(panel.reading.traffic)
    assert learned.sum() == pytest.approx(1)
    assert learned[~traffic.astype(bool)].max() < 0.02
    share = panel.censored.T.ravel()  # rows are by series here
    assert np.abs(share - true).mean() < 0.015
    even = np.array([bin(mask).count("1") for mask in frame["mask"]]) / 24
    assert np.abs(share - true).mean() < 0.25 * np.abs(even - true).mean()
    assert "learned from the table: 00 " in next(n for n in panel.report.notes if n.startswith("censored"))


def test_known_traffic_is_used_as_it_is() -> None:
    frame, _, _ = masked(1, days=40)
    morning = tuple([0.0] * 8 + [0.5, 0.5] + [0.0] * 14)
    panel = read_panel(frame, map={"censored": "mask:hourmask"}, traffic=morning)
    assert panel.reading.traffic == morning
    mask = frame["mask"].to_numpy()
    eight, nine = mask >> 8 & 1, mask >> 9 & 1
    np.testing.assert_allclose(panel.censored.T.ravel(), (eight + nine) / 2)


def test_out_all_day_is_1_and_never_out_is_0() -> None:
    frame = sales([0, 2**24 - 1, 1])
    first, second, third = shares(frame, "hourmask")
    assert (first, second) == (0, 1)
    assert 0 < third < 0.2


def test_little_data_leaves_an_even_day_over_the_hours_ever_in_stock() -> None:
    open_hours = np.ones((2, 24))
    open_hours[:, :8] = 0  # a shop that opens at 8
    open_hours[1, 8:12] = 0
    found = usual_traffic(np.array([5.0, np.nan, 3.0]), open_hours, np.array([0, 0, 1]), np.zeros(3))
    np.testing.assert_array_equal(found[:8], 0)
    np.testing.assert_allclose(found[8:], 1 / 16, atol=0.01)
    assert sum(found) == pytest.approx(1)


def test_a_table_that_never_sold_has_an_even_day() -> None:
    found = usual_traffic(np.zeros(4), np.ones((1, 24)), np.zeros(4, dtype=int), np.arange(4))
    np.testing.assert_allclose(found, 1 / 24)
