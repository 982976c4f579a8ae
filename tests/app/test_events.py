"""What customers did goes with a market, or makes the whole of its sales table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mercato
from mercato.envs.customers import load_customers, load_events, load_records
from mercato.envs.economics import Economics
from mercato.envs.store import load_market, load_panel
from mercato.envs.versions import Version, publish, roll_back
from mercato.forecasters.customers import Account
from mercato.forecasters.errors import InputError
from mercato.forecasters.events import Relation, Rule, panel_of, read_events
from mercato.forecasters.model import DemandModel
from mercato.forecasters.store import load_model
from mercato.forecasters.tensors import NoiseKey
from tests.app.command_line import mercato as command
from tests.app.command_line import refused
from tests.app.conftest import sales
from tests.app.test_cli import MAPPED


def receipts() -> pd.DataFrame:
    """Every other sale of the café, by sixty cards."""
    table = sales()
    lines = table.loc[table.index.repeat(table["qty"] // 2)]
    cards = np.random.default_rng(0).integers(60, size=len(lines))
    return pd.DataFrame(
        {
            "when": lines["day"].to_numpy(),
            "card": [f"c{card}" for card in cards],
            "item": lines["sku"].to_numpy(),
            "price": lines["unit price"].to_numpy(),
            "location": "corner",
        }
    )


ITEMS = pd.DataFrame({"item": ["espresso", "mocha"], "category": ["Drinks > Coffee"] * 2, "text": "hot"})
RELATIONS = pd.DataFrame(
    {"item": ["espresso", "mocha"], "other": ["mocha", None], "relation": ["substitute", "rule"], "sign": "-"}
)
NAMED = ["--map-events", "time=when", "--map-events", "customer=card"]


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with receipts.csv, items.csv and relations.csv."""
    receipts().to_csv(tmp_path / "receipts.csv", index=False)
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    RELATIONS.to_csv(tmp_path / "relations.csv", index=False)
    return tmp_path


@pytest.fixture
def fitted(home: Path, monkeypatch: pytest.MonkeyPatch) -> DemandModel:
    """The café's model, which every fit finds."""
    model = load_model(home / "market")
    monkeypatch.setattr("mercato.envs.store.fit_demand", lambda *_, **__: model)
    monkeypatch.setattr("mercato.envs.store.anchored_to_forecast", lambda model, *_: model)
    return model


def fit(home: Path, tables: Path, *options: object) -> Any:
    beside = ["--items", tables / "items.csv", "--relations", tables / "relations.csv"]
    events = ["--events", tables / "receipts.csv", *NAMED]
    return command("fit", *options, *MAPPED, "--out", tables / "market", *events, *beside)


def test_a_market_keeps_what_its_customers_did(home: Path, tables: Path, fitted: DemandModel) -> None:
    outcome = fit(home, tables, home / "sales.csv")
    assert outcome.exit_code == 0, outcome.output
    said, share = " ".join(outcome.stderr.split()), len(receipts()) / sales()["qty"].sum()
    for line in (
        "note: events: event: no such column",
        "of 60 customers:",
        f"note: coverage: known customers buy {share:.0%} of the panel's units in 120 periods",
        "note: items: 2 of the panel's 3 items are described",
        "note: relations: 1 pairs of items, 1 bounds",
    ):
        assert line in said
    records = load_records(tables / "market")
    assert len(records.events) == len(receipts())
    assert records.items is not None
    assert records.items.text == ("hot", "hot")
    assert records.relations is not None
    assert records.relations.relations == (Relation("espresso", "mocha", "substitute"),)
    assert records.relations.rules == (Rule("mocha", "", -np.inf, 0.0),)
    market = load_market(tables / "market")
    assert market.items == ("espresso", "flat white", "mocha")
    assert market.customers is not None
    assert isinstance(market.customers.described, Path), "read when it is asked for"
    cut = market.to("cpu").select(items=["mocha"]).customers
    assert cut is not None
    assert cut.items is not None
    assert cut.items.text == ("hot", "hot")


def account_of(tables: Path) -> Account:
    known = load_customers(tables / "market")
    assert known is not None
    return known.known().account


