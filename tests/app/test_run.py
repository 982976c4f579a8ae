"""The whole path on a shop's own table: what it leaves, how it goes on, when it starts afresh."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.train import DQNSettings, PPOSettings
from mercato.app import cli
from mercato.app.page.home import Home
from mercato.app.report.contents import read_contents
from mercato.app.run import RunSettings, rehearsal
from mercato.envs.store import load_market, load_panel
from mercato.forecasters.errors import InputError
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network.training import TrainingSettings
from tests.app.conftest import MAP, contents, sales

GLANCE = Validation(times=1, episodes=1, horizon=3, series=1)
TINY = RunSettings(
    fit=FitSettings(training=TrainingSettings(steps=2)),
    ppo=PPOSettings(steps=60, markets=1, horizon=6, validation=GLANCE),
    dqn=DQNSettings(steps=60, markets=1, horizon=6, warm_up=20, validation=GLANCE),
    validation=GLANCE,
    episodes=2,
    horizon=3,
    shift_episodes=2,
    caveat=rehearsal().caveat,
    recipe=None,
)
RESULTS = ("card.json", "card.html", "benchmark.json", "decisions.csv", "report.json", "report.html")
FORECAST = ("forecast.json", "forecast.csv")
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shop's files."""
    folder = tmp_path_factory.mktemp("shop")
    sales(days=60).to_csv(folder / "till.csv", index=False)
    (folder / "shop.yaml").write_text(
        "lead_time: 2\nunit_cost_share: 0.6\nprice_rules:\n  largest_change: 0.1\n"
    )
    stock = pd.DataFrame({"location": "corner", "item": ["espresso", "mocha"], "on_hand": [900, 0]})
    stock.to_csv(folder / "stock.csv", index=False)
    return folder / "till.csv"


@pytest.fixture(scope="module")
def run(table: Path) -> Run:
    """``mercato run`` on the table with tiny settings, and what came of it."""
    mapped = [part for ours, theirs in MAP.items() for part in ("--map", f"{ours}={theirs}")]

    def invoke(out: Path, *more: object, table: Path = table) -> Any:
        files = ["--economics", table.with_name("shop.yaml"), "--stock", table.with_name("stock.csv")]
        asked = ["run", table, "--out", out, "--quick", "--currency", "€", *mapped, *files, *more]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mercato.app.run.rehearsal", lambda: TINY)
            return CliRunner().invoke(cli.app, [str(word) for word in asked])

    return invoke


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, run: Run) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("runs") / "own"
    return folder, run(folder)


def test_a_table_with_its_own_names_becomes_a_report(finished: tuple[Path, Any]) -> None:
    folder, ran = finished
    assert ran.exit_code == 0, ran.stderr
    assert "static price, " in ran.stdout
    assert "The best learned policy" in ran.stdout
    assert "1 location, 3 items, 3 series, 60 periods (D)" in ran.stderr
    assert "assumed, since no economics file gives them: unmet" in ran.stderr
    assert {path.name for path in folder.iterdir()} == {*RESULTS, *FORECAST, "market", "policies", "run.json"}
    told = read_contents(folder / "report.json")
    assert told.title == "What learned policies earn: till"
    assert {part.name for part in told.assumptions if part.given} == {
        "lead_time",
        "unit_cost_share",
        "price_rules",
    }
    assert dict(told.facts)["training"].startswith("a rehearsal with little training")
    assert told.limits[-1] == "The table has no unit costs: they are a given share of the reference price."
    assert told.trust is not None
    assert told.trust.trust == json.loads((folder / "card.json").read_text())["verdict"]["trust"]
    page = (folder / "report.html").read_text()
    assert 'href="card.html"' in page
    assert "Own elasticities" in page  # the evidence is on the page, too
    assert "Forecast of the coming 8 days" in page
    assert "Market card: till" in (folder / "card.html").read_text()
    assert told.decisions is not None
    rows = pd.read_csv(folder / "decisions.csv")
    assert told.decisions.date == rows["date"][0]
    assert {row.item for row in told.decisions.rows} == set(rows["item"])
    assert "What PPO decides for" in page or "What DQN decides for" in page


def test_a_run_where_a_market_is_expected_is_told_where_its_market_is(finished: tuple[Path, Any]) -> None:
    folder, _ = finished
    for load in (load_market, load_panel):
        with pytest.raises(InputError) as caught:
            load(folder)
        assert str(caught.value).endswith(f"found none; did you mean {folder / 'market'}?")


