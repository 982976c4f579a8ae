"""Exact lost-sales optima against Zipkin 2008 ("Old and new methods for lost-sales inventory systems",
Operations Research 56(5), table 3) and what others printed of the same cells."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats

from mercato.agents.baselines.prices import LastPrice
from mercato.agents.evaluation import play
from mercato.agents.optimal import (
    ByState,
    CappedBaseStock,
    average_cost,
    best_capped,
    best_constant,
    best_level,
    constant_cost,
    optimum,
    simulated,
    solve,
)
from mercato.agents.policy import Pair
from mercato.envs.problems import ZIPKIN, LostSales
from mercato.forecasters.errors import InputError

HALF_A_DIGIT = 0.005001  # of the last printed one


def test_demand_is_that_of_the_distribution() -> None:
    k = np.arange(60)
    poisson, geometric = (LostSales(1, 4.0, demand).probabilities(60) for demand in ("poisson", "geometric"))
    np.testing.assert_allclose(poisson, stats.poisson(5).pmf(k), rtol=1e-9)
    np.testing.assert_allclose(geometric, stats.geom(1 / 6, loc=-1).pmf(k), rtol=1e-9)


@pytest.mark.parametrize(
    ("demand", "lead_time", "penalty", "published"),
    [
        ("poisson", 2, 4.0, 4.40),
        ("poisson", 2, 19.0, 7.66),
        ("geometric", 2, 4.0, 10.24),
        ("geometric", 2, 19.0, 20.89),
        ("poisson", 4, 4.0, 4.73),
        ("poisson", 4, 9.0, 6.84),
        ("poisson", 4, 19.0, 8.89),
        ("poisson", 4, 39.0, 10.79),
    ],
)
def test_the_optimum_is_the_published_one(
    demand: str, lead_time: int, penalty: float, published: float
) -> None:
    assert abs(optimum(LostSales(lead_time, penalty, demand)).cost - published) < HALF_A_DIGIT


@pytest.mark.slow
@pytest.mark.parametrize(("penalty", "published"), [(4.0, 10.61), (19.0, 22.95)])
def test_the_largest_optima_are_the_published_ones(penalty: float, published: float) -> None:
    assert abs(optimum(LostSales(4, penalty, "geometric")).cost - published) < HALF_A_DIGIT


@pytest.mark.parametrize("demand", ["poisson", "geometric"])
def test_the_optimal_policy_costs_what_the_optimum_says(demand: str) -> None:
    problem = LostSales(2, 9.0, demand)
    best = optimum(problem)
    assert average_cost(problem, best) == pytest.approx(best.cost, abs=2e-6)


@pytest.mark.slow
def test_nothing_but_more_states_would_change_the_optimum() -> None:
    """Value iteration that leaves no state out, at a lead time of 1, finds the same."""
    problem, most = LostSales(1, 4.0, "geometric"), 70
    chances, x, left = problem.probabilities(4000), np.arange(most + 1), np.arange(4000)
    ending = (x[:, None] - left).clip(min=0)
    costs = (ending + 4 * (left - x[:, None]).clip(min=0)) @ chances
    value = np.zeros(most + 1)
    for _ in range(400):
        after = costs + np.min(
            [value[(ending + order).clip(max=most)] @ chances for order in range(25)], axis=0
        )
        change, value = after - value, after - after[0]
    assert optimum(problem).cost == pytest.approx(change[:30].mean(), abs=1e-5)


def test_base_stock_costs_what_was_published() -> None:
    policy = CappedBaseStock(25, 25)
    assert average_cost(LostSales(4, 4.0), policy) == pytest.approx(5.198, abs=0.0005)


@pytest.mark.parametrize("problem", [LostSales(1, 9.0, "geometric"), LostSales(2, 4.0)], ids=str)
def test_the_best_of_a_kind_is_the_best_of_all_its_members(problem: LostSales) -> None:
    costs = {
        (level, cap): average_cost(problem, CappedBaseStock(level, cap), 1e-6)
        for level, cap in product(range(8, 30), range(4, 20))
        if cap <= level
    }
    level, cost = best_level(problem)
    capped, capped_cost = best_capped(problem)
    assert capped_cost == pytest.approx(min(costs.values()), abs=1e-6)
    assert (capped.level, capped.cap) == min(costs, key=costs.__getitem__)
    assert cost <= min(average_cost(problem, CappedBaseStock(s, s)) for s in range(8, 30)) + 1e-6
    assert optimum(problem).cost < capped_cost < cost == average_cost(problem, level)


def test_a_constant_order_is_a_cap_under_a_level_that_is_never_reached() -> None:
    problem = LostSales(1, 4.0)
    assert best_constant(problem)[1] == min(constant_cost(problem, order) for order in range(5))
    assert average_cost(problem, CappedBaseStock(80, 3)) == pytest.approx(constant_cost(problem, 3), abs=1e-5)
    assert constant_cost(problem, 0) == pytest.approx(20.0)  # all of demand is lost


@pytest.mark.parametrize("problem", [LostSales(2, 4.0), LostSales(1, 19.0, "geometric")], ids=str)
def test_the_optimal_policy_costs_in_its_market_what_the_optimum_says(problem: LostSales) -> None:
    best = solve(problem)
    cost, error = simulated(problem, best.policy, seed=0, markets=1024, periods=120, warm_up=30)
    assert error < 0.01 * best.value
    assert abs(cost - best.value) < 3 * error


def test_profit_in_its_market_is_the_cost_with_its_sign_turned() -> None:
    """A constant order of nothing loses all of demand, once the opening stock, which costs, is sold."""
    market = LostSales(1, 9.0).market()
    nothing = Pair("nothing", LastPrice(), ByState(CappedBaseStock(0, 0)))
    played = play(market, nothing, torch.arange(8), 50, seed=1)
    assert torch.all(played["price_sd"] == 0)
    lost = played["demand"] - played["units"]
    assert torch.all(played["profit"] <= -9 * lost + 1e-3)
    assert torch.all(played["profit"] > -9 * lost - 10 * 10)  # ten units are held for less than ten periods


def test_zipkin_has_thirty_two_cells() -> None:
    assert len(set(map(str, ZIPKIN))) == 32


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"lead_time": 0}, "lead time of 1 to 52"),
        ({"penalty": 0.0}, "penalty above 0"),
        ({"demand": "normal"}, "poisson or geometric, found 'normal'"),
    ],
)
def test_a_problem_out_of_range_is_refused(fields: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        LostSales(**{"lead_time": 1, "penalty": 4.0, **fields})
