"""``mercato customers score``: each customer's chances, as a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.envs.customers import FOLDER
from mercato.forecasters.events import Records, read_events

from .command_line import mercato


def receipts() -> pd.DataFrame:
    """Of customers who come every few days for one of three items."""
    rng = np.random.default_rng(0)
    every = rng.integers(2, 15, 40)
    rows = [(f"c{c}", day, f"i{rng.integers(3)}") for c in range(40) for day in range(c % 7, 100, every[c])]
    frame = pd.DataFrame(rows, columns=["customer", "day", "item"])
    frame["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.pop("day"), unit="D")
    return frame.assign(units=1, price=2.0, event="buy")


def saved(frame: pd.DataFrame, folder: Path) -> Path:
    """The customers' part of a market."""
    (folder / FOLDER).mkdir()
    Records(read_events(frame)).save(folder / FOLDER)
    return folder


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(receipts(), tmp_path_factory.mktemp("market"))


def test_scores_are_a_row_a_customer_with_how_true_they_are(market: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    told = mercato("customers", "score", market, "--out", out, "--top", 2, "--quick", "--json")
    assert told.exit_code == 0, told.output
    table = pd.read_csv(out)
    assert len(table) == 40
    assert list(table)[:5] == ["customer", "visit", "churn", "left", "item_1"]
    assert table["visit"].between(0, 1).all()
    found = json.loads(told.stdout)
    assert sum(b["count"] for b in found["calibration"]["visit"]) == 40
    assert len(found["heads"]) == 3


def test_where_anything_is_brought_back_its_chance_is_told(tmp_path: Path) -> None:
    bought, out = receipts(), tmp_path / "scores.csv"
    back = bought[::4].assign(event="return")
    back["time"] += pd.Timedelta(days=1)
    market = saved(pd.concat([bought, back]), tmp_path)
    told = mercato("customers", "score", market, "--out", out, "--top", 2, "--quick")
    assert told.exit_code == 0, told.output
    assert "return: the classical answer" in told.output
    assert "A return of what is in it within 28 days" in told.output
    chance = pd.read_csv(out)["return"]
    assert chance.mean() == pytest.approx(0.25, abs=0.05)


def test_what_does_not_fit_is_one_line(market: Path, tmp_path: Path) -> None:
    told = mercato("customers", "score", market, "--out", tmp_path / "scores.txt")
    assert told.exit_code == 2
    assert "expected a file ending in .csv or .parquet" in told.output
    told = mercato("customers", "score", tmp_path, "--out", tmp_path / "scores.csv")
    assert told.exit_code == 2
    assert "expected a market with customers" in told.output
