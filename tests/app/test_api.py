"""The Python interface: plain things in, the command line's results out, one line for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mercato
from mercato.agents.corrections import OfLevel
from mercato.agents.pathwise import FINE_TUNING, ShopsSettings
from mercato.agents.residual import OpenResidual
from mercato.app.output import plain
from mercato.app.training import Training
from mercato.app.whatif import usual_policy
from mercato.envs.structural import FAMILIES, Size, true_market
from mercato.forecasters.evaluation import Forecaster
from mercato.forecasters.model import DemandModel, FitSettings
from mercato.forecasters.network import TrainingSettings, TrunkSettings
from mercato.forecasters.progress import Silent
from mercato.forecasters.store import load_model
from tests.app.conftest import MAP, contents, sales
from tests.app.test_cli import MAPPED, result
from tests.app.test_cli import mercato as command

ROOT = Path(__file__).parents[2]
SCENARIO = {"name": "fair", "horizon": 4, "episodes": 8, "changes": [{"demand": 2, "items": ["mocha"]}]}


@dataclass
class Asked:
    """What was asked for instead of done."""

    fits: list[tuple[mercato.SalesPanel, int]] = field(default_factory=list)  # panel, seed
    forecasters: list[Forecaster] = field(default_factory=list)  # that levels are to follow
    trainings: list[Training] = field(default_factory=list)


@pytest.fixture
def canned(home: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Fits, trainings and tunings that are done already."""
    asked, model = Asked(), load_model(home / "market")
    trained = mercato.LearnedPolicy.load(home / "ppo.safetensors")

    def fit_demand(
        panel: mercato.SalesPanel, settings: Any, seed: int, *_: object, **__: object
    ) -> DemandModel:
        asked.fits.append((panel, seed))
        return model

    def anchored(model: DemandModel, panel: object, forecaster: Forecaster, *_: object) -> DemandModel:
        asked.forecasters.append(forecaster)
        return model

    def train_one(market: mercato.Market, training: Training, progress: object) -> mercato.LearnedPolicy:
        asked.trainings.append(training)
        return trained

    monkeypatch.setattr("mercato.envs.store.fit_demand", fit_demand)
    monkeypatch.setattr("mercato.envs.store.anchored_to_forecast", anchored)
    monkeypatch.setattr("mercato.app.training.train", train_one)
    monkeypatch.setattr("mercato.app.api.tune_baselines", lambda market, *_, **__: [usual_policy(market)])
    return asked


def test_tuned_settings_are_kept_in_the_market_and_tried_once(tmp_path: Path) -> None:
    brief = FitSettings(TrunkSettings(8, window=8), TrainingSettings(steps=4, check_every=2, periods=12))
    asked = {"out": tmp_path / "market", "settings": brief, "tune": 3, "model": "scratch"}
    panel, first, again = mercato.read_panel(sales(60), map=MAP), Notes(), Notes()
    found = mercato.fit(panel, progress=first, **asked)
    assert {path.name for path in tmp_path.iterdir()} == {"market"}
    assert (tmp_path / "market" / "tuning.sqlite3").is_file()
    mercato.fit(panel, progress=again, **asked)
    assert first.trials == again.trials
    assert "3 trials; validation loss" in first.trials[0]
    assert (first.tried, again.tried) == (3, 0)
    assert found.demand.model.settings == mercato.load_market(tmp_path / "market").demand.model.settings


class Notes(Silent):
    """What a search says."""

    def __init__(self) -> None:
        self.trials, self.tried = list[str](), 0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Silent]:
        yield self if name == "try settings of the demand network" else Silent()

    def note(self, text: str) -> None:
        self.trials.append(text)

    def curve(self, step: int, values: Any) -> None:
        self.tried += 1


@pytest.fixture(scope="module")
def market(home: Path) -> mercato.Market:
    return mercato.load_market(home / "market")


@pytest.fixture(scope="module")
def policy(home: Path) -> mercato.LearnedPolicy:
    return mercato.LearnedPolicy.load(home / "ppo.safetensors")


def test_a_market_in_memory_is_the_one_in_its_folder(home: Path, canned: Asked) -> None:
    fitted = mercato.fit(mercato.read_panel(sales(), map=MAP))
    folder = mercato.load_market(home / "market")
    assert fitted.panel is not None
    assert folder.panel is not None
    assert fitted.panel.reading == folder.panel.reading
    assert fitted.panel.report == folder.panel.report
    assert mercato.whatif(fitted, SCENARIO).told == mercato.whatif(folder, SCENARIO).told


