"""What moving prices is worth at most: the dynamic program of a typical series, and its pieces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from mercato.agents.optimal import (
    Program,
    Series,
    Typical,
    best_pricing,
    best_static_price,
    bound,
    bound_of,
    typical_series,
)
from mercato.agents.optimal.bound import rounded_gamma
from mercato.agents.optimal.shelf import spoiling
from mercato.envs.economics import Economics, PriceRules
from mercato.envs.market import Market, Terms
from mercato.envs.problems import FRESH_FOOD, GALLEGO_VAN_RYZIN, Pricing
from mercato.envs.processes import Independent, Poisson
from mercato.forecasters.errors import InputError

TYPICAL = Typical(
    mean=6.0, spread=0.5, elasticity=-2.5, unit_cost=0.6, low=0.7, high=1.5, price=2.0
)  # at -2.5 the best price with stock at hand is 1


def shop(economics: Economics, means: list[float], elasticity: float = -2.5) -> Market:
    """Items of those mean demands, at prices from 0.7 to 1.5 and a cost of 0.6."""
    one = torch.ones(1, len(means))
    base = torch.tensor([means])
    demand = Independent(Poisson(), base, reference_price=one, elasticity=elasticity * torch.eye(len(means)))
    return Market(
        name="shop",
        dates=np.array(["2024-01-01"], dtype="datetime64[D]"),
        frequency="D",
        categories=("all",) * len(means),
        price_groups=("here",),
        economics=economics,
        terms=Terms(one, 0.7 * one, 1.5 * one, 0.6 * one, base),
        demand=demand,
    )


def test_the_typical_series_is_the_median_by_revenue() -> None:
    rules = PriceRules(minimum_margin=0.25, ceiling=1.2)
    found = typical_series(shop(Economics(price_rules=rules), [1.0, 4.0, 50.0, 3.0]))
    assert (found.mean, found.elasticity, found.price) == (50.0, -2.5, 1.0)
    assert found.spread == pytest.approx(50**-0.5)
    assert (found.low, found.high) == pytest.approx((0.8, 1.2))


@pytest.mark.parametrize(
    ("economics", "least", "most"),
    [
        ({}, 0.0005, 0.002),
        ({"lead_time": 0}, -1e-9, 1e-6),
        ({"waste_rate": 0.2, "waste_cost_rate": 0.2}, 0.02, 0.06),
        ({"shelf_life": 2, "waste_cost_rate": 0.2}, 0.04, 0.1),
        ({"capacity": 1.2}, 0.003, 0.02),
        ({"season": 10, "salvage_rate": 0.3, "initial_cover": 8, "lead_time": 10}, 0.03, 0.12),
    ],
)
def test_moving_prices_pay_where_stock_binds_and_hardly_elsewhere(
    economics: dict, least: float, most: float
) -> None:
    found = bound_of(TYPICAL, Economics(**economics))
    assert least < found.gain < most
    assert found.notes == ()


@pytest.mark.parametrize(
    "problem", [FRESH_FOOD[0], FRESH_FOOD[3], GALLEGO_VAN_RYZIN[1]], ids=lambda p: p.name
)
def test_it_is_the_exact_gain_where_that_is_known(problem: Pricing) -> None:
    exact = best_pricing(problem)[1] / best_static_price(problem)[1] - 1
    assert bound(problem.market()).gain == pytest.approx(exact, abs=0.002)


def test_price_rules_and_long_waits_are_told() -> None:
    slow = Economics(lead_time=9, price_rules=PriceRules(ceiling=1.2))
    notes = " ".join(bound_of(replace(TYPICAL, mean=1.6), slow).notes)
    assert "the lead time is taken as" in notes
    assert "price rules" in notes


def test_the_size_of_a_lot_hardly_matters() -> None:
    gains = [
        bound_of(replace(TYPICAL, mean=mean, spread=0.5), Economics(waste_rate=0.2, waste_cost_rate=0.2)).gain
        for mean in (8.0, 80.0, 800.0)
    ]
    assert max(gains) - min(gains) < 0.004


@settings(max_examples=30, deadline=None)
@given(st.floats(0.3, 30), st.floats(0.1, 1.5))
def test_lots_keep_mean_and_spread(mean: float, spread: float) -> None:
    found = rounded_gamma(np.array([mean]), np.array([spread]), 600)[0]
    counts = np.arange(600)
    assert found.sum() == pytest.approx(1, abs=1e-3)
    assert found @ counts == pytest.approx(mean, rel=1e-2)
    if (deviation := mean * spread) > 1:
        assert np.sqrt(found @ counts**2 - (found @ counts) ** 2) == pytest.approx(deviation, rel=0.03)


def test_units_spoil_one_by_one() -> None:
    chances = spoiling(np.arange(-2, 5), 0.25)
    np.testing.assert_allclose(chances.sum(1), 1)
    np.testing.assert_allclose(chances @ np.arange(-2, 5), [-2, -1, 0, 0.75, 1.5, 2.25, 3])
    assert chances[6, 6] == pytest.approx(0.75**4)
    assert np.array_equal(spoiling(np.arange(3), 1.0), [[1, 0, 0]] * 3)


@pytest.mark.parametrize("lead_time", [0, 1])
def test_what_lasts_a_period_is_a_newsvendor_s(lead_time: int) -> None:
    """Left over costs the unit, what it takes to throw it away, and its holding; short the margin."""
    costs = {"waste_cost_rate": 0.5, "holding_rate": 0.1, "shortage_rate": 0.0}
    market = shop(Economics(lead_time=lead_time, shelf_life=1, **costs), [3.0])  # type: ignore[arg-type]
    prices = np.array([0.8, 1.0, 1.3])
    demand, q = poisson(3.0 * prices[:, None] ** -2.5).pmf(np.arange(60)[None]), np.arange(13)
    sold = (np.minimum(q[:, None], np.arange(60)) * demand[:, None]).sum(-1)
    profit = prices[:, None] * sold - 0.6 * q - (0.5 + 0.1) * 0.6 * (q - sold)
    program = Program(Series.of(market, prices, 20, 12))
    assert program.long_run(1e-7).value == pytest.approx(profit.max(), abs=1e-5)
    np.testing.assert_allclose(program.long_run_at_each_price(1e-7), profit.max(1), atol=1e-5)


def test_customers_who_take_the_freshest_waste_more() -> None:
    prices, worth = np.array([0.9, 1.1]), {}
    for issuing in ("fifo", "lifo"):
        market = shop(Economics(shelf_life=2, issuing=issuing), [3.0])  # type: ignore[arg-type]
        worth[issuing] = Program(Series.of(market, prices, 20, 9)).long_run(1e-5).value
    keeps = Program(Series.of(shop(Economics(), [3.0]), prices, 20, 9)).long_run(1e-5).value
    assert worth["lifo"] < worth["fifo"] < keeps


def test_stock_that_perishes_and_demand_that_waits_are_refused() -> None:
    market = shop(Economics(shelf_life=2, unmet="backorder"), [2.0])
    with pytest.raises(InputError, match="expected lost sales beside a shelf life, found backorders"):
        Program(Series.of(market, np.array([1.0]), 9, 4))
