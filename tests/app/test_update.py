"""``mercato update`` and ``mercato drift``: versions, growth, and what is not taken in."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mercato as package
from mercato.app.updating import api as updating
from mercato.app.updating.policy_trial import policy_trials
from mercato.envs.store import load_market
from mercato.forecasters.errors import InputError
from mercato.forecasters.update import Trial
from tests.app.command_line import mercato, result
from tests.app.conftest import sales


@pytest.fixture
def market(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home / "market", tmp_path / "market"))


def later(days: int) -> pd.DataFrame:
    """So many days after the table that the market at home was fitted to."""
    table = sales(120 + days)
    return table[table["day"] >= pd.Timestamp("2023-05-02")]


def digest(folder: Path) -> str:
    return str(json.loads((folder / "market.json").read_text())["fingerprint"])


def test_a_week_of_rows_makes_a_version_that_plays_on_and_can_be_taken_back(
    market: Path, tmp_path: Path
) -> None:
    before = digest(market)
    later(7).to_csv(tmp_path / "week.csv", index=False)
    told = result("update", market, "--panel", tmp_path / "week.csv", "--json")
    assert (told["depth"], told["adopted"], told["version"]["number"]) == ("condition", True, 2)
    assert told["version"]["digest"] == digest(market) != before
    assert told["version"]["parent"] == before
    updated, old = load_market(market), load_market(tmp_path / "market.versions" / "0001")
    assert len(updated.dates) == len(old.dates) + 7
    assert str(updated.dates[-1]) == "2023-05-08"
    np.testing.assert_array_equal(updated.demand.model.base.past, old.demand.model.base.past)  # type: ignore[attr-defined]
    listed = result("update", market, "--versions", "--json")
    assert listed["in_use"] == 2
    assert [one["digest"] for one in listed["versions"]] == [before, digest(market)]
    assert mercato("update", market, "--rollback").exit_code == 0
    assert digest(market) == before
    again = mercato("update", market, "--rollback")
    assert again.exit_code == 2
    assert "expected a version before 1, found none" in again.stderr
    assert result("update", market, "--versions", "--json")["in_use"] == 1


def test_the_same_rows_twice_are_no_news(market: Path) -> None:
    package.update(market, later(3), depth="condition")
    now = digest(market)
    done = package.update(market, later(3))
    assert done.depth is None
    assert "nothing that the market does not know" in done.why
    assert digest(market) == now
    assert len(package.versions(market)) == 2


def test_another_folder_gets_the_version_and_the_market_stays(market: Path, tmp_path: Path) -> None:
    before = digest(market)
    package.update(market, later(3), depth="condition", out=tmp_path / "new")
    assert digest(market) == before
    assert len(load_market(tmp_path / "new").dates) == 123
    assert package.rollback(tmp_path / "new").digest == before == digest(tmp_path / "new")


def test_a_new_item_begins_as_the_one_that_it_is_like(market: Path) -> None:
    chai = later(14)[later(14)["sku"] == "mocha"].assign(sku="chai")
    chai["qty"] *= 3
    chai["unit price"] = 4.5  # as mocha's usual one
    done = package.update(market, pd.concat([later(14), chai]), depth="condition")
    assert done.market.items == ("chai", "espresso", "flat white", "mocha")
    assert any("chai: new, assumed to be like mocha" in note for note in done.drift.notes)
    typical = done.market.terms.typical_demand[0]
    assert 2 < float(typical[0] / typical[3]) < 5  # 3, and what prices of those weeks did
    own = done.market.demand.model.response  # type: ignore[attr-defined]
    assert float(own.own_error[0]) > float(own.own_error[3])
    loaded = load_market(market)
    assert loaded.items == done.market.items
    package.update(market, later(16)[later(16)["day"] > "2023-05-15"], depth="condition")  # which lack it


def test_an_item_that_follows_another_at_its_price_is_taken_for_it(market: Path) -> None:
    table = later(10)
    table.loc[table["sku"] == "mocha", "sku"] = "mocha (new recipe)"
    done = package.update(market, table, depth="condition")
    assert "mocha (new recipe): taken for mocha under a new code" in done.drift.notes


def test_settling_moves_levels_and_leaves_the_price_response(market: Path) -> None:
    louder = later(35)
    louder["qty"] = (louder["qty"] * 1.6).round()
    done = package.update(market, louder, depth="settle")
    old = load_market(market.parent / "market.versions" / "0001").demand.model  # type: ignore[attr-defined]
    new = load_market(market.parent / "market.versions" / "0002").demand.model  # type: ignore[attr-defined]
    np.testing.assert_array_equal(new.response.own, old.response.own)
    assert float((new.base.place - old.base.place).mean()) > 0
    assert done.trial is not None
    assert done.trial.periods == 8
    assert done.version.watched_from == 155


def test_a_challenger_that_does_worse_is_kept_beside(market: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(market)
    worse = Trial(8, champion=1.0, challenger=1.2, error=0.1)
    monkeypatch.setattr(updating, "_learned", lambda depth, seen, *_: (seen.model, worse))
    done = package.update(market, later(7), depth="settle")
    assert not done.adopted
    assert digest(market) == before
    assert [(one.number, one.adopted) for one in package.versions(market)] == [(1, True), (2, False)]
    said = mercato("update", market, "--versions").stdout
    assert "rejected" in said
    assert "in use" in said


def test_a_policy_is_tried_with_the_beliefs_of_both(home: Path) -> None:
    from mercato.agents.learned import LearnedPolicy

    market = load_market(home / "market")
    policy = LearnedPolicy.load(home / "ppo.safetensors")
    (same,) = policy_trials(market, market, [policy], seed=0)
    assert (same.difference, same.passed) == (0.0, True)
    assert not replace(same, difference=-2.0, lo=-3.0, hi=-1.0).passed


def test_drift_names_what_moved_and_what_to_do(
    market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    louder = later(21)
    louder["qty"] = (louder["qty"] * 2.2).round()
    louder.to_csv(tmp_path / "latest.csv", index=False)
    told = result("drift", market, "--panel", tmp_path / "latest.csv", "--json")
    level = [one for one in told["alarms"] if one["test"] == "level" and one["where"] == "the chain"]
    assert level[0]["since"] <= "2023-05-04"
    assert level[0]["size"] > 0.5
    assert level[0]["asks"] == "settle"
    assert "mercato update" in level[0]["advice"]
    shown = mercato("drift", market, "--panel", tmp_path / "latest.csv")
    assert "level of the chain" in shown.stdout
    assert not (tmp_path / "market.versions").exists()
    monkeypatch.setattr(updating, "_learned", lambda depth, seen, *_: (seen.model, None))
    chosen = package.update(market, louder)
    assert chosen.depth == "settle"
    assert "level of the chain" in chosen.why
    assert [alarm["where"] for alarm in package.versions(market)[1].alarms if alarm["test"] == "level"]


def test_units_of_another_unit_are_not_taken_in_unless_a_depth_is_given(market: Path) -> None:
    dozens = later(7)
    dozens["qty"] *= 12
    with pytest.raises(InputError, match="units: expected the unit that"):
        package.update(market, dozens)
    assert len(package.versions(market)) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--panel", "nowhere.csv"], "nowhere.csv"),
        ([], "expected one of --panel, --rollback and --versions"),
        (["--rollback", "--versions"], "expected one of --panel, --rollback and --versions"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(market: Path, given: list[str], said: str) -> None:
    ran = mercato("update", market, *given)
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_damaged_version_is_not_put_back(market: Path) -> None:
    package.update(market, later(3), depth="condition")
    kept, now = market.parent / "market.versions" / "0001" / "model.safetensors", digest(market)
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
        package.rollback(market)
    assert digest(market) == now