def test_the_command_line_asks_for_the_same_fit(home: Path, tmp_path: Path, canned: Asked) -> None:
    asked = ["fit", home / "sales.csv", "--out", tmp_path / "shop", "--seed", 3, *MAPPED]
    assert command(*asked).exit_code == 0
    mercato.fit(mercato.read_panel(home / "sales.csv", map=MAP), seed=3)
    (theirs, their_seed), (ours, our_seed) = canned.fits
    assert their_seed == our_seed == 3
    assert theirs.reading == ours.reading
    np.testing.assert_array_equal(theirs.units, ours.units)
    assert canned.forecasters[0] == canned.forecasters[1]
    mercato.fit(mercato.read_panel(home / "sales.csv", map=MAP), model="scratch")
    assert len(canned.forecasters) == 2  # its levels are its own


def test_the_command_line_asks_for_the_same_training(home: Path, tmp_path: Path, canned: Asked) -> None:
    out = tmp_path / "dqn.safetensors"
    asked = ["train", home / "market", "--algo", "dqn", "--out", out, "--seed", 5, "--caution", 0.5]
    assert command(*asked).exit_code == 0
    told = contents(mercato.LearnedPolicy.load(out))
    out.unlink()
    mercato.train(home / "market", "dqn", seed=5, caution=0.5, out=out)
    assert contents(mercato.LearnedPolicy.load(out)) == told
    assert canned.trainings[0] == canned.trainings[1]
    assert isinstance(canned.trainings[0].settings, mercato.DQNSettings)
    assert (canned.trainings[0].settings.caution, canned.trainings[0].seed) == (0.5, 5)


def test_a_learner_may_have_settings_of_its_own(market: mercato.Market, canned: Asked) -> None:
    short = mercato.PPOSettings(steps=600, caution=0.2)
    mercato.train(market, settings=short)
    mercato.train(market, settings=short, caution=1)
    assert [training.settings for training in canned.trainings] == [short, replace(short, caution=1.0)]


def test_several_markets_train_one_policy_that_another_goes_on_from(
    home: Path, tmp_path: Path, market: mercato.Market, policy: mercato.LearnedPolicy, canned: Asked
) -> None:
    out, file = tmp_path / "policy.safetensors", home / "ppo.safetensors"
    both, start = [home / "market", home / "market"], ["--start", file]
    for asked in (both, [home / "market", *start]):
        assert command("train", *asked, "--algo", "pathwise", "--out", out).exit_code == 0
    mercato.train([market, market], "pathwise", out=out)
    mercato.train(market, "pathwise", start=policy, out=out)
    told = [(training.settings, training.start and training.start.name) for training in canned.trainings]
    assert told == 2 * [(ShopsSettings(), None), (FINE_TUNING, policy.name)]


def test_what_cannot_be_trained_is_refused(market: mercato.Market, policy: mercato.LearnedPolicy) -> None:
    with pytest.raises(mercato.InputError, match="algo: expected pathwise for 2 markets, found ppo"):
        mercato.train([market, market])
    with pytest.raises(
        mercato.InputError, match="algo: expected pathwise for a policy to start from, found dqn"
    ):
        mercato.train(market, "dqn", start=policy)
    with pytest.raises(mercato.InputError, match="start: expected one market to go on in, found 2"):
        mercato.train([market, market], "pathwise", start=policy)
    with pytest.raises(mercato.InputError, match="market: expected one or more, found none"):
        mercato.train([], "pathwise")
    with pytest.raises(
        mercato.InputError, match="settings: expected ShopsSettings for pathwise, found PathwiseSett"
    ):
        mercato.train([market, market], "pathwise", settings=mercato.PathwiseSettings())


def test_a_benchmark_is_the_command_lines(
    home: Path, market: mercato.Market, policy: mercato.LearnedPolicy, canned: Asked
) -> None:
    asked = ["--episodes", 4, "--horizon", 5, "--seed", 3, "--json"]
    told = result("benchmark", home / "market", home / "ppo.safetensors", *asked)
    found = mercato.benchmark(market, policy, episodes=4, horizon=5, seed=3)
    assert plain(found.payload()) == told
    assert found.table["profit_mean"].is_monotonic_decreasing
    assert set(found.table.index) == {row["policy"] for row in told["policies"]}
    assert list(found.differences["diff_mean"]) == [pair["diff_mean"] for pair in told["pairs"]]
    assert found.true_table is None


