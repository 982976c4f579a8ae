"""A market remembers how its table was read, so that the latest one is read alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.app.reading import parse_reading
from mercato.forecasters.errors import InputError
from mercato.forecasters.reading import Reading


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


def test_the_unit_is_remembered(tmp_path: Path) -> None:
    frame = table(10, evening_sells=True).assign(empty=lambda f: f["mask"].gt(0) * 6)
    frame.to_csv(tmp_path / "sales.csv", index=False)
    reading = parse_reading(["censored=empty:hours"], None, "unknown", [])
    panel = reading.read(tmp_path / "sales.csv")
    panel.reading.save(tmp_path / "reading.json")
    assert Reading.load(tmp_path / "reading.json") == reading
    again = Reading.load(tmp_path / "reading.json").read(tmp_path / "sales.csv")
    np.testing.assert_array_equal(again.censored, panel.censored)
    assert panel.censored.max() == pytest.approx(0.25)


def test_hours_are_weighted_as_when_the_market_was_fitted(tmp_path: Path) -> None:
    reading = parse_reading(["censored=mask:hourmask"], None, "unknown", [])
    for name, sells in (("first", True), ("latest", False)):
        table(400, sells).to_parquet(tmp_path / f"{name}.parquet")
    fitted = reading.read(tmp_path / "first.parquet")
    fitted.reading.save(tmp_path / "reading.json")
    assert fitted.censored.max() == pytest.approx(0.5, abs=0.1)
    assert reading.read(tmp_path / "latest.parquet").censored.max() < 0.2, "on its own it tells another day"
    latest = Reading.load(tmp_path / "reading.json").read(tmp_path / "latest.parquet")
    np.testing.assert_allclose(latest.censored, fitted.censored, atol=1e-6)


def test_a_market_of_an_older_version_has_no_traffic(tmp_path: Path) -> None:
    (tmp_path / "reading.json").write_text(
        json.dumps({"map": {"units": "qty"}, "freq": "W", "absent": "zero", "roles": {}})
    )
    assert Reading.load(tmp_path / "reading.json") == Reading(map={"units": "qty"}, freq="W", absent="zero")


def test_a_column_may_be_left_out_and_stays_out(tmp_path: Path) -> None:
    frame = table(10, evening_sells=True)
    frame.to_csv(tmp_path / "sales.csv", index=False)
    reading = parse_reading([], None, "unknown", [], drop=["mask"])
    panel = reading.read(tmp_path / "sales.csv")
    assert "mask" not in {covariate.name for covariate in panel.covariates}
    panel.reading.save(tmp_path / "reading.json")
    assert Reading.load(tmp_path / "reading.json").drop == ("mask",)
    with pytest.raises(InputError, match=r"drop: expected columns of the table .* found 'msk'"):
        parse_reading([], None, "unknown", [], drop=["msk"]).read(tmp_path / "sales.csv")
