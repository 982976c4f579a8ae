from types import SimpleNamespace

import numpy as np
import pytest
import torch
from shops import shop

from mercato.agents import evaluation
from mercato.agents.baselines.orders import BaseStock, FixedCover
from mercato.agents.baselines.prices import CostPlus, LastPrice
from mercato.agents.evaluation import METRICS, bootstrap, evaluate, play, trajectory, usual_episodes
from mercato.agents.policy import Pair
from mercato.agents.tuning import TuningSettings, tune_baselines
from mercato.envs.economics import Economics
from mercato.envs.sub_markets import sub_markets
from mercato.forecasters.errors import InputError

PLENTY = Economics(initial_cover=30.0)
LOW = Pair("low", CostPlus(0.5), BaseStock())
HIGH = Pair("high", CostPlus(1.5), BaseStock())


def test_every_policy_meets_the_same_customers():
    """Demand that ignores price is the same, unit by unit, whatever a policy charges or orders."""
    market = shop(None, locations=2)
    stingy = Pair("stingy", LastPrice(), FixedCover(0.2))
    a, b = (trajectory(market, policy, "shop 1", "item 0", 12, seed=4) for policy in (HIGH, stingy))
    assert np.array_equal(a.demand, b.demand)
    assert b.sales.sum() < a.sales.sum()


def test_an_episode_does_not_depend_on_its_batch():
    market = shop([[-3.0]], locations=3)
    together = play(market, LOW, torch.arange(4), 6, seed=1)
    alone = play(market, LOW, torch.tensor([2]), 6, seed=1)
    for metric in METRICS:
        assert float(alone[metric][0]) == pytest.approx(float(together[metric][2]))


def test_identical_policies_differ_by_nothing_and_pairing_narrows():
    market = shop([[-3.0]], locations=2)
    twin = Pair("twin", CostPlus(0.5), BaseStock())
    table = evaluate(market, [LOW, twin, HIGH], episodes=12, horizon=8, seed=0)
    pairs = {(row["a"], row["b"]): row for row in table.pairs()}
    assert pairs["low", "twin"]["diff_mean"] == pairs["low", "twin"]["diff_hi"] == 0.0
    row = pairs["low", "high"]
    spread = np.std(table.values["profit"][0]) + np.std(table.values["profit"][2])
    assert row["diff_hi"] - row["diff_lo"] < 2 * 1.96 * spread / np.sqrt(12)
    assert row["diff_lo"] <= row["diff_mean"] <= row["diff_hi"]


def test_learned_policies_are_paired_with_every_baseline():
    market = shop([[-3.0]])
    policies = [LOW, HIGH, Pair("new", CostPlus(0.8), BaseStock()), Pair("newer", CostPlus(0.9), BaseStock())]
    table = evaluate(market, policies, episodes=3, horizon=4, seed=0)
    pairs = [(row["a"], row["b"]) for row in table.pairs(["low", "high"])]
    assert pairs == [("new", "low"), ("new", "high"), ("newer", "low"), ("newer", "high")]
    assert table.best(["low", "high"]) in ("low", "high")


def test_metrics_of_a_steady_shop():
    """Endless stock, a fixed price of 1.5: what is sold is what is wanted, money adds up."""
    market = shop([[-2.0]], locations=2, economics=PLENTY)
    table = evaluate(market, [LOW], episodes=200, horizon=5, seed=2)
    (row,) = table.policies()
    mean = 20.0 * (1.5 / 1.8) ** -2 * 2 * 5
    assert row["policy"] == "low"
    assert row["fill_rate"] == 1.0
    assert row["stockout_share"] == 0.0
    assert row["units"] == pytest.approx(mean, abs=4 * np.sqrt(mean / 200))
    assert row["revenue"] == pytest.approx(1.5 * row["units"], rel=1e-5)
    assert row["price_mean"] == pytest.approx(1.5 / 1.8, rel=1e-5)
    assert row["price_sd"] == pytest.approx(0.0, abs=1e-4)
    assert row["price_at_bound"] == 0.0
    assert row["ending_stock"] == pytest.approx(30.0 - 5 * (1.5 / 1.8) ** -2, rel=0.02)
    assert set(METRICS) - {"profit"} <= set(row)