def test_decisions_are_the_command_lines_from_files_and_from_frames(
    home: Path, tmp_path: Path, market: mercato.Market, policy: mercato.LearnedPolicy
) -> None:
    stock = pd.DataFrame({"location": "corner", "item": ["espresso", "mocha"], "on_hand": [7, 40]})
    stock.to_csv(tmp_path / "stock.csv", index=False)
    out, table = tmp_path / "decisions.csv", home / "sales.csv"
    given = ["--panel", table, "--stock", tmp_path / "stock.csv", "--out", out]
    told = result("decide", home / "market", home / "ppo.safetensors", *given, "--json")
    found = mercato.decide(market, policy, sales(), stock)
    assert found.csv() == out.read_text()
    assert plain(found.gain) == told["gain"]["mean"]
    latest = mercato.read_panel(table, map=MAP)
    again = mercato.decide(home / "market", home / "ppo.safetensors", latest, tmp_path / "stock.csv")
    pd.testing.assert_frame_equal(again.rows, found.rows)


def test_a_policy_for_many_shops_starts_in_the_one_that_asks(
    home: Path,
    tmp_path: Path,
    market: mercato.Market,
    policy: mercato.LearnedPolicy,
    canned: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, int]] = []

    def start_in(market: mercato.Market, one: mercato.LearnedPolicy, seed: int, **_: object) -> object:
        if isinstance(one.actions, OpenResidual):
            asked.append((market.name, seed))
        return policy

    monkeypatch.setattr("mercato.app.benchmarking.start_in", start_in)
    file, out = tmp_path / "general.safetensors", tmp_path / "decisions.csv"
    replace(policy, actions=OpenResidual(0.2, OfLevel(0.2))).save(file)
    given = ["--panel", home / "sales.csv", "--out", out, "--seed", 3, "--json"]
    result("decide", home / "market", file, *given)
    assert out.read_text() == mercato.decide(market, policy, sales(), seed=3).csv()
    found, expected = (
        mercato.benchmark(market, one, episodes=4, horizon=5, seed=4).table for one in (file, policy)
    )
    pd.testing.assert_frame_equal(found, expected)
    assert mercato.whatif(market, SCENARIO, file, 5).told == mercato.whatif(market, SCENARIO, policy, 5).told
    assert asked == [(market.name, seed) for seed in (3, 4, 5)]


def test_a_scenario_is_the_command_lines_as_a_mapping_and_as_a_file(
    home: Path, tmp_path: Path, market: mercato.Market
) -> None:
    file = tmp_path / "fair.yaml"
    file.write_text("name: fair\nhorizon: 4\nepisodes: 8\nchanges:\n- {demand: 2, items: [mocha]}\n")
    told = result("whatif", home / "market", file, "--json", "--seed", 2)
    found = mercato.whatif(market, SCENARIO, seed=2)
    assert plain(found.told) == told
    assert plain(mercato.whatif(market, mercato.Scenario(**SCENARIO), seed=2).told) == told
    demand = found.table.loc["demand"]
    assert demand["with"] - demand["without"] == pytest.approx(demand["difference"], rel=1e-4)
    assert demand["lo"] <= demand["difference"] <= demand["hi"]
    assert list(found.items.index) == ["espresso", "flat white", "mocha"]


def test_economics_are_a_mapping_or_a_file(tmp_path: Path, canned: Asked) -> None:
    (tmp_path / "shop.yaml").write_text("lead_time: 3\nprice_rules: {ending: 0.99}\n")
    fields = {"lead_time": np.int64(3), "price_rules": {"ending": 0.99}}
    panel = mercato.read_panel(sales(), map=MAP)
    of_file = mercato.fit(panel, economics=tmp_path / "shop.yaml")
    of_mapping = mercato.fit(panel, tmp_path / "shop", fields)
    assert of_file.economics == of_mapping.economics == mercato.load_market(tmp_path / "shop").economics
    assert of_file.economics.lead_time == 3


def test_a_part_of_a_market_decides_for_itself(market: mercato.Market, policy: mercato.LearnedPolicy) -> None:
    rows = mercato.decide(market.select(items=["espresso", "mocha"]), policy, sales()).rows
    assert list(rows["item"]) == ["espresso", "mocha"]


