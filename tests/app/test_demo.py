"""The demo on a small reference market: what it leaves, what it says, how it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.pathwise import PathwiseSettings
from mercato.agents.train import DQNSettings, PPOSettings
from mercato.agents.workers import HERE, Workers, employ
from mercato.app import demo, training
from mercato.app.report import words
from mercato.app.report.contents import read_contents
from mercato.app.run import Case, Finished, RunSettings
from mercato.envs.structural import Size
from mercato.forecasters.errors import InputError
from mercato.forecasters.market_model import Recipe
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.progress import SILENT
from mercato.forecasters.sources import SourceUnavailable
from tests.app.conftest import contents

GLANCE = Validation(times=1, episodes=1, horizon=4, series=1)
LEARNED = ("PPO", "DQN", "pathwise")
POLICIES = tuple(f"policies/{name.lower()}.safetensors" for name in LEARNED)
SMALL = RunSettings(
    fit=FitSettings(training=TrainingSettings(steps=4)),
    ppo=PPOSettings(steps=400, markets=2, horizon=8, validation=GLANCE),
    dqn=DQNSettings(steps=400, markets=2, horizon=8, warm_up=100, validation=GLANCE),
    pathwise=PathwiseSettings(steps=200, markets=1, horizon=8, window=4, validation=GLANCE),
    validation=GLANCE,
    episodes=4,
    horizon=5,
    shift_episodes=2,
    recipe=None,
)


@pytest.fixture(scope="module", autouse=True)
def small_reference() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        small = {name: replace(made, size=Size(2, 3, 45)) for name, made in demo.MADE.items()}
        patch.setattr(demo, "MADE", small)
        yield


def run(folder: Path, name: str = "reference", workers: Workers = HERE) -> tuple[Finished, list[str]]:
    said: list[str] = []
    return demo.run_demo(folder, name, 1, SMALL, SILENT, said.append, workers), said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "demo"


@pytest.fixture(scope="module")
def finished(folder: Path) -> Finished:
    return run(folder)[0]


def test_the_demo_leaves_all_that_it_promises(folder: Path, finished: Finished) -> None:
    left = {path.name for path in folder.iterdir()}
    assert {"market", "policies", "benchmark.json", "decisions.csv", "report.html"} <= left
    told = json.loads((folder / "benchmark.json").read_text())
    pricing = {row["policy"].split(", ")[0] for row in told["policies"]}
    assert pricing >= {*LEARNED, "static price", "logged price", "random"}
    assert {row["policy"] for row in told["true_market"]["policies"]} == {
        row["policy"] for row in told["policies"]
    }
    assert "The same policies in the true market" in (folder / "report.html").read_text()
    assert len(pd.read_csv(folder / "decisions.csv")) == 6
    ends = [shift.change for shift in finished.contents.other_customers]
    assert ends == [
        "as fitted",
        "own elasticity at the weak end",
        "own elasticity at the strong end",
        "substitution by constant cross elasticities",
    ]
    assert read_contents(folder / "report.json") == finished.contents
    moved = {part.name for part in finished.contents.assumptions if part.shifts}
    assert {"lead_time", "holding_rate", "shortage_rate"} <= moved
    assert "unit_cost_share" not in moved  # the table has costs


def test_the_headline_follows_from_the_table(finished: Finished) -> None:
    line, told = finished.contents.headline, finished.benchmark.payload()
    profit = {row["policy"]: row["profit_mean"] for row in told["policies"]}
    assert line.learned == max(LEARNED, key=profit.__getitem__)
    assert line.baseline == max(profit.keys() - {*LEARNED}, key=profit.__getitem__)
    (pair,) = [p for p in told["pairs"] if (p["a"], p["b"]) == (line.learned, line.baseline)]
    assert line.versus_baseline.mean == pytest.approx(profit[line.learned] - profit[line.baseline], abs=1e-3)
    assert (line.versus_baseline.lo, line.versus_baseline.hi) == (pair["diff_lo"], pair["diff_hi"])
    (gain,) = [p for p in told["gains"] if (p["a"], p["b"]) == (line.learned, line.static)]
    assert line.static.startswith("static price, ")
    assert line.versus_static is not None
    assert (line.versus_static.lo, line.versus_static.hi) == (gain["diff_lo"], gain["diff_hi"])
    lost = [p["b"] for p in told["pairs"] if p["a"] == line.learned and p["diff_lo"] <= 1e-6 * profit[p["b"]]]
    assert line.not_beaten == lost
    assert ("does not beat" in words.verdict(line)) == bool(lost)
    assert all(any(rule in reason for reason in line.reasons) for rule in lost)


@pytest.mark.slow
def test_a_finished_run_starts_afresh_and_the_same_seed_gives_the_same_table(
    folder: Path, finished: Finished
) -> None:
    model = folder / "market" / "model.safetensors"
    written = model.stat().st_mtime_ns
    again, said = run(folder)
    assert said == []
    assert model.stat().st_mtime_ns != written
    assert again.benchmark.payload() == finished.benchmark.payload()


@pytest.mark.slow
def test_workers_leave_the_same_files(tmp_path: Path, folder: Path, finished: Finished) -> None:
    with employ(2) as workers:
        run(tmp_path, workers=workers)
    for name in ("benchmark.json", "report.json", "decisions.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    for name in POLICIES:
        there, here = (LearnedPolicy.load(place / name) for place in (tmp_path, folder))
        assert contents(there) == contents(here), name
    assert {f"policies/{path.name}" for path in (tmp_path / "policies").iterdir()} == {*POLICIES}


def test_an_unreachable_source_is_said_in_one_line_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(name: str, out: Path) -> Path:
        raise SourceUnavailable(f"{name}: no way there")

    asked: list[Case] = []

    def go(work: Path, case: Case, *_: object) -> None:
        asked.append(case)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "write_source", unreachable)
    monkeypatch.setattr(demo, "go", go)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        demo.run_demo(tmp_path / "run", "orange-juice", 1, SMALL, SILENT, said.append)
    assert said == ["orange-juice: no way there; going on with the reference market, whose truth is known"]
    assert asked[0].name == "reference"
    assert asked[0].truth is not None
    assert asked[0].truth.is_dir()


@pytest.mark.slow  # test_run.py has the same of one's own table
def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(training, "train_dqn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "run")
    kept = ("market/model.safetensors", "policies/ppo.safetensors")
    work, out = tmp_path / ".run-unfinished", tmp_path / "run"
    written = [(work / name).stat().st_mtime_ns for name in kept]
    _, said = run(out)
    assert "that was interrupted" in said[0]
    assert [(out / name).stat().st_mtime_ns for name in kept] == written


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(InputError, match="expected a new folder or that of a run"):
        run(tmp_path)
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_fresh_food_is_sold_for_three_days(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    demo._data(tmp_path / "run", {"asked": {"data": "fresh-food"}}, 1, lambda _: None)
    case = demo.case_of("fresh-food", tmp_path / "run" / "panel.parquet")
    assert case.economics.shelf_life == 3
    assert case.truth is not None
    assert case.truth.is_dir()


@pytest.mark.slow
def test_a_shop_of_fresh_food_goes_the_whole_way(tmp_path: Path) -> None:
    settings = replace(SMALL, recipe=Recipe(trees=False))
    finished = demo.run_demo(tmp_path / "fresh", "fresh-food", 1, settings, SILENT, lambda _: None)
    assert any(name.startswith("markdown") for name in finished.benchmark.evaluation.names)
    assert finished.benchmark.truth is not None
    assert "shelf life" in (tmp_path / "fresh" / "report.html").read_text()