def test_the_currency_is_kept_with_the_market(finished: tuple[Path, Any]) -> None:
    folder, _ = finished
    assert load_market(folder / "market").economics.currency == "€"
    assert set(pd.read_csv(folder / "decisions.csv")["currency"]) == {"€"}
    assert "profit, €" in (folder / "report.html").read_text()


def test_decisions_use_the_stock_and_say_why(finished: tuple[Path, Any]) -> None:
    rows = pd.read_csv(finished[0] / "decisions.csv").set_index("item")
    assert rows["on_hand"]["espresso"] == 900
    assert rows["order"]["espresso"] == 0
    assert "no order: stock covers" in rows["why"]["espresso"]
    assert "order: stock covers 0.0 of the 3 periods that it must last" in rows["why"]["mocha"]


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def same(there: Path, here: Path) -> None:
    """Two folders hold the same run; a card tells how long it took, too."""
    for name in (*RESULTS[1:], *FORECAST):
        assert (there / name).read_bytes() == (here / name).read_bytes(), name
    for name in ("ppo", "dqn"):
        one, other = (LearnedPolicy.load(place / f"policies/{name}.safetensors") for place in (there, here))
        assert contents(one) == contents(other)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_result(
    tmp_path: Path, run: Run, finished: tuple[Path, Any]
) -> None:
    work = shutil.copytree(finished[0], tmp_path / ".run-unfinished")
    for name in ("policies/dqn.safetensors", "benchmark.json", "decisions.csv", "report.json", "report.html"):
        (work / name).unlink()
    kept = ("market/market.json", "card.json", "forecast.json", "policies/ppo.safetensors")
    written = [(work / name).stat().st_mtime_ns for name in kept]
    out = tmp_path / "run"
    ran = run(out)
    assert ran.exit_code == 0, ran.stderr
    assert "that was interrupted" in ran.stderr
    assert [(out / name).stat().st_mtime_ns for name in kept] == written
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    same(out, finished[0])


@pytest.mark.slow
def test_interrupted_at_each_stage_it_comes_to_the_same(
    tmp_path: Path, run: Run, finished: tuple[Path, Any]
) -> None:
    out = tmp_path / "run"
    stages = (
        *("app.run.market_card", "app.run.keep_forecast", "app.run.tune_baselines"),
        *("app.training.train_dqn", "app.run.gather"),
    )
    for stage in stages:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"mercato.{stage}", interrupted)
            assert run(out).exit_code == 130
        assert not out.exists()
    assert run(out).exit_code == 0
    same(out, finished[0])


