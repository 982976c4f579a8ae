"""The recommender that is learned is the one that earns most in simulation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.policy import Pair
from mercato.agents.showing import learned_recommender, showing
from mercato.envs.market import Market
from mercato.forecasters.customers import Lift, Personal
from mercato.forecasters.errors import InputError
from mercato.forecasters.tensors import NoiseKey
from tests.envs.regulars import certain, with_regulars
from tests.envs.scenario_play import market as plain_market

POLICY = Pair("usual", LastPrice(), BaseStock(1.0))
EFFECT = Lift(0.4, 0.0, because="planted")


def shop(*costs: float) -> Market:
    """Two items with unit costs as shares of their prices, before customers who are known."""
    market = plain_market()
    share = torch.tensor(costs).expand(market.shape)
    terms = replace(market.terms, unit_cost=market.terms.reference_price * share)
    return with_regulars(replace(market, terms=terms), moved_by=certain(0.0, 0.0))


def test_where_margins_differ_much_margin_decides_what_is_shown() -> None:
    best, worth = learned_recommender(shop(0.97, 0.4), POLICY, 1, EFFECT, episodes=8, horizon=8)
    assert best.name != "taste × margin^0"
    assert worth[best.name] > 1.01 * worth["taste × margin^0"]
    assert worth[best.name] == max(worth.values())


def test_showing_sells_more_and_needs_known_customers() -> None:
    market = shop(0.6, 0.6)
    start, key = torch.tensor([4]), NoiseKey(0, *torch.zeros(3, 1, dtype=torch.int64))
    usual = market.demand
    price = market.terms.reference_price.unsqueeze(0)
    shown = showing(market, Personal(), 1, EFFECT).demand
    with_slates, without = (one.expected(one.reset(start, key), price) for one in (shown, usual))
    more = with_slates / without
    assert bool((more >= 1 - 1e-6).all())
    assert 1.0 < float(more.mean()) < 1.5
    with pytest.raises(InputError, match="expected a market with customers"):
        showing(plain_market(), Personal(), 1, EFFECT)
