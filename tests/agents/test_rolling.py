"""Looking ahead on sampled scenarios: near the exact optimum of small problems, whatever it starts from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from shops import shop

from mercato.agents import rolling
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import CostPlus, LastPrice, StaticPrice
from mercato.agents.evaluation import play
from mercato.agents.optimal import mean_error, runs, solve
from mercato.agents.policy import Pair
from mercato.agents.rolling import RollingHorizon, affordable, rolling_horizon
from mercato.envs.economics import Economics
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.problems import LostSales
from mercato.envs.problems.pricing import finite_stock
from mercato.envs.processes import ObservedDemand
from mercato.envs.simulator import Simulator

BASE = Pair("base", CostPlus(0.5), BaseStock())


def look(market: Market, markets: int = 3) -> View:
    simulator = Simulator(market, markets, 6, seed=0)
    return simulator.view(simulator.reset())


def test_orders_are_near_the_optimum_of_lost_sales() -> None:
    """The newsvendor's level costs some 6% more than the optimum there."""
    problem = LostSales(1, 4.0)
    base = Pair("base-stock", LastPrice(), BaseStock())
    optimal, plain, ahead = (
        runs(problem, policy, 0, markets=32, periods=30, warm_up=10)
        for policy in (solve(problem).policy, base, RollingHorizon("ahead", base, scenarios=24))
    )
    gain, error = mean_error(plain - ahead)
    assert gain > 3 * error
    lost, error = mean_error(ahead - optimal)
    assert abs(lost) < 3 * error


def test_prices_of_a_season_s_stock_are_near_the_optimum() -> None:
    problem = finite_stock(3, 6.0, periods=6)
    market, exact = problem.market(), solve(problem)
    dear = Pair("dear", StaticPrice(torch.tensor([[2.0]]), market.locations, market.items), BaseStock())
    optimal, plain, ahead = (
        runs(problem, policy, 0, markets=128)
        for policy in (exact.policy, dear, RollingHorizon("ahead", dear, scenarios=32))
    )
    gain, error = mean_error(ahead - plain)
    assert gain > 3 * error
    lost, error = mean_error(optimal - ahead)
    assert lost < 0.03 * exact.value + 2 * error


def test_it_looks_into_no_customers_but_those_that_its_shop_believes_in() -> None:
    believed = shop([[-1.5]], locations=2)
    other = shop([[-6.0]], locations=2, base=40.0)
    market = believed.with_demand(ObservedDemand(other.demand, believed.demand))
    ahead = RollingHorizon("ahead", BASE, scenarios=8)
    view, seen = look(market), look(believed)
    assert torch.equal(ahead.decide(view).price, ahead.decide(seen).price)
    assert torch.equal(ahead.decide(view).order, ahead.decide(seen).order)


def test_many_markets_are_played_in_parts_to_the_same_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    market = shop([[-2.0, 0.3], [0.3, -2.0]], locations=2, economics=Economics(order_budget=30.0, season=5))
    view, ahead = look(market, markets=5), RollingHorizon("ahead", BASE, scenarios=4)
    whole = ahead.decide(view)
    monkeypatch.setattr(rolling, "_AT_ONCE", 2 * 4 * 4)
    parts = ahead.decide(view)
    assert torch.equal(whole.price, parts.price)
    assert torch.equal(whole.order, parts.order)


def test_prices_are_common_to_a_group_and_supported() -> None:
    market = shop([[-3.0, 0.5], [0.5, -3.0]], locations=3, groups=("a", "a", "b"))
    decision = RollingHorizon("ahead", BASE, scenarios=8).decide(look(market))
    assert torch.equal(decision.price[:, 0], decision.price[:, 1])
    assert (market.supported.distance(decision.price) <= 1e-6).all()


def test_where_nothing_is_free_it_is_the_baseline() -> None:
    market = LostSales(1, 4.0).market()
    fixed = Pair("fixed", LastPrice(), BaseStock())
    economics = market.economics.model_copy(update={"decide": "price"})
    no_orders = replace(market, economics=economics)
    ahead = rolling_horizon(fixed, seed=0)
    assert ahead.name == "rolling horizon, fixed"
    mine, theirs = (play(no_orders, policy, torch.arange(2), 4, 0)["profit"] for policy in (ahead, fixed))
    assert torch.equal(mine, theirs)


def test_it_is_affordable_where_there_are_few_series() -> None:
    assert affordable(shop([[-3.0]], locations=4))
    assert not affordable(shop([[-3.0]], locations=5))
