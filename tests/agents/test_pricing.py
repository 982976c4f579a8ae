"""Problems whose price is decided: closed forms, bounds, structure, and what optima earn in their markets."""

from __future__ import annotations

from dataclasses import replace
from math import e

import numpy as np
import pytest

from mercato.agents.optimal import best_static_price, continuous_time, fluid_bound, simulated, solve
from mercato.agents.optimal.pricing import best_pricing
from mercato.envs.problems import (
    CLEARANCE,
    FEDERGRUEN_HECHING,
    FRESH_FOOD,
    GALLEGO_VAN_RYZIN,
    SLOW_SUPPLY,
    Pricing,
    finite_stock,
)
from mercato.envs.problems.optima import OPTIMA

KNOWN = (*GALLEGO_VAN_RYZIN, *CLEARANCE, FRESH_FOOD[0], FRESH_FOOD[3])
PLAYED = (GALLEGO_VAN_RYZIN[1], FEDERGRUEN_HECHING[1], *FRESH_FOOD[:2], FRESH_FOOD[4], CLEARANCE[0])


def test_one_unit_in_continuous_time_is_worth_what_the_formula_says() -> None:
    """Gallego and van Ryzin 1994, section 2.3: J(1, t) = ln(1 + λ t / e)."""
    assert continuous_time(1, 10.0) == pytest.approx(np.log(1 + 10.0))
    assert continuous_time(1, 30 / e) == pytest.approx(np.log(1 + 30 / e))


@pytest.mark.parametrize("stock", [1, 5, 10])
def test_many_short_periods_earn_what_continuous_time_does(stock: int) -> None:
    exact = continuous_time(stock, 10.0)
    worth = [best_pricing(finite_stock(stock, 10.0, periods))[1] for periods in (10, 40, 160)]
    assert worth == sorted(worth)
    assert worth[-1] < exact < fluid_bound(stock, 10.0)
    assert worth[-1] == pytest.approx(exact, rel=0.01)


def test_prices_rise_with_time_and_fall_with_stock() -> None:
    """Gallego and van Ryzin 1994, theorem 1: p*(n, s) falls in n and rises in s, the time left."""
    policy, _ = best_pricing(finite_stock(8, 10.0))
    prices = policy.prices[policy.plan.price][:, 1:]  # (T, n)
    assert (np.diff(prices, axis=1) <= 1e-9).all()
    assert (np.diff(prices, axis=0) <= 1e-9).all()


def test_a_base_stock_list_price_is_optimal() -> None:
    """Federgruen and Heching 1999, theorem 1: order up to a level at its list price, or give a discount."""
    problem = FEDERGRUEN_HECHING[0]
    policy, _ = best_pricing(problem)
    stock, plan = policy.program.shelf.left, policy.plan
    usual = (stock > -10) & (stock < 30)
    for date in range(1, 11):
        level, price = (stock + plan.order[date])[usual], policy.prices[plan.price[date]][usual]
        ordered = plan.order[date][usual] > 0
        assert len(set(level[ordered])) == 1
        assert len(set(price[ordered])) == 1
        assert (np.diff(price) <= 1e-9).all()
        assert not ordered[stock[usual] > level[ordered][0]].any()


def test_fewer_chances_to_order_and_longer_waits_earn_less() -> None:
    daily, seldom, late = (best_pricing(problem)[1] for problem in FEDERGRUEN_HECHING)
    assert seldom < daily
    assert late < daily


@pytest.mark.parametrize("problem", PLAYED, ids=lambda problem: problem.name)
def test_the_optimal_policy_earns_in_its_market_what_it_should(problem: Pricing) -> None:
    best = solve(problem)
    value, error = simulated(problem, best.policy, seed=1, markets=400, periods=40, warm_up=10)
    assert error < 0.03 * best.value
    assert abs(value - best.value) < 3 * error
    static = best.rules["static price"]
    assert static.value < best.value
    value, error = simulated(problem, static.policy, seed=1, markets=400, periods=40, warm_up=10)
    assert abs(value - static.value) < 3 * error


@pytest.mark.parametrize(
    "problem",
    KNOWN,
    ids=lambda problem: problem.name,
)
def test_the_catalogue_tells_what_the_dynamic_program_finds(problem: Pricing) -> None:
    assert OPTIMA[problem.name] == pytest.approx(best_pricing(problem)[1], abs=2e-4)


def test_states_and_orders_beyond_the_tables_would_change_nothing() -> None:
    for problem in (FRESH_FOOD[3], CLEARANCE[0], SLOW_SUPPLY[0]):
        more = replace(problem, most_stock=problem.most_stock + 15, most_order=problem.most_order + 5)
        assert best_pricing(more)[1] == pytest.approx(best_pricing(problem)[1], abs=1e-4)


def test_the_best_static_price_is_the_best_of_them() -> None:
    policy, value = best_static_price(GALLEGO_VAN_RYZIN[0])
    assert len(policy.prices) == 1
    assert 1.0 < policy.prices[0] < 2.5
    assert value < best_pricing(GALLEGO_VAN_RYZIN[0])[1]
