"""A written panel reads back as the same panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mercato.forecasters.panel import SalesPanel, read_panel, to_frame, write_panel

NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
    unique=True,
)
MONEY = st.floats(0.125, 1e4, width=32)


def assert_same(left: SalesPanel, right: SalesPanel) -> None:
    """Every field but the report, which tells of the reading."""
    names = ("frequency", "locations", "items", "categories", "price_groups")
    assert [getattr(left, name) for name in names] == [getattr(right, name) for name in names]
    for name in ("dates", "series", "units", "price", "censored"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    for name in ("cost", "coordinates"):
        assert (getattr(left, name) is None) == (getattr(right, name) is None)
        if getattr(left, name) is not None:
            np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    assert [(c.name, c.role) for c in left.covariates] == [(c.name, c.role) for c in right.covariates]
    for a, b in zip(left.covariates, right.covariates, strict=True):
        np.testing.assert_array_equal(a.values, b.values, err_msg=a.name)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Sparse tables with holes, unknown units and prices, and every kind of column."""
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(draw(st.integers(2, 6))) * 7, "D")
    places, goods = draw(NAMES), draw(NAMES)
    index = pd.MultiIndex.from_product([days, places, goods], names=["date", "location", "item"])
    frame = index.to_frame(index=False)
    size = len(frame)

    def column(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=size, max_size=size))

    maybe = st.one_of(st.just(float("nan")), MONEY)
    frame = frame.assign(
        units=column(st.one_of(st.just(float("nan")), st.integers(0, 1000))),
        price=column(st.one_of(MONEY, maybe)),
        cost=column(maybe),
        promo=column(st.sampled_from([0.0, 0.5, 1.0])),
        stock_on_hand=column(st.integers(0, 3)),
        category=frame["item"].str.len().astype(str),
        lat=frame["location"].str.len() + 0.5,
        lon=-1.0,
        size_oz=frame["item"].map({good: number for number, good in enumerate(goods)}),
        temperature=frame["date"].dt.day_of_year,
        visitors=column(maybe),
    )
    keep = np.array(column(st.booleans()))
    keep[[0, size - 1]] = True
    frame.loc[0, "price"] = 1.0
    return frame[keep]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables())
def test_a_written_panel_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame
) -> None:
    panel = read_panel(table, freq="W")
    path = tmp_path_factory.mktemp("panel") / "panel.parquet"
    write_panel(panel, path)
    again = read_panel(path)
    assert_same(panel, again)
    assert set(panel.report.notes) <= set(again.report.notes), "what was changed is told again"


def test_a_window_and_a_selection_survive(tmp_path: Path) -> None:
    dates = pd.date_range("2024-01-04", periods=8, freq="W-THU")
    index = pd.MultiIndex.from_product([dates, ["a", "b"], ["x", "y"]], names=["date", "location", "item"])
    frame = index.to_frame(index=False).assign(
        units=1.0, price=np.arange(32) % 5 + 1.0, deal=np.arange(32) % 2
    )
    part = read_panel(frame).window(3, 4).select(locations=["b"])
    write_panel(part, tmp_path / "part.parquet")
    assert_same(part, read_panel(tmp_path / "part.parquet"))


def test_the_tidy_table_has_one_row_a_cell() -> None:
    dates = ["2024-01-01", "2024-01-02", "2024-01-04"]
    frame = pd.DataFrame(
        {"date": dates, "location": "a", "item": "x", "units": [1, 2, 3], "price": [5.0, 6.0, 7.0]}
    )
    tidy = to_frame(read_panel(frame))
    assert tidy["date"].dt.day.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(tidy["units"], [1, 2, np.nan, 3])
    np.testing.assert_array_equal(tidy["price"], [5, 6, 6, 7])


def test_writing_replaces_the_file_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "panel.parquet"
    path.write_text("what was there before")
    frame = pd.DataFrame(
        {"date": ["2024-01-01", "2024-01-02"], "location": "a", "item": "x", "units": 1, "price": [1.0, 2.0]}
    )
    write_panel(read_panel(frame), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["panel.parquet"]
    assert read_panel(path).periods == 2
