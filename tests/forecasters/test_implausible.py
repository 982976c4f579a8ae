"""Numbers that cannot be meant are said, with their rows, and not learned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.panel import read_panel

WEEKS = 60
PAIRS = [(s, i) for s in ("north", "south") for i in ("milk", "tea", "jam")]


def table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2023-01-02", periods=WEEKS, freq="W-MON")
    parts = []
    for location, item in PAIRS:
        price = 2.0 * rng.choice([1.0, 0.8], WEEKS, p=[0.8, 0.2])
        units = rng.poisson(20 * (price / 2) ** -2)
        parts.append(
            pd.DataFrame({"date": dates, "location": location, "item": item, "units": units, "price": price})
        )
    return pd.concat(parts, ignore_index=True).astype({"units": float})


@pytest.mark.parametrize("spike", [3000.0, 80_995.0])
def test_a_row_a_hundred_times_its_series_is_unknown_and_named(spike: float) -> None:
    frame = table()
    frame.loc[70, "units"] = spike  # north tea, week 10
    panel = read_panel(frame)
    known = read_panel(table()).units
    assert np.isnan(panel.units[10, 2])
    assert (np.delete(panel.units.ravel(), 10 * 6 + 2) == np.delete(known.ravel(), 10 * 6 + 2)).all()
    (note,) = panel.report.notes
    assert f"such as {spike:g}, taken as unknown, first: 2023-03-13 north tea" in note


def test_a_promotion_that_sells_ten_times_as_much_stays() -> None:
    frame = table()
    frame.loc[70, "units"] = 250.0
    assert read_panel(frame).report.notes == ()


def test_a_week_in_which_every_shop_sells_a_hundred_times_as_much_stays() -> None:
    frame = table()
    everywhere = (frame["item"] == "tea") & (frame["date"] == "2023-03-13")
    third = frame[frame["location"] == "south"].assign(location="west")
    frame = pd.concat([frame, third], ignore_index=True)
    everywhere = (frame["item"] == "tea") & (frame["date"] == "2023-03-13")
    frame.loc[everywhere, "units"] *= 100
    assert read_panel(frame).report.notes == ()


def test_a_row_that_a_low_price_explains_stays() -> None:
    frame = table()
    frame.loc[70, ["units", "price"]] = (2000.0, 0.7)
    assert read_panel(frame).report.notes == ()


def test_a_price_of_another_unit_is_unknown() -> None:
    frame = table()
    frame.loc[70, "price"] = 200.0
    panel = read_panel(frame)
    assert panel.price[10, 2] == panel.price[9, 2]
    assert any(
        "as if of another unit" in note and "2023-03-13 north tea" in note for note in panel.report.notes
    )
    frame.loc[70:80, "price"] = 200.0
    with pytest.raises(InputError, match=r"expected prices of one unit .* of north tea"):
        read_panel(frame)


def test_a_new_currency_is_refused_with_its_day_and_rate() -> None:
    frame = table()
    frame.loc[frame["date"] >= "2023-09-04", "price"] /= 7.5345
    with pytest.raises(InputError, match=r"from 2023-09-04 on 6 series cost 0.1327 times what they did"):
        read_panel(frame)


def test_a_sale_of_everything_is_no_currency() -> None:
    frame = table()
    frame.loc[frame["date"].between("2023-09-04", "2023-09-24"), "price"] /= 2
    read_panel(frame)
    frame.loc[frame["date"] >= "2023-12-01", "price"] *= 1.15  # nor is a year of inflation
    read_panel(frame)


def promoted() -> pd.DataFrame:
    """With a flag, a column that is the same everywhere, visitors of shops of two sizes, and an attribute."""
    frame, rng = table(), np.random.default_rng(1)
    frame["promo"] = (frame["price"] < 2).astype(float)
    warm = rng.normal(15, 5, WEEKS)
    frame["warm"] = np.tile(warm, len(PAIRS))
    frame["visitors"] = rng.poisson(np.where(frame["location"] == "north", 9, 9000)).astype(float)
    frame["area"] = np.where(frame["location"] == "north", 1.0, 5000.0)
    return frame


COLUMNS = ("promo", "warm", "visitors")


def test_columns_as_they_should_be_stay() -> None:
    panel = read_panel(promoted(), roles={"warm": "exogenous", "visitors": "past"})
    assert not [note for note in panel.report.notes if "far from all others" in note]
    assert all(np.isfinite(c.values).all() for c in panel.covariates)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_stray_value_of_a_column_is_an_empty_one(column: str) -> None:
    """The rest of the column would be scaled by it, for every series."""
    panels = []
    for value in (20_000.0, np.nan):
        frame = promoted()
        frame.loc[70, column] = value  # north tea, week 10, where nine visitors are usual
        panels.append(read_panel(frame, roles={"warm": "exogenous", "visitors": "past"}))
    stray, empty = ({c.name: c for c in panel.covariates} for panel in panels)
    for name in (*COLUMNS, "area"):
        np.testing.assert_array_equal(stray[name].values, empty[name].values)
        assert stray[name].role == empty[name].role
    (note,) = [note for note in panels[0].report.notes if "far from all others" in note]
    assert note.startswith(f"{column}: 1 rows far from all others, such as 20000, taken as unknown")
    assert "2023-03-13" in note


@pytest.mark.parametrize("rows", range(8, 12))
def test_a_series_of_few_rows_does_not_hide_its_spike(rows: int) -> None:
    """A quantile between the spike and the row before would count a part of the spike as usual."""
    frame = promoted()
    few = frame[(frame["location"] == "north") & (frame["item"] == "tea")].index
    frame.loc[few[rows:], "units"] = 0.0
    frame.loc[few[:rows], "promo"], frame.loc[few[rows:], "promo"] = 1.0, 0.0
    frame.loc[few[3], ["units", "promo"]] = 20_000.0
    panel = read_panel(frame, roles={"warm": "exogenous", "visitors": "past"})
    (promo,) = [c.values for c in panel.covariates if c.name == "promo"]
    assert np.isnan(panel.units[3, 2])
    assert np.isnan(promo[3, 2])


def test_what_was_kept_once_is_kept_when_it_is_read_again() -> None:
    from mercato.forecasters.panel.implausible import without_strays

    rng = np.random.default_rng(0)
    for _ in range(20):
        values = np.exp(rng.normal(0, 3, (40, 3)))  # so heavy a tail that many lie at the limit
        once, _ = without_strays(values)
        again, strays = without_strays(once)
        np.testing.assert_array_equal(once, again)
        assert not strays.any()
