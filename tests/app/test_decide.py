"""``mercato decide``: what the next prices and orders are, after which table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.app.command_line import mercato, result


def test_decide_writes_a_row_a_series_for_the_next_day(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "decisions.csv"
    given = ["decide", home / "market", home / "ppo.safetensors", "--panel", home / "sales.csv", "--out", out]
    told = result(*given, "--json")
    rows = pd.read_csv(out)
    assert list(rows["item"]) == ["espresso", "flat white", "mocha"]
    assert set(rows["date"]) == {"2023-05-02"}
    assert (rows["gain_lo"] <= rows["expected_gain"]).all()
    assert (rows["expected_gain"] <= rows["gain_hi"]).all()
    assert rows["note"].str.contains("stock assumed").all()
    assert told["series"] == 3
    assert [row["why"] for row in told["rows"]] == list(rows["why"])
    assert rows["why"].str.contains("order: ").all()
    assert (told["currency"], set(rows["currency"])) == ("money", {"money"})
    assert mercato(*given, "--currency", "=1+1").exit_code == 0
    assert set(pd.read_csv(out)["currency"]) == {"'=1+1"}  # no formula
    assert told["gain"]["lo"] <= told["gain"]["mean"] <= told["gain"]["hi"]


def decided(home: Path, table: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, str]:
    """What is decided after a latest table, and what is said."""
    panel, out = folder / "latest.csv", folder / "decisions.csv"
    table.to_csv(panel, index=False)
    ran = mercato("decide", home / "market", home / "ppo.safetensors", "--panel", panel, "--out", out)
    assert ran.exit_code == 0, ran.stderr
    return pd.read_csv(out), " ".join(ran.stderr.split())


@pytest.mark.parametrize("days", [1, 10, 60])
def test_decide_needs_no_more_than_the_latest_rows(home: Path, tmp_path: Path, days: int) -> None:
    """What the market knows it knows: a table of a day decides as the whole one does."""
    table = pd.read_csv(home / "sales.csv", parse_dates=["day"])
    last = table[table["day"] > table["day"].max() - pd.Timedelta(days=days)]
    whole, _ = decided(home, table, tmp_path)
    short, _ = decided(home, last, tmp_path)
    pd.testing.assert_frame_equal(short, whole)


def test_decide_leaves_out_what_the_market_does_not_know_and_what_is_gone(home: Path, tmp_path: Path) -> None:
    table = pd.read_csv(home / "sales.csv", parse_dates=["day"])
    new = table[table["sku"] == "mocha"].assign(sku="chai")
    rows, said = decided(home, pd.concat([table[table["sku"] != "mocha"], new]), tmp_path)
    assert list(rows["item"]) == ["espresso", "flat white"]
    assert "item: 1 that the market does not know are left out, first 'chai'; fit it again" in said
    assert "item: 1 of the market's are not in the latest table and need no decision, first 'mocha'" in said


def test_decide_leaves_out_what_has_ended(home: Path, tmp_path: Path) -> None:
    table = pd.read_csv(home / "sales.csv", parse_dates=["day"])
    more = table.assign(day=table["day"] + pd.Timedelta(days=60))
    later = pd.concat([table, more[more["day"] > table["day"].max()]])
    rows, said = decided(
        home, later[(later["sku"] != "mocha") | (later["day"] <= table["day"].max())], tmp_path
    )
    assert list(rows["item"]) == ["espresso", "flat white"]
    assert "1 series have ended and need no decision, first corner, mocha" in said


def test_decide_orders_less_where_more_is_there(home: Path, tmp_path: Path) -> None:
    given = ["decide", home / "market", home / "ppo.safetensors", "--panel", home / "sales.csv"]
    orders = []
    for units in (0, 500):
        stock, out = tmp_path / f"stock{units}.csv", tmp_path / f"out{units}.csv"
        stock.write_text(
            "location,item,on_hand\n" + "".join(f"corner,{i},{units}\n" for i in ("espresso", "mocha"))
        )
        assert mercato(*given, "--stock", stock, "--out", out).exit_code == 0
        orders.append(pd.read_csv(out).set_index("item"))
    empty, full = orders
    assert (empty.loc[["espresso", "mocha"], "order"] > 0).all()
    assert (full.loc[["espresso", "mocha"], "order"] == 0).all()
    assert full["note"].fillna("").to_dict()["espresso"] == ""
    assert "stock assumed" in full["note"]["flat white"]
