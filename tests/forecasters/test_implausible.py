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
