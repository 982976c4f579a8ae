"""What the throughput benchmark counts and how; nothing of how fast this machine is."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import throughput
from benchmarks.speed import peers as peers_module
from benchmarks.speed import timing
from benchmarks.speed.bound import Shape, bound
from benchmarks.speed.learners import Training, learner_rates
from benchmarks.speed.markets import closed_form, copies, untrained
from benchmarks.speed.memory import CASES, _peak
from benchmarks.speed.peers import Abreast, Single
from benchmarks.speed.plan import REHEARSAL
from benchmarks.speed.play import Game, environment
from benchmarks.speed.report import tables
from benchmarks.speed.timing import Case, Effort, rates
from mercato.envs.engine.running import as_written
from mercato.envs.market import Market
from mercato.envs.processes import Geometric
from mercato.forecasters.network.trunk.attention import KEYS

ALONE = ["engine", "transformer", "peers", "growth by markets", "growth by series", "streaming"]


@pytest.fixture(scope="module")
def small() -> Market:
    return untrained(3, 2)


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return throughput.measure(REHEARSAL, None, ALONE)


def test_a_call_plays_one_period_of_every_series(small: Market) -> None:
    game = Game(small, 5, as_written)
    assert game.count == 5 * 3 * 2
    for _ in range(3):
        game()
    assert game.state.age.tolist() == [3] * 5
    assert game.outcome.demand.numel() == game.count
    assert torch.isfinite(game.outcome.profit).all()
    game.start()
    assert game.state.age.tolist() == [0] * 5


def test_decisions_change_so_that_no_step_is_spared_its_work(small: Market) -> None:
    game = Game(small, 5, as_written)
    game()
    first = game.outcome
    game()
    terms = small.terms
    assert (game.outcome.price != first.price).all()
    assert ((game.outcome.price >= terms.price_low) & (game.outcome.price <= terms.price_high * 1.0001)).all()
    assert (game.outcome.ordered > 0).any()


def test_a_market_played_in_parts_is_counted_whole_where_it_is_played_whole(result: dict[str, Any]) -> None:
    closed, learned = result["cpu"]["streaming"]
    assert closed["series"] == closed["played"] == 30
    assert closed["parts"] > 1
    assert learned["parts"] == 2
    assert learned["played"] < learned["series"]


def test_a_batch_has_at_least_the_series_asked_for() -> None:
    market = closed_form(Geometric(), 8, 16)
    assert copies(market, 8192) * 128 == 8192
    assert (copies(market, 8193) - 1) * 128 == 8192


def test_the_environment_counts_series_not_calls(small: Market) -> None:
    case = environment(small, 5, "environment", 1)
    case.prepare()
    observation, reward, _ = case.run()  # type: ignore[misc]
    assert case.count == len(observation) == len(reward) == 30


@pytest.mark.parametrize(("places", "goods"), [(3, 2), (KEYS + 3, 2), (2, 2 * KEYS + 6)])
def test_the_bound_does_the_products_of_a_step_and_no_others(places: int, goods: int) -> None:
    market, markets = untrained(places, goods), 2
    shape, state = Shape.of(market, markets), Game(market, markets, as_written).state
    network = market.demand.model.network  # type: ignore[attr-defined]
    token = torch.zeros(markets, places, goods, shape.features)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as step:  # others are not counted
        hidden, _ = network.trunk.step(token, state.demand.memory, market.demand.history.distance)  # type: ignore[attr-defined]
        network.head(hidden)
    with FlopCounterMode(display=False) as bare:
        bound(shape, "bound", 1).run()
    trunk = shape.trunk
    rotations = 2 * shape.series * trunk.blocks * 3 * trunk.width * (trunk.width // trunk.heads)  # as written
    assert step.get_total_flops() - rotations == bare.get_total_flops() == shape.operations
    kept = [*state.demand.memory.keys, *state.demand.memory.values]
    assert shape.cache_bytes == sum(x.numel() * x.element_size() for x in kept)


def test_a_rate_is_work_over_time_and_cases_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, order = [0.0], []

    def work(name: str, seconds: float) -> Case:
        def run() -> None:
            order.append(name)
            clock[0] += seconds

        return Case(name, run, count=6.0)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(timing.time, "process_time", lambda: clock[0] / 2)
    found = rates([work("slow", 2.0), work("fast", 0.5)], Effort(rounds=3, seconds=1.0))
    assert found["slow"].turns == pytest.approx((3.0,) * 3)
    assert found["fast"].record() == pytest.approx(
        {"rate": 12.0, "lowest": 12.0, "highest": 12.0, "threads": 1, "share": 0.5}
    )
    assert found["fast"].over(found["slow"]) == pytest.approx(4.0)
    turn = ["slow", "fast", "fast"]  # one call of two seconds, two of half a second
    assert order[-9:] == turn * 3


def test_what_is_made_ready_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def pass_time(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    case = Case("case", lambda: pass_time(1.0), 5.0, prepare=lambda: pass_time(100.0))
    assert rates([case], Effort(rounds=1, seconds=1.0))["case"].value == pytest.approx(5.0)


def test_learners_are_counted_in_series_steps(small: Market) -> None:
    rows = {row["name"]: row for row in learner_rates(small, REHEARSAL)}
    assert rows.keys() == {
        "PPO",
        "stock PPO, numpy VecEnv",
        "stock PPO, Gymnasium envs",
        "DQN",
        "stock DQN, numpy VecEnv",
    }
    for row in rows.values():
        assert row["series"] == (12 if "Gymnasium" in row["name"] else 144)
        assert 1 / row["rate"] == pytest.approx(1 / row["collection"] + 1 / row["update"])


def test_a_turn_of_training_is_a_rollout_and_its_update() -> None:
    class Learner:
        device = "cpu"
        seen: list[str]

        class env:
            num_envs = 4

        def __init__(self) -> None:
            self.seen = []

        def collect_rollouts(self) -> None:
            self.seen.append("collection")

        def train(self) -> None:
            self.seen.append("update")

        def learn(self, total_timesteps: int, **_: object) -> None:
            self.seen.append(str(total_timesteps))
            self.collect_rollouts()
            self.train()

    learner = Learner()
    spent = Training(learner, periods=7, count=4).turn()  # type: ignore[arg-type]
    assert learner.seen == ["28", "collection", "update"]
    assert spent.keys() == {"collection", "update"}
    assert min(spent.values()) >= 0


def test_every_part_has_its_rows(result: dict[str, Any]) -> None:
    part = result["cpu"]
    assert [row["series"] for row in part["engine"]] == [144] * 3
    assert {row["market"] for row in part["transformer"]} == {"demo", "small"}
    for row in part["transformer"]:
        assert row["series"] == 144
        assert row["trunk"]["window"] == 32
    assert [row["of_bound"] for row in part["transformer"] if row["name"].endswith("bound")] == [1.0, 1.0]
    assert [row["series"] for row in part["growth by markets"]] == [6, 12]
    assert [row["series"] for row in part["growth by series"]] == [24] * 4
    for name in ALONE:
        for row in part[name]:
            low, high = row.get("lowest", row["rate"]), row.get("highest", row["rate"])
            assert row["rate"] is None or low <= row["rate"] <= high
    assert part["load"].keys() == set(ALONE)
    assert json.loads(json.dumps(result)) == result


def test_a_machine_without_a_gpu_says_so(result: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        assert "no GPU on this machine" in result["cuda"]
        assert any("no GPU on this machine" in table for table in tables(result))


def test_a_peer_that_is_not_installed_is_named(small: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(peers_module, "version", absent)
    rows = peers_module.peers(small, REHEARSAL)
    missing = [row for row in rows if row["rate"] is None]
    assert [row["package"] for row in missing] == [
        "gym-invmgmt",
        "or-gym-inventory",
        "decisionrl",
        "stockpyl",
    ]
    assert all(row["package"] in row["missing"] for row in missing)
    assert [row["package"] for row in rows if row["rate"]] == ["mercato", "mercato"]


def test_a_peer_plays_on_when_its_episode_ends() -> None:
    class Env:
        def __init__(self) -> None:
            self.resets, self.age = 0, 0

        def reset(self, seed: int | None = None) -> None:
            self.resets, self.age = self.resets + 1, 0

        def step(self, action: int) -> tuple[int, float, bool, bool, dict]:
            self.age += 1
            return action, 0.0, False, self.age == 3, {}

    one, abreast = Single(Env(), [1, 2]), Abreast(Env(), [1])
    for _ in range(9):
        one()
        abreast()
    assert (one.env.resets, abreast.env.resets) == (4, 1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_memory_counts_at_least_the_cache() -> None:
    found = {case: _peak(case, REHEARSAL, "cpu") for case in CASES}
    assert found["small Transformer"]["cache"] == 2 * 4 * 144 * 2 * 32 * 32
    assert found["closed form"]["cache"] == 0
    for row in found.values():
        assert row["peak"] >= row["built"]
        assert row["peak_a_series"] == row["peak"] / row["series"]


def test_a_rehearsal_and_a_part_are_printed_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[str] = []
    monkeypatch.setattr(throughput, "write_result", lambda name, result: kept.append(name))
    for words in (["--quick", "--only", "engine", "--json"], ["--quick", "--only", "engine"]):
        monkeypatch.setattr(sys, "argv", ["throughput", *words])
        throughput.main()
        out = capsys.readouterr().out
        assert "geometric, eager" in out
        assert out.startswith("{") == ("--json" in words)
    assert kept == []
