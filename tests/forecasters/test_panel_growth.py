"""A later table adds to a market's panel: new names, rows that were booked since, columns that stopped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.features.history import build_history
from mercato.forecasters.panel import SalesPanel, read_panel, write_panel
from mercato.forecasters.panel.growth import grown

WEEKS = 30


def table(begin: int, end: int, shops: str = "bc", items: str = "jt") -> pd.DataFrame:
    """Weeks ``begin`` … ``end``; units and prices tell shop, item and week."""
    dates = pd.date_range("2023-01-02", periods=end, freq="W-MON")[begin:]
    week = np.arange(begin, end)
    return pd.concat(
        pd.DataFrame(
            {
                "date": dates,
                "location": shop,
                "item": item,
                "category": "drinks" if item in "tu" else "food",
                "units": week + 10 * ord(shop) + ord(item),
                "price": 1.0 + week / 100 + ord(item) / 100,
                "promo": (week % 5 == 0) * 1,
                "size": float(ord(shop) - 90),
            }
        )
        for shop in shops
        for item in items
    )


def panel(frame: pd.DataFrame) -> SalesPanel:
    return read_panel(frame, roles={"size": "static"} if "size" in frame else None)


def test_one_week_of_rows_is_as_good_as_the_whole_table() -> None:
    own, whole = panel(table(0, WEEKS)), panel(table(0, WEEKS + 1))
    for latest in (panel_of_week(WEEKS), whole):
        found = grown(own, latest)
        assert found.news
        assert not found.series.any()
        assert found.differing == 0
        np.testing.assert_array_equal(found.panel.units, whole.units)
        np.testing.assert_array_equal(found.panel.price, whole.price)
        assert found.notes == ()


def panel_of_week(week: int) -> SalesPanel:
    return read_panel(table(week, week + 1), roles={"size": "static"}, otherwise="W")


def test_nothing_new_is_no_news() -> None:
    own = panel(table(0, WEEKS))
    assert not grown(own, own).news


def test_new_names_come_in_their_order_as_if_they_had_always_been_there(tmp_path) -> None:
    own = panel(table(0, WEEKS))
    latest = pd.concat(
        [table(0, WEEKS + 2), table(WEEKS, WEEKS + 2, "a", "jt"), table(WEEKS, WEEKS + 2, "b", "u")]
    )
    found, whole = grown(own, panel(latest)), panel(latest)
    assert (found.locations, found.items) == (("a",), ("u",))
    assert found.panel.locations == whole.locations
    assert found.panel.items == whole.items
    np.testing.assert_array_equal(found.panel.series, whole.series)
    np.testing.assert_array_equal(found.panel.units, whole.units)
    assert found.panel.categories == whole.categories
    assert found.series.sum() == 3
    write_panel(found.panel, tmp_path / "panel.parquet")
    again = read_panel(tmp_path / "panel.parquet")
    np.testing.assert_array_equal(again.series, found.panel.series)
    np.testing.assert_array_equal(again.units, found.panel.units)


def test_new_series_are_measured_by_the_scales_of_the_known_ones() -> None:
    own = panel(table(0, WEEKS))
    latest = pd.concat([table(0, WEEKS + 2), table(WEEKS, WEEKS + 2, "z", "jt")])
    found = grown(own, panel(latest))
    before, after = build_history(own), build_history(found.panel, fitted=WEEKS)
    np.testing.assert_allclose(after.static[:2], before.static, atol=1e-6)
    assert after.static[2, 0, 0] > 3


def test_rows_that_are_others_now_are_counted_with_the_first_of_them() -> None:
    own, latest = panel(table(0, WEEKS)), table(20, WEEKS + 1)
    late = (latest["date"] == pd.Timestamp("2023-01-02") + pd.Timedelta(weeks=25)) & (
        latest["location"] == "b"
    )
    latest.loc[late & (latest["item"] == "t"), "units"] = 7
    found = grown(own, panel(latest))
    assert (found.differing, found.overlap) == (1, 40)
    (note,) = found.notes
    assert "1 of 40 rows" in note
    assert "2023-06-26, b, t: units 1121 before, 7 now" in note
    assert found.panel.units[25, 1] == 7


def test_a_table_of_other_numbers_is_refused() -> None:
    own, latest = panel(table(0, WEEKS)), table(0, WEEKS + 1)
    latest["units"] *= 12
    with pytest.raises(InputError, match="carries the market's own on, found 120 of the 120 rows"):
        grown(own, panel(latest))


def test_a_column_that_stopped_is_unknown_from_then_on() -> None:
    own = panel(table(0, WEEKS))
    found = grown(own, panel(table(WEEKS - 2, WEEKS + 2).drop(columns="promo")))
    assert found.lacking == ("promo",)
    values = found.panel.covariate("promo").values
    assert np.isnan(values[WEEKS - 2 :]).all()
    assert np.isfinite(values[: WEEKS - 2]).all()
    assert any("promo: not in the latest table" in note for note in found.notes)