def test_customers_of_a_market_remember(home: Path, tables: Path, fitted: DemandModel) -> None:
    assert fit(home, tables, home / "sales.csv").exit_code == 0
    market = load_market(tables / "market")
    remembering = market.remembered
    assert remembering is not market
    start, key = torch.tensor([60]), NoiseKey(0, *torch.zeros(3, 1, dtype=torch.int64))
    price = 1.1 * market.terms.reference_price.unsqueeze(0)
    one, other = (
        shop.demand.expected(shop.demand.reset(start, key), price) for shop in (market, remembering)
    )
    torch.testing.assert_close(one, other, msg="customers as ever buy as ever")
    account = account_of(tables)
    assert account.leaving["customers"] == 60
    assert sum(segment.share for segment in account.segments) == pytest.approx(1, abs=1e-5)


def test_who_is_not_seen_after_the_last_event_has_not_left(
    home: Path, tables: Path, fitted: DemandModel
) -> None:
    """A log that ends with the third month tells nothing of the fourth."""
    early = receipts()
    early[early["when"] < "2023-03-20"].to_csv(tables / "receipts.csv", index=False)
    assert fit(home, tables, home / "sales.csv").exit_code == 0
    assert account_of(tables).leaving["leavers"] < 6


def test_too_few_customers_are_kept_but_not_learned(home: Path, tables: Path, fitted: DemandModel) -> None:
    receipts().assign(card=lambda f: f["card"].str[:2]).to_csv(tables / "receipts.csv", index=False)
    outcome = fit(home, tables, home / "sales.csv")
    assert outcome.exit_code == 0
    assert "not simulated: events: expected at least 50 customers" in " ".join(outcome.stderr.split())
    assert len(load_events(tables / "market")) == len(receipts())
    market = load_market(tables / "market")
    assert market.remembered is market


def test_a_damaged_record_is_found(home: Path, tables: Path, fitted: DemandModel) -> None:
    assert fit(home, tables, home / "sales.csv").exit_code == 0
    path = tables / "market" / "customers" / "events.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"found that customers/events.parquet is damaged"):
        load_market(tables / "market")


def test_an_update_keeps_the_customers(home: Path, tables: Path, fitted: DemandModel) -> None:
    assert fit(home, tables, home / "sales.csv").exit_code == 0
    folder = tables / "market"
    panel = load_panel(folder)
    told = Version(2, "refit", str(panel.dates[-1]), panel.periods)
    publish(folder, fitted, panel, Economics(), told)
    assert len(load_events(folder)) == len(receipts())
    known = load_customers(folder)
    assert known is not None
    assert known.items is not None
    assert known.items.names == ("espresso", "mocha")
    again = receipts().rename(columns={"when": "time", "card": "customer"})
    later = read_events(again[again["time"] >= "2023-04-20"].assign(customer="c0"))
    publish(folder, fitted, panel, Economics(), told, events=later)
    assert len(load_events(folder)) == len(receipts())
    assert load_events(folder).between(np.datetime64("2023-04-20")).identified.customer.max() == 0
    roll_back(folder)
    roll_back(folder)
    assert len(load_events(folder)) == len(receipts())


def test_customers_are_learned_again_from_what_they_did_since(
    home: Path, tables: Path, fitted: DemandModel
) -> None:
    """A market of receipts takes the latest ones for its table and for its customers."""
    whole = receipts().rename(columns={"when": "time", "card": "customer"})
    early = whole[whole["time"] < "2023-04-20"]
    early.to_csv(tables / "early.csv", index=False)
    whole.to_csv(tables / "whole.csv", index=False)
    out = tables / "market"
    assert command("fit", "--events", tables / "early.csv", "--freq", "D", "--out", out).exit_code == 0
    assert len(load_events(out)) == len(early)
    outcome = command("update", out, "--panel", tables / "whole.csv", "--depth", "condition")
    assert outcome.exit_code == 0, outcome.output
    assert len(load_events(out)) == len(whole)
    assert load_panel(out).dates[-1] == whole["time"].max().to_datetime64()
    roll_back(out)
    assert len(load_events(out)) == len(early)


def test_an_update_says_what_it_read_of_later_events_and_what_it_left_out(home: Path, tables: Path) -> None:
    later = receipts()[:30].assign(event="buy", when="2030-01-01 09:00:00", line=range(30))
    wished = later[:2].assign(event="wish", line=[30, 31])
    pd.concat([later, wished]).to_csv(tables / "later.csv", index=False)
    outcome = command(
        "update", home / "market", "--panel", home / "sales.csv", "--events", tables / "later.csv", *NAMED
    )
    assert outcome.exit_code == 0, outcome.output
    said = " ".join(outcome.stderr.split())
    assert "ignored: events: event: 2 rows left out" in said
    assert "events: 30 of" in said
    assert "customers, 2030-01-01 to 2030-01-01" in said


