"""The command line as a person and a script meet it: results, exit statuses, one-line errors."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mercato.agents.learned import LearnedPolicy
from mercato.agents.workers import HERE, Workers, employ
from mercato.app.training import Training
from mercato.envs.market import Market
from mercato.forecasters.errors import InputError
from mercato.forecasters.progress import Progress
from tests.app.command_line import mercato, refused, result
from tests.app.conftest import MAP

VERBS = (
    *("data", "fit", "card", "backtest", "forecast", "pretrain", "export", "train", "decide", "benchmark"),
    *("whatif", "why", "report", "run", "demo", "problem", "bound"),
)
MAPPED = [part for ours, theirs in MAP.items() for part in ("--map", f"{ours}={theirs}")]


def test_help_names_every_verb() -> None:
    text = mercato("--help").stdout
    assert [verb for verb in VERBS if not re.search(rf"^.? {verb} ", text, flags=re.MULTILINE)] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    outcome = mercato(verb, "--help")
    assert outcome.exit_code == 0
    assert "Usage" in outcome.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit"],
        ["fly"],
        ["fit", "x.csv"],
        ["train", "m", "--out", "p", "--algo", "sarsa"],
        ["demo", "--seed", "-1"],
        ["benchmark", "m", "--workers", "0"],
    ],
)
def test_wrong_use_exits_with_2(arguments: list[str]) -> None:
    outcome = mercato(*arguments)
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="GNU OpenMP tells its settings there")
@pytest.mark.parametrize(("asked", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_without_spinning_unless_asked_to(asked: str | None, found: str) -> None:
    known = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    given = {} if asked is None else {"OMP_WAIT_POLICY": asked}
    outcome = subprocess.run(
        [sys.executable, "-m", "mercato.app.cli", "card", "nowhere"],
        capture_output=True,
        text=True,
        env={**known, **given, "OMP_DISPLAY_ENV": "TRUE"},
    )
    assert f"OMP_WAIT_POLICY = '{found}'" in outcome.stderr, "OpenMP says at its load what it has read"


def test_the_command_line_loads_nothing_heavy() -> None:
    said = "import sys, mercato.app.cli; print([m for m in ('torch', 'pandas', 'numpy') if m in sys.modules])"
    outcome = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"mercato \d+\.\d+\.\d+.*\n", mercato("--version").stdout)


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (InputError("expected this,\n found that"), 2, "error: expected this, found that"),
        (PermissionError(13, "Permission denied", "x"), 1, "error: [Errno 13] Permission denied: 'x'"),
        (
            ZeroDivisionError("by zero"),
            1,
            "error: a bug in mercato, not in your input: ZeroDivisionError: by zero; please report it"
            " with the command and what --verbose shows",
        ),
        (
            KeyboardInterrupt(),
            130,
            "error: interrupted; fit, pretrain, train, run and demo go on where they were if started again",
        ),
    ],
)
def test_whatever_goes_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, status: int, said: str
) -> None:
    def fails(*_: object) -> None:
        raise raised

    monkeypatch.delenv("MERCATO_DEBUG", raising=False)
    monkeypatch.setattr("mercato.app.commands.report.run", fails)
    outcome = mercato("report", "x")
    assert (outcome.exit_code, outcome.stderr, outcome.stdout) == (status, said + "\n", "")


def test_verbose_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERCATO_DEBUG", "1")
    outcome = mercato("report", "nowhere")
    assert isinstance(outcome.exception, InputError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--map", "units"], "--map: expected name=value such as units=qty, found 'units'"),
        (["--role", "deal=boss"], "--role deal: expected one of static, exogenous"),
        (["--absent", "perhaps"], "--absent: expected zero or unknown, found 'perhaps'"),
        (["--economics", "none.yaml"], "economics file none.yaml: cannot be read"),
    ],
)
def test_fit_checks_its_options(home: Path, tmp_path: Path, options: list[str], message: str) -> None:
    assert message in refused("fit", home / "sales.csv", "--out", tmp_path / "m", *options)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.mkdir(), "found a directory"),
        (lambda path: path.write_text(""), "found an empty file"),
        (lambda path: None, "found no such file"),
    ],
)
def test_fit_refuses_what_is_no_table(tmp_path: Path, write: Any, message: str) -> None:
    write(tmp_path / "x.csv")
    assert message in refused("fit", tmp_path / "x.csv", "--out", tmp_path / "m")


def test_fit_does_not_overwrite_what_is_not_a_market(home: Path, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    assert "expected a market folder" in refused("fit", home / "sales.csv", "--out", tmp_path, *MAPPED)
    assert (tmp_path / "letters.txt").read_text() == "dear"


@pytest.mark.parametrize(
    "verb", [["card"], ["benchmark"], ["train", "--algo", "ppo", "--out", "p.safetensors"]]
)
def test_a_market_that_is_none_is_said(tmp_path: Path, verb: list[str]) -> None:
    assert "market" in refused(verb[0], tmp_path / "none", *verb[1:])


def test_card_is_plain_json_of_the_same_keys(home: Path, card: dict[str, Any]) -> None:
    told = result("card", home / "market", "--json")
    known = copy.deepcopy(card)
    for scores in (*told["backtest"]["models"].values(), *known["backtest"]["models"].values()):
        del scores["seconds"]
    assert told == known
    own, cross = card["elasticity"]["own"], card["elasticity"]["cross"]
    assert [(row["location"], row["item"]) for row in own] == [
        ("corner", item) for item in ("espresso", "flat white", "mocha")
    ]
    assert all(row["lo"] <= row["mean"] <= row["hi"] and row["mean"] < 0 for row in own)
    assert {(row["item"], row["other_item"]) for row in cross} == {
        (a, b)
        for a in ("espresso", "flat white", "mocha")
        for b in ("espresso", "flat white", "mocha")
        if a != b
    }
    assert set(cross[0]) == {"item", "other_item", "mean"}
    assert not card["economics"]["lead_time"]["given"]


def test_card_as_a_page_and_as_tables(
    home: Path, tmp_path: Path, card: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mercato.app.card.card.market_card", lambda *_: card)
    outcome = mercato("card", home / "market", "--out", tmp_path / "card.html")
    assert outcome.exit_code == 0, outcome.stderr
    assert "Own elasticities" in (tmp_path / "card.html").read_text()
    shown = mercato("card", home / "market").stdout
    assert "flat white" in shown
    assert "Simulated against real sales" in shown


def test_backtest_keeps_its_keys(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "quantiles.csv"
    arguments = ["backtest", home / "sales.csv", "--horizon", 7, "--windows", 2, *MAPPED]
    told = result(*arguments, "--out", out, "--json")
    assert len(told["models"]) >= 2
    for scores in told["models"].values():
        assert set(scores) == {"wape", "wpe", "wql", "coverage80", "pit_distance", "rows", "seconds"}
    quantiles = pd.read_csv(out)
    deciles = [f"q0.{n}" for n in range(1, 10)]
    assert list(quantiles.columns) == ["date", "location", "item", *deciles]
    assert len(quantiles) == 2 * 7 * 3
    assert (quantiles[deciles].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)


@pytest.mark.slow
def test_a_market_model_of_ones_own_forecasts_a_table(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    curves = tmp_path / "curves"
    told = mercato(
        "pretrain", "--out", out, "--steps", 2, "--width", 8, "--blocks", 1, "--tensorboard", curves
    )
    assert told.exit_code == 0, told.stderr
    assert [path.name for path in curves.iterdir()] == ["pre-train-the-market-model"]
    assert "16 markets, pinball loss" in told.stderr
    arguments = ["backtest", home / "sales.csv", "--horizon", 5, "--windows", 1, *MAPPED]
    models = result(*arguments, "--model", out, "--json")["models"]
    assert models["market model"]["wql"] > models["mercato"]["wql"]  # it knows nothing yet
    assert "expected a market model" in refused(*arguments, "--model", home / "sales.csv")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--out", "model.pt"), "--out: expected a file ending in .safetensors, found model.pt"),
        (("--out", "model.safetensors", "--width", 9), "--width: expected a multiple of the 4 heads"),
    ],
)
def test_pretrain_refuses_what_it_cannot_do(asked: tuple[object, ...], said: str) -> None:
    assert said in refused("pretrain", *asked)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--out", "model.pt"), "--out: expected a file ending in .onnx, found model.pt"),
        (
            ("absent.safetensors", "--out", "model.onnx"),
            "expected a market model that `mercato pretrain` wrote",
        ),
    ],
)
def test_export_refuses_what_it_cannot_do(asked: tuple[object, ...], said: str) -> None:
    assert said in refused("export", *asked)


def test_benchmark_keeps_its_keys(home: Path) -> None:
    arguments = [
        "benchmark",
        home / "market",
        home / "ppo.safetensors",
        "--episodes",
        4,
        "--horizon",
        5,
        "--json",
    ]
    told = result(*arguments, "--seed", 3)
    assert (told["episodes"], told["horizon"], told["seed"]) == (4, 5, 3)
    row = told["policies"][0]
    assert {"policy", "profit_mean", "profit_lo", "profit_hi", "fill_rate", "price_mean"} <= set(row)
    assert len(told["policies"]) >= 7
    assert {pair["a"] for pair in told["pairs"]} == {"PPO"}
    assert all(pair["diff_lo"] <= pair["diff_mean"] <= pair["diff_hi"] for pair in told["pairs"])
    assert told == result(*arguments, "--seed", 3)
    assert "true_market" not in told


@pytest.mark.slow
def test_workers_print_the_same_result_byte_for_byte(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenarios = [tmp_path / f"{name}.yaml" for name in ("warm", "dear")]
    for scenario, change in zip(scenarios, ("demand: 2", "cost: 1.2"), strict=True):
        scenario.write_text(f"name: {scenario.stem}\nhorizon: 6\nepisodes: 8\nchanges:\n- {change}\n")
    employed: list[int] = []
    with employ(2) as crew:

        @contextmanager
        def once(count: int | None, _: str | None) -> Iterator[Workers]:
            """The same crew for both verbs: to start one takes longer than what it does."""
            employed.extend([] if count is None else [count])
            yield HERE if count is None else crew

        monkeypatch.setattr("mercato.agents.workers.employ", once)
        for asked in (
            ["benchmark", home / "market", home / "ppo.safetensors", "--episodes", 4, "--horizon", 5],
            ["whatif", home / "market", *scenarios],
        ):
            told = [mercato(*asked, "--json", *more) for more in ([], ["--workers", 2])]
            assert [outcome.exit_code for outcome in told] == [0, 0], told[1].stderr
            assert told[0].stdout == told[1].stdout != ""
    assert employed == [2, 2]


def test_train_writes_a_file_a_seed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(market: Market, training: Training, progress: Progress) -> LearnedPolicy:
        return LearnedPolicy.load(home / "ppo.safetensors").named(f"{training.seed}")

    monkeypatch.setattr("mercato.app.training.train", train)
    out = tmp_path / "new" / "ppo.safetensors"
    asked = ["train", home / "market", "--algo", "ppo", "--out", out, "--seed", 3]
    assert mercato(*asked).exit_code == 0
    assert mercato(*asked, "--seeds", 2).exit_code == 0
    names = {path.name: LearnedPolicy.load(path).name for path in out.parent.iterdir()}
    assert names == {"ppo.safetensors": "3", "ppo-3.safetensors": "3", "ppo-4.safetensors": "4"}


def test_benchmark_without_policies_shows_the_rules(home: Path) -> None:
    shown = mercato("benchmark", home / "market", "--episodes", 2, "--horizon", 3)
    assert shown.exit_code == 0, shown.stderr
    assert "static price, " in shown.stdout


def test_benchmark_says_how_long_an_episode_can_be(home: Path) -> None:
    assert "expected at most the 120 periods" in refused("benchmark", home / "market", "--horizon", 500)


def test_whatif_answers_with_and_without(home: Path, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("name: fair\nhorizon: 6\nepisodes: 8\nchanges:\n- demand: 2\n  items: [mocha]\n")
    told = result("whatif", home / "market", scenario, "--json")
    (demand,) = [row for row in told["differences"] if row["metric"] == "demand"]
    assert 0 < demand["diff_lo"] <= demand["diff_hi"]
    learned = result("whatif", home / "market", scenario, "--policy", home / "ppo.safetensors", "--json")
    assert (told["policy"], learned["policy"]) == ("logged price, base-stock", "PPO")
    assert "fair" in mercato("whatif", home / "market", scenario).stdout
    assert result("whatif", home / "market", scenario, scenario, "--json") == [told, told]


def test_whatif_says_what_other_customers_would_make_of_it(home: Path, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("name: dearer\nhorizon: 6\nepisodes: 8\nchanges:\n- price: 1.15\n")
    rows = result("whatif", home / "market", scenario, "--json")["customers"]
    gain = {row["customers"]: row["diff_mean"] for row in rows}
    weak, strong = (gain[f"own elasticity at the {end} end"] for end in ("weak", "strong"))
    assert strong < gain["as fitted"] < weak  # who answers less to a higher price pays more of it
    shown = mercato("whatif", home / "market", scenario).stdout
    assert "over customers consistent with the data" in shown


def test_report_says_what_it_needs(tmp_path: Path) -> None:
    assert "expected the folder of a run" in refused("report", tmp_path)


def test_data_makes_the_reference_table(tmp_path: Path) -> None:
    out = tmp_path / "reference.parquet"
    assert mercato("data", "reference", "--out", out).exit_code == 0
    assert {"date", "location", "item", "units", "price", "cost"} <= set(pd.read_parquet(out))
    assert (tmp_path / "reference.truth" / "own.csv").is_file()
