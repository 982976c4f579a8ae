"""What a scenario changes: the answer is paired, and a scenario that changes nothing says so exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.corrections import OfLevel
from mercato.agents.evaluation import METRICS, evaluate
from mercato.agents.learned import LearnedPolicy
from mercato.agents.network import PolicyNetwork
from mercato.agents.policy import Pair
from mercato.agents.residual import Residual
from mercato.agents.tuning import TuningSettings, baseline_names, tune_baselines
from mercato.app.policies import policies_named
from mercato.app.scenarios import whatif, whatif_each
from mercato.app.tally import METRICS as TOLD
from mercato.app.whatif import answer_each, usual_policy
from mercato.envs.customers import Customers, MarketCustomers
from mercato.envs.economics import Economics
from mercato.envs.engine.observation import Observation
from mercato.envs.market import Market
from mercato.envs.scenarios import Scenario, read_scenarios
from mercato.envs.store import load_market
from mercato.forecasters.customers import Account, Lift
from mercato.forecasters.errors import InputError
from mercato.forecasters.network.demand_network import TrunkNetwork
from mercato.forecasters.simulation import LearnedDemand
from tests.agents.shops import shop
from tests.envs.regulars import regulars

STATED = Lift.stated(1.5)


def market() -> Market:
    return shop([[-2.0, 0.0], [0.0, -2.0]], locations=2, base=50.0)


def told(scenario: dict[str, Any], market: Market = market(), **options: Any) -> dict[str, Any]:
    asked = read_scenarios({"horizon": 6, "episodes": 24, **scenario})
    (one,) = answer_each(market, [usual_policy(market)], asked, 3, **options)
    return one


def means(told: dict[str, Any], metric: str) -> tuple[float, float, float]:
    (row,) = [row for row in told["differences"] if row["metric"] == metric]
    return row["diff_mean"], row["diff_lo"], row["diff_hi"]


def test_more_customers_are_more_units_and_the_answer_is_paired() -> None:
    found = told({"demand": 1.5})
    mean, lo, hi = means(found, "demand")
    assert lo < mean < hi
    assert mean == pytest.approx(0.5 * found["without"]["demand"], rel=0.05)
    assert found["with"]["demand"] == pytest.approx(found["without"]["demand"] + mean)
    for by in ("items", "locations"):
        total = sum(row["diff_mean"] for row in found[by])
        assert total == pytest.approx(means(found, "profit")[0], rel=1e-3)


def test_what_a_scenario_leaves_alone_stays_exactly_as_it_was() -> None:
    found = told({"demand": {"multiplier": 1.5, "items": ["item 0"]}})
    (other,) = [row for row in found["items"] if row["item"] == "item 1"]
    assert (other["diff_mean"], other["diff_lo"], other["diff_hi"]) == (0, 0, 0)


@pytest.mark.parametrize(
    "nothing",
    [
        *({kind: 1} for kind in ("demand", "traffic", "elasticity", "reference", "cost", "holding", "price")),
        {"cost": {"path": [1, 1]}},
        {"demand": {"shift": 0}},
        {"ordering": {"fixed": 0}},
        {"price_limits": {"floor": 0.01, "cap": 100}},
        {"demand": 1, "elasticity": 1, "cost": 1, "price": 1, "shortage": 1},
    ],
    ids=str,
)
def test_a_scenario_that_changes_nothing_changes_no_figure(nothing: dict[str, Any]) -> None:
    found = told(nothing)
    for row in (*found["differences"], *found["items"], *found["locations"]):
        assert (row["diff_mean"], row["diff_lo"], row["diff_hi"]) == (0, 0, 0), row


def test_dearer_goods_cost_what_they_cost() -> None:
    found = told({"cost": 1.1})
    assert means(found, "units") == pytest.approx((0, 0, 0), abs=1.0)
    assert means(found, "profit")[0] == pytest.approx(-0.1 * found["without"]["units"], rel=0.1)


def test_a_price_change_moves_demand_by_the_elasticity() -> None:
    found = told({"price": 1.1})
    assert found["with"]["demand"] / found["without"]["demand"] == pytest.approx(1.1**-2.0, rel=0.03)
    assert found["with"]["price_mean"] / found["without"]["price_mean"] == pytest.approx(1.1)


def test_an_item_that_a_scenario_takes_off_the_shelves_sells_nothing_and_no_number_breaks() -> None:
    found = told({"demand": {"multiplier": 0.0, "items": "item 1", "window": [2, 4]}})
    lost = found["with"]["demand"] / found["without"]["demand"]
    assert lost == pytest.approx(1 - 0.5 * 3 / 6, abs=0.05)
    assert all(abs(row["diff_mean"]) < 1e9 for row in found["differences"])


def test_the_quantities_are_those_of_the_benchmark() -> None:
    where, policy = market(), usual_policy(market())
    found = told({"cost": 1})["without"]
    (same,) = evaluate(where, [policy], 24, 6, 3).policies()
    for metric in METRICS:
        expected = same["profit_mean" if metric == "profit" else metric]
        assert found[metric] == pytest.approx(expected, rel=1e-5, abs=1e-9), metric


def test_by_location_says_every_quantity_of_each() -> None:
    found = told({"demand": {"multiplier": 2, "locations": ["shop 1"]}}, by="location")
    rows = {(row["location"], row["metric"]): row for row in found["groups"]}
    assert len(rows) == 2 * len(TOLD)
    assert rows["shop 0", "demand"]["diff_mean"] == 0
    assert rows["shop 1", "demand"]["with"] == pytest.approx(
        2 * rows["shop 1", "demand"]["without"], rel=0.05
    )


def test_prices_that_were_never_tried_are_said_beside_the_number() -> None:
    inside, outside = told({"price": 1.2}), told({"price": 2.5})
    assert inside["notes"] == []
    (note,) = outside["notes"]
    assert "100% of prices were never tried" in note


def test_every_scenario_and_policy_meets_the_same_customers() -> None:
    scenarios = [
        {"horizon": 6, "demand": {"shift": 0, "multiplier": [0.5, 1.0]}},
        Scenario(horizon=6, cost={"multiplier": 1.2}),  # type: ignore[arg-type]
    ]
    found = whatif_each(market(), scenarios, ["usual", "last-price"], 3, episodes=8)
    named = [(one.told["scenario"], one.told["policy"], one.told["episodes"]) for one in found]
    assert [scenario for scenario, _, _ in named[::2]] == [
        "scenario: demand.multiplier 0.5",
        "scenario: demand.multiplier 1",
        "scenario",
    ]
    assert {episodes for _, _, episodes in named} == {8}
    for policy in (found[0::2], found[1::2]):
        assert policy[0].told["without"] == policy[1].told["without"] == policy[2].told["without"]
    assert found[2].table["difference"].abs().max() == 0


def test_a_policy_is_named_or_a_file_and_each_is_asked_once() -> None:
    assert [one.name for one in policies_named(market(), ["usual", None][:1], 0)] == [
        "logged price, base-stock"
    ]
    with pytest.raises(InputError, match=r"one of .*cost-plus.*did you mean 'static-price'"):
        policies_named(market(), ["static-prices"], 0)
    with pytest.raises(InputError, match="each one once"):
        policies_named(market(), ["usual", None], 0)
    mine = Pair("mine", usual_policy(market()).pricing, BaseStock(2.0))  # type: ignore[attr-defined]
    assert policies_named(market(), [mine], 0) == [mine]


def test_a_misspelt_policy_is_refused_before_anything_is_tuned_or_simulated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("tuned or simulated")

    monkeypatch.setattr("mercato.app.policies.tune_baselines", never)
    monkeypatch.setattr("mercato.app.scenarios.answer_each", never)
    for policies, said in (
        (["cost-plus", "myopic-prise"], r"policy: expected a file or one of .*did you mean 'myopic-price'\?"),
        (["cost-plus", "none.safetensors"], "none.safetensors: expected a .safetensors file, found none"),
    ):
        with pytest.raises(InputError, match=said):
            whatif_each(market(), [{"horizon": 4, "cost": 1.1}], policies)
    path = tmp_path / "rival.yaml"
    path.write_text("horizon: 4\ncompetitor:\n  policy: cost-pls\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 3: competitor.policy: policy: .*did you mean 'cost-plus'\?"):
        whatif(market(), path)


@pytest.mark.slow
def test_baselines_are_known_by_the_names_that_they_are_tuned_to() -> None:
    for economics in (Economics(), Economics(shelf_life=2), Economics(season=8, salvage_rate=0.5)):
        for where in (shop([[-2.0]], economics=economics), replace(shop([[-2.0]]), logged_price=None)):
            tuned = tune_baselines(where, 0, TuningSettings(periods=6, volume=60, rounds=1))
            assert tuple(policy.name.split(", ")[0] for policy in tuned) == baseline_names(where)


def test_another_policy_may_set_the_competitors_price(tmp_path: Path) -> None:
    features = Observation(["stock_cover", "cost"]).names
    actions = Residual.of(Pair("base", MyopicPrice(), BaseStock()), price_reach=0.2, orders=OfLevel(0.5))
    network = PolicyNetwork((len(features), 8, 2), "tanh")
    LearnedPolicy("trained", network, actions, {}, features).save(tmp_path / "ppo.safetensors")
    scenario = {"horizon": 4, "episodes": 8}
    asked = {**scenario, "competitor": {"policy": str(tmp_path / "ppo.safetensors")}}
    found = whatif(market(), asked)
    assert found.table.loc["demand", "difference"] != 0
    assert whatif(market(), asked).told == found.told
    named = {**scenario, "competitor": {"policy": "last-price"}}
    (same,) = whatif_each(market(), [named], ["last-price"])
    assert same.told["policy"].startswith("last price")


def test_one_answer_is_asked_of_one_scenario() -> None:
    with pytest.raises(InputError, match="found 2 combinations; whatif_each tries them all"):
        whatif(market(), {"horizon": 4, "episodes": 2, "cost": [1.0, 1.1]})
    assert whatif(market(), {"horizon": 4, "episodes": 4, "cost": 1.1}, by="item").groups.shape[1] == 5


@pytest.mark.parametrize(
    "done",
    [
        {"recommendation": {"effect": 1.5}},
        {"coupon": {"discount": 0.0, "effect": 1.5}},
        {"seeding": {"share": 0.5, "effect": 1.5}},
    ],
    ids=lambda done: next(iter(done)),
)
def test_what_is_done_to_customers_is_told_before_all_who_are_consistent_with_the_data(
    home: Path, done: dict[str, Any]
) -> None:
    plain = load_market(home / "market")
    account = Account({}, (), (), STATED, STATED, STATED, 0.5, (), (), "")
    known = replace(plain, customers=MarketCustomers(Customers(regulars(plain), account))).remembered
    found = told({"horizon": 3, "episodes": 3, **done}, known)
    assert len(found["customers"]) > 1
    assert all(row["diff_mean"] > 0 for row in found["customers"])
    assert found["staying"]


@pytest.mark.parametrize(
    ("scenario", "steps"),
    [
        ({"cost": 1.05}, "once"),
        ({"outage": {"window": [2, 3]}}, "once"),
        ({"price": {"multiplier": 0.9, "window": [4, 5]}}, "again from the change on"),
        ({"demand": {"multiplier": 1.2}}, "once"),  # what customers remember is free of it
        ({"calendar": {"shift": 2}}, "either"),
        ({"new_item": {"name": "chai", "like": "mocha"}}, "either"),
    ],
)
def test_a_learned_market_recalls_bit_by_bit(
    home: Path, monkeypatch: pytest.MonkeyPatch, scenario: dict[str, Any], steps: str
) -> None:
    """What leaves customers as they are takes the network's steps once, not twice; the answer is the same."""
    learned = load_market(home / "market")
    taken: list[int] = []
    whole = TrunkNetwork.step

    def counted(*given: Any, **named: Any) -> Any:
        taken.append(1)
        return whole(*given, **named)

    monkeypatch.setattr(TrunkNetwork, "step", counted)
    found = told(scenario, learned)
    recalled = len(taken)
    taken.clear()
    monkeypatch.setattr(LearnedDemand, "recalling", lambda demand: demand)
    assert told(scenario, learned) == found
    if steps != "either":
        assert (recalled < 0.8 * len(taken)) == (steps == "once")
