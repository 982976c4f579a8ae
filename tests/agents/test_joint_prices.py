"""Prices of a category are optimised together: they have to be what exhaustive search finds."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.prices import CostPlus
from mercato.agents.policy import price_range, within
from mercato.agents.tuning import Trials, TuningSettings
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.envs.structural import FAMILIES, Size, true_market

KINDS = ("log-linear", "nested-logit", "attraction")


@cache
def market_of(kind: str, items: int = 2) -> Market:
    return true_market(FAMILIES[kind].make(seed=5, size=Size(2, items, 60))[1])


def grid(market: Market, steps: int) -> Tensor:
    """(K, S, 2) pairs of supported prices, spread evenly over the ranges of two items."""
    low, high = (market.by_group.spread(bound, -2).log() for bound in price_range(market))
    shares = torch.linspace(0, 1, steps)
    pairs = torch.cartesian_prod(shares, shares).unsqueeze(1)
    return within((low + pairs * (high - low)).exp(), market)


def expected_profit(view: View, price: Tensor) -> Tensor:
    """(B, S)"""
    return ((price - view.market.terms.unit_cost) * view.expected(price)).sum(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_myopic_prices_are_what_exhaustive_search_finds(kind: str) -> None:
    market = market_of(kind)
    simulator = Simulator(market, 6, 10, seed=0)
    view = simulator.view(simulator.reset())
    best = torch.stack(
        [expected_profit(view, price.expand_as(view.state.on_hand)) for price in grid(market, 25)]
    ).amax(0)
    assert bool((expected_profit(view, MyopicPrice().price(view)) > 0.999 * best).all())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("markup", [0.1, 0.4, 1.0])
def test_myopic_prices_never_earn_less_than_cost_plus_in_expectation(kind: str, markup: float) -> None:
    market = market_of(kind, items=5)
    simulator = Simulator(market, 4, 10, seed=1)
    view = simulator.view(simulator.reset())
    myopic, cost_plus = (rule.price(view) for rule in (MyopicPrice(1, markup), CostPlus(markup)))
    assert bool((expected_profit(view, myopic) >= expected_profit(view, cost_plus) * (1 - 1e-5)).all())


@pytest.mark.parametrize("kind", [KINDS[1], pytest.param(KINDS[2], marks=pytest.mark.slow)])
def test_static_prices_are_what_exhaustive_search_by_simulation_finds(kind: str) -> None:
    market = market_of(kind)
    shop = market.select(market.locations[:1])
    trials = Trials.of(shop, TuningSettings(volume=1_000), seed=3)
    static = trials.static_price(markup=0.4)
    assert torch.allclose(within(static.prices, trials.market), static.prices, rtol=1e-4)  # supported
    earned = float(trials.profit_at(static.prices).sum())
    best = max(float(trials.profit_at(price).sum()) for price in grid(trials.market, 7))
    assert earned > 0.999 * best
