"""A market remembers how its table was read, so that the latest one is read alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.app.reading import Reading
from mercato.forecasters.errors import InputError
from mercato.forecasters.panel import SalesPanel


def table(days: int, evening_sells: bool) -> pd.DataFrame:
    """Two shops; one was empty from 18:00 on every other day, and sold half as much or all the same."""
    dates = pd.date_range("2024-01-01", periods=days)
    shops = []
    for shop in ("a", "b"):
        empty = (np.arange(days) % 2 == 1) & (shop == "a")
        shops.append(
            pd.DataFrame(
                {
                    "date": dates,
                    "location": shop,
                    "item": "x",
                    "units": np.where(empty & evening_sells, 20, 40),
                    "price": 1.0 + np.arange(days) % 3,
                    "mask": np.where(empty, (1 << 24) - (1 << 18), 0),
                }
            )
        )
    return pd.concat(shops, ignore_index=True)


def remember(reading: Reading, folder: Path, panel: SalesPanel) -> None:
    for name, text in reading.file(panel).items():
        (folder / name).write_text(text)


def test_the_unit_is_remembered(tmp_path: Path) -> None:
    frame = table(10, evening_sells=True).assign(empty=lambda f: f["mask"].gt(0) * 6)
    frame.to_csv(tmp_path / "sales.csv", index=False)
    reading = Reading.parse(["censored=empty:hours"], None, "unknown", [])
    panel = reading.read(tmp_path / "sales.csv")
    remember(reading, tmp_path, panel)
    assert Reading.of_market(tmp_path) == reading
    again = Reading.of_market(tmp_path).read(tmp_path / "sales.csv")
    np.testing.assert_array_equal(again.censored, panel.censored)
    assert panel.censored.max() == pytest.approx(0.25)


def test_hours_are_weighted_as_when_the_market_was_fitted(tmp_path: Path) -> None:
    reading = Reading.parse(["censored=mask:hourmask"], None, "unknown", [])
    for name, sells in (("first", True), ("latest", False)):
        table(400, sells).to_parquet(tmp_path / f"{name}.parquet")
    fitted = reading.read(tmp_path / "first.parquet")
    remember(reading, tmp_path, fitted)
    assert fitted.censored.max() == pytest.approx(0.5, abs=0.1)
    assert reading.read(tmp_path / "latest.parquet").censored.max() < 0.2, "on its own it tells another day"
    latest = Reading.of_market(tmp_path).read(tmp_path / "latest.parquet")
    np.testing.assert_allclose(latest.censored, fitted.censored, atol=1e-6)


def test_a_market_of_an_older_version_has_no_traffic(tmp_path: Path) -> None:
    (tmp_path / "reading.json").write_text(
        json.dumps({"map": {"units": "qty"}, "freq": "W", "absent": "zero", "roles": {}})
    )
    assert Reading.of_market(tmp_path) == Reading(map={"units": "qty"}, freq="W", absent="zero")


def test_a_column_may_be_left_out_and_stays_out(tmp_path: Path) -> None:
    frame = table(10, evening_sells=True)
    frame.to_csv(tmp_path / "sales.csv", index=False)
    reading = Reading.parse([], None, "unknown", [], drop=["mask"])
    panel = reading.read(tmp_path / "sales.csv")
    assert "mask" not in {covariate.name for covariate in panel.covariates}
    remember(reading, tmp_path, panel)
    assert Reading.of_market(tmp_path).drop == ("mask",)
    with pytest.raises(InputError, match=r"drop: expected columns of the table .* found 'msk'"):
        Reading.parse([], None, "unknown", [], drop=["msk"]).read(tmp_path / "sales.csv")
