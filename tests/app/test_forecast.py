"""Forecasts of coming periods: from a table as it is, and from one that goes on with a plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mercato
from mercato.app import cli
from mercato.app.coming import keep_forecast, kept_forecast
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.reading import Reading
from tests.app.conftest import MAP, sales

DECILES = [f"q0.{k}" for k in range(1, 10)]


def panel(frame: pd.DataFrame) -> SalesPanel:
    return Reading(map=MAP).read(frame)


def planned(multiple: float, days: int = 5) -> pd.DataFrame:
    """The sales, going on for some days without sales at a multiple of the last price."""
    frame = sales()
    last = frame[frame["day"] == frame["day"].max()]
    rows = [
        last.assign(
            **{"day": last["day"] + pd.Timedelta(k, "D"), "unit price": last["unit price"] * multiple}
        )
        for k in range(1, days + 1)
    ]
    return pd.concat([frame, *(row.assign(qty=np.nan) for row in rows)])


@pytest.fixture(scope="module")
def coming() -> pd.DataFrame:
    return mercato.forecast(panel(sales()), 7)


def test_every_series_and_period_has_deciles_in_order(coming: pd.DataFrame) -> None:
    assert list(coming.columns) == ["date", "location", "item", *DECILES]
    days = pd.date_range("2023-05-02", periods=7, freq="D")
    assert coming["date"].unique().tolist() == days.tolist()
    assert set(coming["item"]) == {"espresso", "flat white", "mocha"}
    assert len(coming) == 7 * 3
    assert (coming[DECILES].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)


def test_a_forecast_is_kept_for_its_own_table(
    coming: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, out = panel(sales()), tmp_path / "forecast.json"
    monkeypatch.setattr("mercato.app.api.forecast", lambda *_, **__: coming)
    keep_forecast(own, 7, 0, out)
    kept = kept_forecast(out, own, 7)
    assert kept is not None
    pd.testing.assert_frame_equal(kept, coming, check_dtype=False)
    assert kept_forecast(out, own, 8) is None
    assert kept_forecast(out, own.window(0, own.periods - 1), 7) is None
    more = sales()
    more.loc[more.index[-1], "qty"] += 1
    assert kept_forecast(out, panel(more), 7) is None
    dearer = own.price * 1.01
    assert kept_forecast(out, replace(own, price=dearer), 7) is None
    assert kept_forecast(tmp_path / "none.json", own, 7) is None


def test_forecasts_are_of_the_size_of_sales(coming: pd.DataFrame) -> None:
    usual = sales().groupby("sku")["qty"].mean()
    ratio = coming.groupby("item")["q0.5"].mean() / usual
    assert ((ratio > 0.6) & (ratio < 1.6)).all(), ratio


def test_the_same_seed_is_the_same_forecast(coming: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(mercato.forecast(panel(sales()), 7), coming)


def test_a_planned_discount_sells_more_than_a_planned_rise() -> None:
    cheap, dear = (mercato.forecast(panel(planned(multiple)), 5)["q0.5"].sum() for multiple in (0.85, 1.15))
    assert cheap > 1.15 * dear


def test_beyond_a_plan_the_last_prices_stay() -> None:
    rows = mercato.forecast(panel(planned(1.0, days=2)), 4)
    assert len(rows) == 4 * 3
    assert rows["date"].min() == pd.Timestamp("2023-05-02")


@pytest.mark.parametrize(
    ("frame", "horizon", "said"),
    [
        (sales(days=60), 61, "horizon: expected 1 to 60, found 61"),
        (sales(days=6), 2, "forecast: expected at least 8 periods with sales, found 6"),
        (sales(days=60), 0, "horizon: expected a whole number of 1 or more, found 0"),
    ],
)
def test_what_cannot_be_forecast_is_said(frame: pd.DataFrame, horizon: int, said: str) -> None:
    with pytest.raises(mercato.InputError) as caught:
        mercato.forecast(panel(frame), horizon)
    assert said in str(caught.value)


def test_multipliers_make_the_median_and_a_dear_plan_shows_in_that_of_prices() -> None:
    cheap, dear = (mercato.forecast(panel(planned(m, 2)), 2, explain=True) for m in (0.8, 1.25))
    groups = [name for name in cheap.columns if name.startswith("x ")]
    assert {"x prices", "x past demand", "x calendar"} < set(groups)
    for rows in (cheap, dear):
        product = rows["ordinary"] * rows[groups].prod(axis=1)
        np.testing.assert_allclose(product, rows["q0.5"] + 0.5, rtol=1e-6)
    about_prices = ["x prices", "x regression on what is known ahead"]
    assert cheap[about_prices].prod(axis=1).mean() > dear[about_prices].prod(axis=1).mean()


def test_the_command_writes_what_the_function_returns(tmp_path: Path, coming: pd.DataFrame) -> None:
    sales().to_csv(tmp_path / "sales.csv", index=False)
    mapped = [part for ours, theirs in MAP.items() for part in ("--map", f"{ours}={theirs}")]
    given = ["forecast", str(tmp_path / "sales.csv"), "--horizon", "7", *mapped]
    ran = CliRunner().invoke(cli.app, [*given, "--out", str(tmp_path / "out.csv")])
    assert ran.exit_code == 0, ran.stderr
    assert "21 forecasts from 2023-05-02 to 2023-05-08" in ran.stderr
    written = pd.read_csv(tmp_path / "out.csv", parse_dates=["date"])
    np.testing.assert_allclose(written[DECILES], coming[DECILES])
    ran = CliRunner().invoke(cli.app, [*given, "--out", str(tmp_path / "out.txt")])
    assert ran.exit_code == 2
    assert "--out: expected a file ending in .csv or .parquet" in ran.stderr