def test_a_repr_is_one_short_line(
    market: mercato.Market, policy: mercato.LearnedPolicy, canned: Asked
) -> None:
    found = [
        market,
        market.panel,
        policy,
        mercato.benchmark(market, episodes=2, horizon=2),
        mercato.decide(market, policy, sales()),
        mercato.whatif(market, SCENARIO),
        mercato.MarketplaceEnv(market),
        mercato.MarketplaceVectorEnv(2, market),
    ]
    for one in found:
        text = repr(one)
        assert text.startswith(f"{type(one).__name__}(")
        assert text.endswith(")")
        assert len(text) < 160
        assert "\n" not in text
    assert "locations=1, items=3" in repr(market)
    assert "2023-01-02 to 2023-05-01" in repr(market.panel)
    assert "'PPO'" in repr(policy)


def wrong(name: str) -> Any:
    """A call that must be refused."""

    def call(market: mercato.Market, policy: mercato.LearnedPolicy) -> Any:
        return {
            "panel": lambda: mercato.fit([1, 2]),  # type: ignore[arg-type]
            "columns": lambda: mercato.fit(sales()),
            "economics": lambda: mercato.fit(sales(), economics=7),  # type: ignore[arg-type]
            "field": lambda: mercato.fit(sales(), economics={"lead_tim": 2}),
            "value": lambda: mercato.fit(sales(), economics={"lead_time": [object()]}),
            "market": lambda: mercato.train(7),  # type: ignore[arg-type]
            "algo": lambda: mercato.train(market, "poo"),
            "settings": lambda: mercato.train(market, "dqn", settings=mercato.PPOSettings()),
            "caution": lambda: mercato.train(market, caution=float("inf")),
            "out": lambda: mercato.train(market, out="policy.zip"),
            "seed": lambda: mercato.train(market, seed=-1),
            "episodes": lambda: mercato.benchmark(market, policy, episodes=1),
            "horizon": lambda: mercato.benchmark(market, policy, horizon=2.5),  # type: ignore[arg-type]
            "policy": lambda: mercato.benchmark(market, market),  # type: ignore[arg-type]
            "twice": lambda: mercato.benchmark(market, policy, policy, episodes=2, horizon=2),
            "stock": lambda: mercato.decide(market, policy, sales(), 3),  # type: ignore[arg-type]
            "stock rows": lambda: mercato.decide(market, policy, sales(), pd.DataFrame({"item": ["mocha"]})),
            "true": lambda: mercato.decide(
                true_market(FAMILIES["log-linear"].make(0, Size(2, 2, 12))[1]), policy, sales()
            ),
            "scenario": lambda: mercato.whatif(market, 7),  # type: ignore[arg-type]
            "item": lambda: mercato.whatif(market, {"changes": [{"price": 0.9, "items": ["moca"]}]}),
        }[name]()

    return call


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("panel", "sales table: expected a path or a data frame, found list"),
        ("columns", "expected the columns date, location, item, units, price"),
        ("economics", "economics: expected a path or a mapping of fields to values, found int"),
        ("field", "economics: lead_tim: no such field (did you mean lead_time?)"),
        ("value", "economics: lead_time.0: expected text, a number or a list, found object"),
        ("market", "market: expected a market or the path of one, found int"),
        ("algo", "algo: expected a learner (ppo, dqn, pathwise), found 'poo'; did you mean 'ppo'?"),
        ("settings", "settings: expected DQNSettings for dqn, found PPOSettings"),
        ("caution", "caution: expected a number of 0 or more, found inf"),
        ("out", "out: expected a file ending in .safetensors, found policy.zip"),
        ("seed", "seed: expected a whole number, 0 to 2147483647, found -1"),
        ("episodes", "episodes: expected a whole number of 2 or more, found 1"),
        ("horizon", "horizon: expected a whole number of 1 or more, found 2.5"),
        ("policy", "policy: expected a policy or the path of one, found Market"),
        ("twice", "policy.named(…) gives another"),
        ("stock", "stock: expected a path or a data frame, found int"),
        ("stock rows", "stock: expected columns location, item, on_hand and perhaps on_order, found item"),
        ("true", "market truth: expected one that was fitted to a table, found another"),
        ("scenario", "scenario: expected a path, a name or a mapping with effects, found int"),
        ("item", "did you mean 'mocha'?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    market: mercato.Market, policy: mercato.LearnedPolicy, canned: Asked, name: str, said: str
) -> None:
    with pytest.raises(mercato.InputError) as caught:
        wrong(name)(market, policy)
    assert said in str(caught.value)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_documented_python_runs_as_written(
    page: str, tmp_path: Path, canned: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    names = {"date": "day", "location": "shop", "price": "unit price"}
    table = sales().rename(columns={theirs: ours for ours, theirs in names.items()})
    table.to_csv("sales.csv", index=False)
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), space)
    assert list(Path("runs").glob("*/market.json")), "a page leaves a fitted market"