def test_receipts_alone_make_a_market(home: Path, tables: Path, fitted: DemandModel) -> None:
    names = [
        part
        for ours, theirs in (("time", "when"), ("customer", "card"))
        for part in ("--map", f"{ours}={theirs}")
    ]
    asked = ["--events", tables / "receipts.csv", *names, "--freq", "D", "--busy", 0.2]
    outcome = command("fit", *asked, "--out", tables / "market")
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stderr.count("no such column, ") == 2, "of the event and of units, once each"
    panel = load_panel(tables / "market")
    assert panel.reading.busy == 0.2
    assert np.nansum(panel.units) == len(receipts())
    again = panel.reading.read(tables / "receipts.csv")
    np.testing.assert_array_equal(again.units, panel.units)


def test_python_takes_tables_and_what_was_read(fitted: DemandModel, tmp_path: Path) -> None:
    frame = receipts().rename(columns={"when": "time", "card": "customer"})
    market = mercato.fit(events=frame, items=ITEMS, out=tmp_path / "market")
    assert market.frequency == "W"
    assert market.categories == ("Drinks > Coffee", "all", "Drinks > Coffee")
    assert len(load_events(tmp_path / "market")) == len(frame)
    events = read_events(frame)
    mercato.fit(panel_of(events, "D"), tmp_path / "market", events=events)
    assert load_records(tmp_path / "market").items is None


def test_a_market_without_customers_says_so(home: Path) -> None:
    with pytest.raises(InputError, match=r"expected a market with customers \(fitted with --events\), found"):
        load_events(home / "market")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected a sales table, or --events to make it of, found neither"),
        (["sales.csv", *MAPPED, "--busy", "0.5"], "--busy: expected receipts alone, found a sales table"),
        (
            ["--events", "receipts.csv"],
            "events: expected the columns time and customer; time, customer not found",
        ),
        (
            ["--events", "receipts.csv", *NAMED, "--role", "x=past"],
            "--role: expected a sales table, found receipts",
        ),
        (
            ["sales.csv", "--events", "items.csv", "--map-events", "time"],
            "--map-events: expected name=value such as units=qty, found 'time'",
        ),
        (
            ["sales.csv", "--map-events", "time=when"],
            "--map-events: expected --events, whose names it gives, found none",
        ),
        (
            ["sales.csv", *MAPPED, "--items", "items.csv"],
            "items: expected events that they explain, found none",
        ),
        (
            ["sales.csv", *MAPPED, "--events", "items.csv", "--map-events", "time=text"],
            "events: expected the columns time and customer; customer not found",
        ),
        (
            ["sales.csv", *MAPPED, "--events", "elsewhere.csv"],
            "found none: items such as tea against the panel's espresso",
        ),
    ],
)
def test_fit_refuses_in_one_line(
    home: Path, tables: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    (tables / "sales.csv").write_bytes((home / "sales.csv").read_bytes())
    (tables / "elsewhere.csv").write_text("time,customer,item\n2023-02-01,ann,tea\n")
    monkeypatch.chdir(tables)
    assert message in refused("fit", "--out", "market", *options)
    assert not (tables / "market").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["sparse", "--events"], "--events: expected a public table, one of orange-juice, ta-feng"),
        (["ta-feng", "--events", "--items"], "--events, --items: expected one of them, found both"),
        (
            ["orange-juice", "--items"],
            "orange-juice: expected a source with items: ta-feng, complete-journey",
        ),
    ],
)
def test_data_refuses_what_is_not_there(tmp_path: Path, options: list[str], message: str) -> None:
    assert message in refused("data", *options, "--out", tmp_path / "x.parquet")


def test_rows_of_nobody_known_are_read_and_tell_nothing_of_customers(
    home: Path, tables: Path, fitted: DemandModel
) -> None:
    log = receipts().assign(event="buy", propensity=None, referrer=None)
    shown = log[:40].assign(event="recommend", card=None, propensity=0.5, referrer="c1")
    pd.concat([log, shown]).to_csv(tables / "receipts.csv", index=False)
    assert fit(home, tables, home / "sales.csv").exit_code == 0
    assert account_of(tables).exposure.assumed