def test_price_at_bound_counts_prices_at_the_end_of_the_range():
    table = evaluate(shop([[-2.0]]), [Pair("top", CostPlus(99.0), BaseStock())], 2, 3, seed=0)
    assert table.policies()[0]["price_at_bound"] == 1.0


def test_rules_that_bind_are_counted_by_policy_in_parts_of_a_market_too(monkeypatch):
    rules = {"ceiling": 1.2, "fairness": {"groups": {"near": ("shop 0", "shop 1")}}}
    market = shop([[-2.0]], locations=3, economics=Economics(price_rules=rules))
    policies = [Pair("top", CostPlus(1.5), BaseStock()), Pair("low", CostPlus(0.2), BaseStock())]
    whole = evaluate(market, policies, 2, 3, seed=0)
    ceiling = [(row["policy"], row["bound"]) for row in whole.bound() if row["rule"] == "ceiling"]
    assert ceiling == [("top", 1.0), ("low", 0.0)]
    monkeypatch.setattr(evaluation, "sub_markets", lambda market: sub_markets(market, most=2))
    parts = evaluate(market, policies, 2, 3, seed=0)
    assert parts.bound() == whole.bound()
    assert evaluate(shop([[-2.0]]), policies, 2, 3, seed=0).bound() == []


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says():
    draws = np.random.default_rng(0).gamma(4.0, size=(300, 40))
    covered = [lo <= 4.0 <= hi for _, lo, hi in (bootstrap(sample, seed=1) for sample in draws)]
    assert 0.89 < np.mean(covered) < 0.98


def test_same_seed_same_table_other_seed_other_customers():
    market = shop([[-3.0]])
    one, two, other = (evaluate(market, [LOW], 4, 5, seed=seed).policies()[0] for seed in (7, 7, 8))
    assert one == two
    assert one["profit_mean"] != other["profit_mean"]


def test_errors_of_use():
    market = shop([[-3.0]])
    with pytest.raises(InputError, match="different names"):
        evaluate(market, [LOW, LOW], 1, 1, seed=0)
    with pytest.raises(InputError, match="at least one episode"):
        evaluate(market, [LOW], 0, 1, seed=0)
    with pytest.raises(InputError, match="Atlantis"):
        trajectory(market, LOW, "Atlantis", "item 0", 2, seed=0)


def test_trajectory_keeps_the_books():
    line = trajectory(shop([[-3.0]]), LOW, "shop 0", "item 0", 10, seed=3)
    assert line.policy == "low"
    assert np.array_equal(line.sales, np.minimum(line.demand, line.on_hand))
    arrived = line.on_hand[1:] - (line.on_hand - line.sales)[:-1]
    assert np.array_equal(arrived, line.ordered[:-1])  # lead time 1


def test_a_market_too_large_to_play_at_once_is_played_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    market = shop(np.diag([-3.0, -2.0, -1.5]).tolist(), locations=4)
    policies = [Pair("a", LastPrice(), FixedCover(2.0)), Pair("b", CostPlus(0.5), FixedCover(1.0))]
    whole = evaluate(market, policies, 3, 5, seed=1)
    monkeypatch.setattr(evaluation, "sub_markets", lambda market: sub_markets(market, most=4))
    parts = evaluate(market, policies, 3, 5, seed=1)
    for metric in METRICS:
        np.testing.assert_allclose(parts.values[metric], whole.values[metric], rtol=1e-5, err_msg=metric)


@pytest.mark.parametrize(
    ("shape", "episodes"), [((2, 3), 64), ((83, 11), 64), ((50, 50), 51), ((200, 100), 8)]
)
def test_large_markets_are_played_less_often(shape: tuple[int, int], episodes: int) -> None:
    assert usual_episodes(SimpleNamespace(shape=shape)) == episodes  # type: ignore[arg-type]


def test_an_evaluation_and_the_tuning_before_it_end_with_the_season():
    market = shop([[-3.0]], locations=4, economics=Economics(season=5, salvage_rate=0.0, initial_cover=1.0))
    policies = tune_baselines(market, seed=0, settings=TuningSettings(periods=9, volume=60, rounds=1))
    found = evaluate(market, policies, episodes=3, horizon=9, seed=1)
    assert found.horizon == 5
    same = evaluate(market, policies, episodes=3, horizon=5, seed=1)
    assert np.array_equal(found.values["profit"], same.values["profit"])