def test_something_else_starts_afresh(
    tmp_path: Path, run: Run, table: Path, finished: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another table, stock or economics under the same names is not gone on with; an old run stays."""
    home, out = shutil.copytree(table.parent, tmp_path / "shop"), tmp_path / "run"
    work = tmp_path / ".run-unfinished"
    shutil.copytree(finished[0], out)
    old = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    copy = home / table.name
    monkeypatch.setattr("mercato.app.run.fit_market", interrupted)
    assert run(out, table=copy).exit_code == 130
    assert "going on" in run(out, table=copy).stderr
    for path, text in (
        (copy, copy.read_text().rpartition("2023-03-02")[0].rstrip()),
        (home / "shop.yaml", "lead_time: 1\n"),
        (home / "stock.csv", "location,item,on_hand\ncorner,mocha,3\n"),
    ):
        (work / "decisions.csv").write_text("of what was asked before")
        path.write_text(text)
        ran = run(out, table=copy)
        assert ran.exit_code == 130, ran.stderr
        assert "going on" not in ran.stderr
        assert not (work / "decisions.csv").exists()
        assert "going on" in run(out, table=copy).stderr
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == old
    assert json.loads((work / "run.json").read_text())["asked"]["economics"] == {
        "lead_time": 1,
        "currency": "€",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--currency", "a whole sentence"], "--currency: expected 1 to 8 printable characters such as €"),
        (["--currency", "\x1b[2J"], "--currency: expected 1 to 8 printable characters"),
        (["--currency", " "], "--currency: expected 1 to 8 printable characters"),
        (["--map", "units=pieces"], "pieces"),
    ],
)
def test_what_does_not_fit_is_said_before_any_work(
    tmp_path: Path, run: Run, options: list[str], message: str
) -> None:
    ran = run(tmp_path / "run", *options)
    assert ran.exit_code == 2
    assert message in ran.stderr
    assert not (tmp_path / "run").exists()


def test_a_damaged_record_is_not_gone_on_with(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mercato.app.run.fit_market", interrupted)
    (tmp_path / ".run-unfinished").mkdir()
    (tmp_path / ".run-unfinished" / "run.json").write_text("{")
    ran = run(tmp_path / "run")
    assert (ran.exit_code, "going on" in ran.stderr) == (130, False)


@pytest.mark.parametrize("format_of", ["MARKETS", "POLICIES"])
def test_what_another_version_left_is_not_gone_on_with(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, format_of: str
) -> None:
    """Of its files some could not be read."""
    monkeypatch.setattr("mercato.app.run.fit_market", interrupted)
    assert run(tmp_path / "run").exit_code == 130
    monkeypatch.setattr(f"mercato.app.run.FORMAT_OF_{format_of}", "another")
    ran = run(tmp_path / "run")
    assert (ran.exit_code, "going on" in ran.stderr) == (130, False)


@pytest.mark.slow
def test_a_market_with_policies_has_a_report_too(tmp_path: Path, finished: tuple[Path, Any]) -> None:
    folder, _ = finished
    out = tmp_path / "page.html"
    asked = ["report", folder / "market", folder / "policies" / "ppo.safetensors", "--episodes", 2]
    ran = CliRunner().invoke(cli.app, [*map(str, asked), "--horizon", "3", "--out", str(out)])
    assert ran.exit_code == 0, ran.stderr
    page = out.read_text()
    assert "2 episodes of 3 days" in page
    assert "profit, €" in page
    assert "What each policy earns" in page
    assert "What PPO decides for" in page
    assert "card.html" not in page
    kept = Home(folder / "market").forecast()
    assert kept.is_file()
    assert json.loads(kept.read_text()) == json.loads((folder / "forecast.json").read_text())


def test_a_run_folder_is_written_again_in_another_currency(
    tmp_path: Path, finished: tuple[Path, Any]
) -> None:
    out = tmp_path / "page.html"
    ran = CliRunner().invoke(cli.app, ["report", str(finished[0]), "--currency", "CHF", "--out", str(out)])
    assert ran.exit_code == 0, ran.stderr
    assert "profit, CHF" in out.read_text()
    assert "profit, €" in (finished[0] / "report.html").read_text()


def test_the_report_of_a_run_without_a_forecast_makes_one(tmp_path: Path, finished: tuple[Path, Any]) -> None:
    folder = shutil.copytree(finished[0], tmp_path / "run")
    for name in (*FORECAST, "report.html"):
        (folder / name).unlink()
    ran = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert ran.exit_code == 0, ran.stderr
    assert (folder / "report.html").read_text() == (finished[0] / "report.html").read_text()
    kept = Home(folder / "market", folder).forecast()
    written = kept.stat().st_mtime_ns
    assert CliRunner().invoke(cli.app, ["report", str(folder)]).exit_code == 0
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["{run}", "--episodes", "4"], "--episodes: expected a market with policies"),
        (["{run}/market", "{run}/policies/ppo.safetensors"], "--out: expected a page to write"),
        (["{run}", "--out", "page.pdf"], "--out: expected a file ending in .html"),
        (["{run}", "--currency", ""], "--currency: expected 1 to 8 printable characters"),
    ],
)
def test_report_ignores_nothing_that_was_asked(
    finished: tuple[Path, Any], asked: list[str], message: str
) -> None:
    words = [word.format(run=finished[0]) for word in asked]
    ran = CliRunner().invoke(cli.app, ["report", *words])
    assert ran.exit_code == 2
    assert message in ran.stderr


@pytest.mark.slow
def test_a_run_with_receipts_plays_and_tells_of_their_customers(tmp_path: Path, run: Run) -> None:
    table = sales(days=60).reset_index(drop=True)
    lines = table.loc[table.index.repeat(table["qty"] // 2)]
    cards = pd.Series(range(len(lines))) % 60
    receipts = pd.DataFrame(
        {
            "time": lines["day"].to_numpy(),
            "customer": [f"c{card}" for card in cards],
            "item": lines["sku"].to_numpy(),
            "price": lines["unit price"].to_numpy(),
            "location": "corner",
        }
    )
    receipts.to_csv(tmp_path / "receipts.csv", index=False)
    ran = run(tmp_path / "run", "--events", tmp_path / "receipts.csv")
    assert ran.exit_code == 0, ran.stderr
    assert load_market(tmp_path / "run" / "market").customers is not None
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Why customers leave" in page
    assert json.loads((tmp_path / "run" / "card.json").read_text())["customers"]["leaving"]["customers"] == 60
