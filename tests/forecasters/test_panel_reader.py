"""What the reader makes of tables that are sound, and what it says of those that it has to mend."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.panel import SalesPanel, read_panel


def sales(periods: int = 6, freq: str = "D", locations: str = "ab", items: str = "xy") -> pd.DataFrame:
    """A sound table: units count up, each price moves."""
    dates = pd.date_range("2024-01-01", periods=periods, freq=freq)
    index = pd.MultiIndex.from_product(
        [dates, list(locations), list(items)], names=["date", "location", "item"]
    )
    frame = index.to_frame(index=False)
    rows = np.arange(len(frame))
    return frame.assign(units=rows, price=2.0 + rows % 3)


def note(panel: SalesPanel, start: str) -> str:
    """The one note that begins with ``start``."""
    found = [line for line in panel.report.notes if line.startswith(start)]
    assert len(found) == 1, panel.report.notes
    return found[0]


def test_a_sound_table_is_read_as_it_is() -> None:
    panel = read_panel(sales())
    assert panel.report.notes == ()
    assert (panel.report.rows_read, panel.report.rows_kept) == (24, 24)
    assert (panel.frequency, panel.periods) == ("D", 6)
    assert (panel.locations, panel.items) == (("a", "b"), ("x", "y"))
    np.testing.assert_array_equal(panel.series, [[0, 0], [0, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(panel.units, np.arange(24).reshape(6, 4))
    np.testing.assert_array_equal(panel.price, 2 + np.arange(24).reshape(6, 4) % 3)
    assert not panel.censored.any()
    assert panel.cost is None
    assert panel.categories == ("all", "all")
    assert panel.price_groups == ("a", "b")


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_files_read_like_frames(tmp_path: Path, ending: str) -> None:
    path, frame = tmp_path / f"sales.{ending}", sales()
    frame.to_parquet(path) if ending == "parquet" else frame.to_csv(path, index=False)
    panel = read_panel(path)
    np.testing.assert_array_equal(panel.units, read_panel(frame).units)
    assert panel.locations == ("a", "b")


def test_csv_names_stay_text(tmp_path: Path) -> None:
    frame = sales().assign(location=lambda f: f["location"].map({"a": "007", "b": "NA"}))
    frame.to_csv(tmp_path / "sales.csv", index=False)
    assert read_panel(tmp_path / "sales.csv").locations == ("007", "NA")


def test_numbers_as_names() -> None:
    assert read_panel(sales().assign(item=lambda f: f["item"].map({"x": 1.0, "y": 2.0}))).items == ("1", "2")


def test_the_callers_frame_is_left_alone() -> None:
    frame = sales().rename(columns={"units": "qty"}).set_index("date")
    before = frame.copy()
    read_panel(frame, map={"units": "qty"})
    pd.testing.assert_frame_equal(frame, before)


def test_map_renames_and_says_what_it_hides() -> None:
    frame = sales().rename(columns={"units": "qty", "date": "day"}).assign(units=-1)
    panel = read_panel(frame, map={"units": "qty", "date": "day"})
    np.testing.assert_array_equal(panel.units.ravel(), np.arange(24))
    assert note(panel, "units") == "units: read from qty; the table's own units is left out"


def test_daily_sales_of_one_shop_with_a_missing_week() -> None:
    frame = sales(periods=60, locations="a")
    gone = frame["date"].between("2024-02-05", "2024-02-11")
    panel = read_panel(frame[~gone])
    assert (panel.frequency, panel.periods) == ("D", 60)
    assert np.isnan(panel.units[35:42]).all()
    assert not np.isnan(panel.price).any()
    np.testing.assert_array_equal(panel.price[35:42], np.broadcast_to(panel.price[34], (7, 2)))
    assert "7 of 60 periods have no row at all" in note(panel, "date")
    assert "2024-02-05" in note(panel, "date")
    assert "14 of 120" in note(panel, "units")


@pytest.mark.parametrize(
    ("freq", "frequency"),
    [("D", "D"), ("3D", "3D"), ("W-THU", "W"), ("14D", "2W"), ("MS", "MS"), ("ME", "MS"), ("QS", "3MS")],
)
def test_the_dates_tell_the_frequency(freq: str, frequency: str) -> None:
    assert read_panel(sales(freq=freq)).frequency == frequency


def test_business_days_are_a_daily_calendar() -> None:
    panel = read_panel(sales(periods=10, freq="B"))
    assert (panel.frequency, panel.periods) == ("D", 12)
    assert "2 of 12 periods have no row at all" in note(panel, "date")


@pytest.mark.parametrize(
    "dates",
    [
        [20240101, 20240102],
        [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)],
        ["2024-01-01", "2024-01-02T00:00"],
        pd.date_range("2024-01-01", periods=2, tz="Europe/Paris"),
    ],
)
def test_dates_of_many_types(dates: object) -> None:
    panel = read_panel(sales(periods=2, locations="a", items="x").assign(date=dates))
    np.testing.assert_array_equal(panel.dates, np.array(["2024-01-01", "2024-01-02"], "datetime64[D]"))


def test_unsorted_rows_are_sorted_and_noted() -> None:
    panel = read_panel(sales().iloc[::-1])
    np.testing.assert_array_equal(panel.units, read_panel(sales()).units)
    assert note(panel, "date") == "date: rows of one series were not in order of date; sorted"


def test_time_of_day_is_left_out_and_noted() -> None:
    panel = read_panel(sales().assign(date=lambda f: f["date"] + pd.Timedelta("9h")))
    assert note(panel, "date") == "date: 24 rows carry a time of day, left out"


def test_price_comes_from_revenue() -> None:
    frame = sales()
    revenue = frame.assign(revenue=frame["units"] * frame["price"]).drop(columns="price")
    panel = read_panel(revenue)
    known = frame["units"].to_numpy() > 0
    np.testing.assert_allclose(panel.price.ravel()[known], frame["price"][known])
    assert "1 rows sold nothing" in note(panel, "revenue")
    assert panel.price[0, 0] == panel.price[1, 0], "an unknown first price is the first known one"
    assert note(read_panel(frame.assign(revenue=1.0)), "revenue") == "revenue: left out, since price is given"


def test_prices_are_filled_within_a_series_only() -> None:
    frame = sales(locations="a", items="x")
    frame.loc[2, "price"] = np.nan
    frame = pd.concat([frame, sales(locations="a", items="y").iloc[2:4]])
    panel = read_panel(frame)
    np.testing.assert_array_equal(panel.price[:, 0], [2, 3, 3, 2, 3, 4])
    np.testing.assert_array_equal(np.isnan(panel.price[:, 1]), [True, True, False, False, True, True])
    assert "1 rows are empty, filled with the last known price, first: 2024-01-03" in note(panel, "price")


def test_absent_rows_are_zero_or_unknown_by_declaration() -> None:
    frame = sales(items="x")
    absent = (frame["location"] == "a") & frame["date"].dt.day.isin([3, 6])
    all_gone = frame["date"].dt.day == 4
    frame = frame[~absent & ~all_gone]
    unknown, zero = read_panel(frame), read_panel(frame, absent="zero")
    assert np.isnan(unknown.units[2, 0])
    assert zero.units[2, 0] == 0
    assert np.isnan(zero.units[3]).all(), "a period without any row stays unknown"
    assert np.isnan(zero.units[5, 0]), "after its last row a series is no longer listed"
    assert "3 of 11" in note(zero, "units")


def test_weeks_add_up() -> None:
    frame = sales(periods=35, locations="a", items="x").assign(cost=1.0, stock_on_hand=range(100, 65, -1))
    panel = read_panel(frame, freq="W")
    assert (panel.frequency, panel.periods) == ("W", 5)
    assert panel.dates[0] == np.datetime64("2024-01-01")
    np.testing.assert_array_equal(panel.units[:, 0], np.arange(35).reshape(5, 7).sum(axis=1))
    revenue = (frame["units"] * frame["price"]).to_numpy().reshape(5, 7).sum(axis=1)
    np.testing.assert_allclose(panel.units[:, 0] * panel.price[:, 0], revenue, rtol=1e-6)
    np.testing.assert_array_equal(panel.covariate("stock_on_hand").values[:, 0], [94, 87, 80, 73, 66])
    assert note(panel, "date") == "date: 35 rows added up into 5 periods of a series"


def test_weeks_seen_in_part_are_left_out() -> None:
    frame = sales(periods=31, locations="a", items="x")
    frame = frame.assign(date=frame["date"] + pd.Timedelta("2D"))  # Wednesday 3 January to Friday 2 February
    panel = read_panel(frame, freq="W")
    assert panel.dates[[0, -1]].astype(str).tolist() == ["2024-01-08", "2024-01-22"]
    assert panel.report.rows_kept == 21
    assert any("10 rows of periods seen only in part" in line for line in panel.report.notes)


def test_weekly_dates_keep_their_weekday() -> None:
    panel = read_panel(sales(freq="W-THU"), freq="W")
    assert panel.dates[0] == np.datetime64("2024-01-04")
    assert panel.report.notes == ()


def test_returns_are_netted_and_counted() -> None:
    first = sales(items="x")
    returned = first.assign(units=-1).iloc[[0, 3]]
    panel = read_panel(pd.concat([first, returned]), freq="D")
    np.testing.assert_array_equal(panel.units.ravel(), [0, 1, 2, 2, 4, 5, 6, 7, 8, 9, 10, 11])
    assert any("units: 2 rows of returns netted" in line for line in panel.report.notes)
    assert any(
        "1 periods of a series with more returns than sales set to 0" in line for line in panel.report.notes
    )


def test_receipt_lines_weigh_prices_by_units() -> None:
    lines = pd.DataFrame(
        {"date": ["2024-01-01"] * 2 + ["2024-01-02"], "location": "a", "item": "x"}
        | {"units": [3, 1, 1], "price": [1.0, 2.0, 2.0]}
    )
    np.testing.assert_array_equal(read_panel(lines, freq="D").price[:, 0], [1.25, 2.0])


def test_one_period_needs_a_declared_frequency() -> None:
    panel = read_panel(sales(periods=1), freq="W")
    assert (panel.periods, panel.frequency) == (1, "W")


def test_used_up_stock_is_flagged_as_censored() -> None:
    stock = np.ones(24)
    stock[[5, 9]] = 0
    panel = read_panel(sales().assign(stock_on_hand=stock))
    np.testing.assert_array_equal(np.flatnonzero(panel.censored.ravel()), [5, 9])
    assert "2 rows whose stock_on_hand is used up" in note(panel, "censored")
    declared = read_panel(sales().assign(stock_on_hand=stock, censored=0.5))
    assert (declared.censored == 0.5).all(), "a censored column of the table's own is kept"


def test_attributes_of_items_and_locations() -> None:
    frame = sales().assign(
        category=lambda f: f["item"].map({"x": "juice", "y": "tea"}),
        price_group="zone 1",
        lat=lambda f: f["location"].map({"a": 41.5, "b": 42.0}),
        lon=-87.5,
    )
    panel = read_panel(frame)
    assert panel.categories == ("juice", "tea")
    assert panel.price_groups == ("zone 1", "zone 1")
    assert panel.coordinates is not None
    np.testing.assert_array_equal(panel.coordinates, [[41.5, -87.5], [42.0, -87.5]])


def test_roles_are_told_from_names_and_variation() -> None:
    rows = np.arange(24.0)
    frame = sales().assign(
        promo=rows % 2,
        competitor_price=rows + 1,
        floor_area=lambda f: f["location"].map({"a": 100, "b": 200}),
        temperature=lambda f: f["date"].dt.day,
        visitors=rows,
        holiday=lambda f: f["date"].dt.day == 3,
    )
    panel = read_panel(frame)
    assert {covariate.name: covariate.role for covariate in panel.covariates} == {
        "promo": "decision",
        "competitor_price": "exogenous",
        "floor_area": "static",
        "temperature": "exogenous",
        "visitors": "past",
        "holiday": "exogenous",
    }
    assert "24 rows that vary over time" in note(panel, "visitors")
    assert "the same for all series on each of 6 dates" in note(panel, "temperature")
    assert read_panel(frame, roles={"visitors": "exogenous"}).covariate("visitors").role == "exogenous"


def test_what_is_shared_by_a_single_series_is_not_known_ahead() -> None:
    panel = read_panel(sales(locations="a", items="x").assign(visitors=range(6)))
    assert panel.covariate("visitors").role == "past"


def test_shared_covariates_reach_absent_rows() -> None:
    frame = sales().assign(
        temperature=lambda f: f["date"].dt.day, size=lambda f: f["item"].map({"x": 1, "y": 2})
    )
    panel = read_panel(frame.drop(index=[4, 20]))
    np.testing.assert_array_equal(panel.covariate("temperature").values[:, 0], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(panel.covariate("size").values, np.tile([1, 2, 1, 2], (6, 1)))


def test_unknown_covariate_values_are_kept_and_noted() -> None:
    promo = np.zeros(24)
    promo[3] = np.nan
    panel = read_panel(sales().assign(promo=promo))
    assert np.isnan(panel.covariate("promo").values).sum() == 1
    assert note(panel, "promo") == "promo: 1 of 24 rows are empty, kept as unknown"


def test_a_cost_shifter_is_declared() -> None:
    wheat = np.tile([1.0, 1.3, 0.9, 1.1, 1.4, 1.2], (4, 1)).T.ravel()
    panel = read_panel(
        sales().assign(cost=wheat, wheat=wheat), roles={"cost": "instrument", "wheat": "instrument"}
    )
    assert panel.cost is not None
    np.testing.assert_array_equal(panel.covariate("cost").values, panel.cost)
    assert panel.covariate("wheat").role == "instrument"


def test_text_columns_are_left_out_and_noted() -> None:
    panel = read_panel(sales().assign(brand="Tropicana"))
    assert panel.covariates == ()
    assert note(panel, "brand") == "brand: left out, 24 rows that are not numbers, such as Tropicana"


def test_money_as_decimals() -> None:
    frame = sales()
    panel = read_panel(frame.assign(price=[decimal.Decimal(str(price)) for price in frame["price"]]))
    np.testing.assert_array_equal(panel.price, read_panel(frame).price)


def test_empty_units_are_unknown_and_noted() -> None:
    frame = sales()
    frame["units"] = frame["units"].astype(float).where(frame.index != 7)
    panel = read_panel(frame)
    assert np.isnan(panel.units).sum() == 1
    assert note(panel, "units") == "units: 1 rows are empty, units unknown there, first: 2024-01-02 b y"


def test_worthless_costs_are_unknown_and_noted() -> None:
    cost = np.ones(24)
    cost[[0, 1, 2, 3]] = 0
    panel = read_panel(sales().assign(cost=cost))
    assert panel.cost is not None
    assert np.isnan(panel.cost[0]).all()
    assert "4 rows at or below 0 taken as unknown, first: 2024-01-01 a x; 2024-01-01 a y;" in note(
        panel, "cost"
    )


def test_items_of_one_single_price_are_named() -> None:
    frame = sales()
    frame.loc[frame["item"] == "y", "price"] = 4.0
    assert "1 of 2 items have a single price throughout" in note(read_panel(frame), "price")
    assert note(read_panel(frame), "price").endswith("first: y")


def test_series_without_any_price_are_left_out_and_noted() -> None:
    frame = sales()
    frame.loc[(frame["location"] == "b") & (frame["item"] == "y"), "price"] = np.nan
    panel = read_panel(frame)
    assert panel.units.shape == (6, 3)
    assert "1 series without any price left out, first: 2024-01-01 b y;" in note(panel, "price")
    assert panel.report.rows_kept == 18


def test_sparse_panels_list_their_series_only() -> None:
    frame = sales()
    panel = read_panel(frame[(frame["location"] == "a") == (frame["item"] == "x")])
    np.testing.assert_array_equal(panel.series, [[0, 0], [1, 1]])
    dense = panel.dense(panel.units, fill=-1)
    assert dense.shape == (6, 2, 2)
    assert (dense[:, 0, 1] == -1).all()


def test_a_row_order_does_not_matter() -> None:
    frame = sales(periods=20).assign(visitors=np.arange(80.0))
    shuffled = frame.sample(frac=1, random_state=1)
    left, right = read_panel(frame), read_panel(shuffled)
    np.testing.assert_array_equal(left.units, right.units)
    np.testing.assert_array_equal(left.covariate("visitors").values, right.covariate("visitors").values)


def test_absent_takes_two_words() -> None:
    with pytest.raises(InputError, match="absent: expected zero or unknown, found 'no'"):
        read_panel(sales(), absent="no")  # type: ignore[arg-type]


@pytest.mark.parametrize(("yes", "no"), [("ja", "nein"), ("Oui", "Non"), ("sí", "no"), ("j", "n")])
def test_flags_in_words_of_other_languages_are_read(yes: str, no: str) -> None:
    flags = np.arange(24) % 3 == 0
    panel = read_panel(sales().assign(Aktion=np.where(flags, yes, no)))
    assert [(one.name, one.role) for one in panel.covariates] == [("Aktion", "decision")]
    assert panel.covariates[0].values.sum() == flags.sum()


def test_a_role_for_a_column_of_text_says_that_numbers_are_wanted() -> None:
    with pytest.raises(
        InputError, match=r"expected a column of numbers \(there is none\), found memo=decision"
    ):
        read_panel(sales().assign(memo="a"), roles={"memo": "decision"})


@pytest.mark.parametrize(("separator", "called"), [(";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize(("decimal", "mark"), [(",", "comma"), (".", "point")])
def test_a_table_as_a_spreadsheet_exports_it(
    tmp_path: Path, separator: str, called: str, decimal: str, mark: str
) -> None:
    there = pd.DataFrame(
        {"date": ["02.01.2023", "09.01.2023"] * 2, "location": "007", "item": ["a", "a", "b", "b"]}
    ).assign(units=[3, 4, 0, 1], price=[2.5, 2.25, 3.0, 1234.5])
    there.to_csv(tmp_path / "sales.csv", sep=separator, decimal=decimal, index=False)
    panel = read_panel(tmp_path / "sales.csv")
    assert panel.locations == ("007",)
    np.testing.assert_allclose(panel.price, [[2.5, 3.0], [2.25, 1234.5]])
    np.testing.assert_array_equal(panel.units, [[3, 0], [4, 1]])
    assert panel.report.notes[0] == f"read with {called} between columns and a decimal {mark}"
