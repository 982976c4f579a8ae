"""Every kind of bad input gets one clear line: what was expected, what was found, where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.panel import read_panel, write_panel


def sales() -> pd.DataFrame:
    """Four days of two shops and two items; 16 rows, row 0 is 2024-01-01 a x."""
    dates = pd.date_range("2024-01-01", periods=4)
    index = pd.MultiIndex.from_product([dates, ["a", "b"], ["x", "y"]], names=["date", "location", "item"])
    rows = np.arange(16)
    return index.to_frame(index=False).assign(units=rows, price=2.0 + rows % 3)


def put(column: str, row: int, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A change of one cell."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        values = (
            frame[column].astype(object) if column in frame else pd.Series(0, index=frame.index, dtype=object)
        )
        values.iloc[row] = value
        return frame.assign(**{column: values.infer_objects()})

    return change


def message(read: Callable[[], object]) -> str:
    """The error's one line."""
    with pytest.raises(InputError) as caught:
        read()
    line = str(caught.value)
    assert "\n" not in line
    return line


BAD_TABLES = {
    "duplicates": (
        lambda f: pd.concat([f, f.iloc[[0, 5]]]),
        "date, location, item: expected one row each, found 2 duplicates, first: 2024-01-01 a x; "
        "2024-01-02 a y; --freq adds rows of one period up",
    ),
    "negative units": (
        put("units", 6, -2),
        "units: expected 0 or more, found 1 negative rows, first: 2024-01-02 b x; if they are "
        "returns, --freq nets them within a period",
    ),
    "a decimal comma": (
        lambda f: f.assign(price=f["price"].map("{:.2f}".format).str.replace(".", ",")),
        "price: expected finite numbers up to 1e+12, found 16 rows with '2,00' (row 1), '3,00' (row 2),"
        " '4,00' (row 3); write decimals with a point",
    ),
    "price 0": (
        put("price", 1, 0.0),
        "price: expected above 0, 1e-06 at least, found 1 rows below, first: 2024-01-01 a y; leave price "
        "empty where it is unknown",
    ),
    "price below 0": (put("price", 1, -1.0), "price: expected above 0, 1e-06 at least, found 1"),
    "no price at all": (
        lambda f: f.assign(price=np.nan),
        "price: expected numbers above 0, found no price in any",
    ),
    "infinite price": (
        put("price", 2, np.inf),
        "price: expected finite numbers up to 1e+12, found 1 row with 'inf' (row 3)",
    ),
    "text for units": (
        put("units", 3, "many"),
        "units: expected finite numbers up to 1e+12, found 1 row with 'many' (row 4)",
    ),
    "text for promo": (
        put("promo", 3, "perhaps"),
        "promo: expected finite numbers up to 1e+12, found 1 row with 'perhaps' (row 4)",
    ),
    "NaN location": (put("location", 3, None), "location: expected a name in every row, found 1 row with"),
    "NaN item": (
        put("item", 3, np.nan),
        "item: expected a name in every row, found 1 row with 'nan' (row 4)",
    ),
    "NaN date": (
        put("date", 3, None),
        "date: expected ISO dates such as 2024-01-31, found 1 row with 'NaT' (row 4)",
    ),
    "ambiguous dates": (
        lambda f: f.assign(date=f["date"].dt.strftime("%d/%m/%Y")),
        "date: expected ISO dates such as 2024-01-31, found 16 rows with '01/01/2024' (row 1), ",
    ),
    "spreadsheet dates": (lambda f: f.assign(date=45292), "found 16 rows with '45292' (row 1)"),
    "uneven dates": (
        lambda f: f.assign(
            date=pd.to_datetime("2024-01-01") + pd.to_timedelta(np.repeat([0, 7, 14, 17], 4), "D")
        ),
        "date: expected evenly spaced dates (the usual step is 7 days), found 1 of 4 dates off that grid, "
        "first: 2024-01-18; aggregate with --freq W",
    ),
    "one date": (
        lambda f: f.iloc[:4],
        "date: expected at least two dates to tell the frequency, found 2024-01-01; give --freq",
    ),
    "censored above 1": (
        put("censored", 4, 24),
        "censored: expected 0 to 1, found 1 rows outside, such as 24, first: 2024-01-02 a x; if they are "
        "hours, declare it: --map censored=THEIRS:hours",
    ),
    "revenue of no sign": (
        lambda f: f.drop(columns="price").assign(revenue=0.0),
        "revenue: expected of the same sign as units, found 15 rows that give a price at or below 0, first: "
        "2024-01-01 a y",
    ),
    "no units column": (
        lambda f: f.rename(columns={"units": "qty"}),
        "expected the columns date, location, item, units, price (or revenue); units not found among date, "
        "location, item, qty, price; rename with --map units=THEIRS",
    ),
    "neither price nor revenue": (
        lambda f: f.drop(columns="price"),
        "price (or revenue) not found among date",
    ),
    "the same column twice": (
        lambda f: pd.concat([f, f[["price"]]], axis=1),
        "the data frame: expected each column once, found price more than once",
    ),
    "an item of two categories": (
        lambda f: f.assign(category=["juice"] * 15 + ["tea"]),
        "category: expected one value each, found several for 1, first: y",
    ),
    "a location in two groups": (
        lambda f: f.assign(price_group=range(16)),
        "price_group: expected one value each, found several for 2, first: a, b",
    ),
    "latitude alone": (lambda f: f.assign(lat=1.0), "expected lat and lon together, found lat without lon"),
    "latitude out of range": (
        lambda f: f.assign(lat=95.0, lon=1.0),
        "lat: expected degrees from -90 to 90, found 95.0",
    ),
    "no rows": (lambda f: f.iloc[:0], "the data frame: expected at least one row, found none"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables(case: str) -> None:
    change, expected = BAD_TABLES[case]
    assert expected in message(lambda: read_panel(change(sales())))


def test_a_mistyped_year_does_not_blow_up_the_calendar() -> None:
    frame = sales().assign(date=pd.date_range("2024-01-01", periods=16)).assign(location="a")
    frame.loc[15, "date"] = pd.Timestamp("2204-01-16")
    line = message(lambda: read_panel(frame))
    assert "date: expected a calendar without gaps, found rows in 16 of its 65759 periods" in line
    assert "the longest gap is 2024-01-15 to 2204-01-16" in line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"map": {"units": "qty"}},
            "expected the column qty that the map names for units, found date, location",
        ),
        ({"map": {"price": "units"}}, "units not found among date, location, item, price"),
        ({"freq": "hourly"}, "freq: expected D, W, MS or a multiple such as 2W, found 'hourly'"),
        ({"roles": {"weather": "exogenous"}}, "roles: expected a column of numbers (size), found weather="),
        ({"map": "units=qty"}, "map: expected a mapping of our names to the table's, found str"),
        ({"roles": ["size=static"]}, "roles: expected a mapping of columns to roles, found list"),
        ({"freq": 7}, "freq: expected text such as W, found int"),
        ({"drop": "size"}, "drop: expected a list of columns, found str"),
        ({"roles": {"siez": "static"}}, "found siez=static; did you mean 'size'?"),
        ({"drop": ["siez"]}, "found 'siez'; did you mean 'size'?"),
        (
            {"map": {"price": "prise"}},
            "the map names for price, found date, location, item, units, price, size, cost; did you mean '",
        ),
        ({"map": {"size": "units"}}, "found size; the other way round: units=size"),
        (
            {"roles": {"size": "fixed"}},
            "expected one of static, exogenous, decision, past, instrument for size, found",
        ),
        (
            {"roles": {"size": "static"}},
            "roles: expected size to be constant in every series (static), found values",
        ),
        (
            {"roles": {"cost": "instrument"}},
            "roles: expected the instrument cost to move on its own, found a fixed share of the price",
        ),
    ],
)
def test_bad_declarations(options: dict, expected: str) -> None:
    frame = sales().assign(size=range(16), cost=lambda f: (0.6 * f["price"]).round(2))
    assert expected in message(lambda: read_panel(frame, **options))


def test_a_frequency_finer_than_the_dates() -> None:
    frame = sales().assign(date=lambda f: f["date"] + 6 * (f["date"] - f["date"].min()))
    line = message(lambda: read_panel(frame, freq="D"))
    assert line.startswith(
        "freq: expected periods at least as long as the steps between dates, found D where dates are 7"
    )


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xff\xfe not a table")


def _half_a_parquet(path: Path) -> None:
    sales().to_parquet(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD_FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no such file": ("sales.csv", lambda path: None, "expected a CSV or parquet file, found no such file"),
    "a directory": ("sales.csv", Path.mkdir, "expected a CSV or parquet file, found a directory"),
    "an empty CSV": ("sales.csv", Path.touch, "expected at least one row, found an empty file"),
    "an empty parquet": ("sales.parquet", Path.touch, "expected at least one row, found an empty file"),
    "a header alone": (
        "sales.csv",
        lambda path: path.write_text("date,location,item,units,price\n"),
        "expected at least one row, found none",
    ),
    "a blank CSV": (
        "sales.csv",
        lambda path: path.write_text("\n\n"),
        "expected a comma-separated table, found: No col",
    ),
    "a truncated parquet": ("sales.parquet", _half_a_parquet, "expected a whole parquet file, found: "),
    "no parquet at all": ("sales.parquet", _garbage, "expected a whole parquet file, found: "),
    "no text at all": (
        "sales.csv",
        _garbage,
        "expected text in UTF-8, found bytes that are none in its first line",
    ),
    "no gzip at all": (
        "sales.csv.gz",
        _garbage,
        "expected a comma-separated table, found: Not a gzipped file",
    ),
    "not UTF-8": (
        "sales.csv",
        lambda path: path.write_text("date,location,item,units,price\n2024-01-01,Köln,x,1,2\n", "cp1252"),
        "expected text in UTF-8, found the byte 0xf6; save it as CSV UTF-8",
    ),
    "ragged rows": (
        "sales.csv",
        lambda path: path.write_text("date,location,item,units,price\n2024-01-01,a,x,1,2\n1,2,3,4,5,6,7\n"),
        "expected a comma-separated table, found: Error tokenizing data. C error: Expected 5 fields",
    ),
    "another format": (
        "sales.xlsx",
        _garbage,
        "expected a name ending in .csv, .csv.gz, .parquet, .pq, found .xlsx",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(case: str, tmp_path: Path) -> None:
    name, make, expected = BAD_FILES[case]
    path = tmp_path / name
    make(path)
    line = message(lambda: read_panel(path))
    assert line.startswith(f"{path}: ")
    assert expected in line


def test_bad_places_to_write(tmp_path: Path) -> None:
    panel = read_panel(sales())
    assert "expected a name ending in .parquet, found .csv" in message(
        lambda: write_panel(panel, tmp_path / "x.csv")
    )
    (tmp_path / "file").touch()
    assert "expected a place to write to" in message(
        lambda: write_panel(panel, tmp_path / "file" / "x.parquet")
    )


def test_points_between_thousands_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("date;location;item;units;price\n2024-01-01;a;x;1.234,5;2,5\n")
    assert message(lambda: read_panel(path)).endswith(
        "found 1 row with '1.234,5' (row 1); write decimals with a point and nothing between thousands"
    )
