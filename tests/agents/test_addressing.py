"""The campaign that is learned is the one that earns most in simulation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mercato.agents.addressing import Addressing, best_campaign, showings
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.policy import Pair
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.forecasters.customers import Coupons, Lift, Personal, Showing
from mercato.forecasters.errors import InputError
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
    by_taste = "show 1 by taste × margin^0"
    best, worth = best_campaign(shop(0.97, 0.4), POLICY, showings(1, EFFECT), episodes=8, horizon=8)
    assert best.name != by_taste
    assert worth[best.name] > 1.01 * worth[by_taste]
    assert worth[best.name] == max(worth.values())


def test_a_coupon_that_moves_nobody_is_not_worth_its_discount() -> None:
    market, idle = shop(0.6, 0.6), Lift.stated(1.0)
    best, worth = best_campaign(
        market,
        POLICY,
        [Coupons(0.2, idle), Coupons(0.2, idle, ("keen",)), Coupons(0.0, idle)],
        episodes=8,
        horizon=8,
    )
    assert best.name == "0% coupon to all"
    assert worth["0% coupon to all"] > worth["20% coupon to keen"] > worth["20% coupon to all"]
    with pytest.raises(InputError, match="expected some of calm, keen, found rich"):
        best_campaign(market, POLICY, [Coupons(0.2, idle, ("rich",))], episodes=2, horizon=2)


def test_a_policy_orders_for_whom_it_addresses() -> None:
    market = shop(0.6, 0.6)
    simulator = Simulator(market, 4, 8, 0)
    view = simulator.view(simulator.reset())
    usual, shown = (
        p.decide(view) for p in (POLICY, Addressing("shown", POLICY, Showing(Personal(), 2, EFFECT)))
    )
    assert usual.customers is None
    assert float(shown.order.sum()) > 1.2 * float(usual.order.sum())
    sold = [
        simulator.step(simulator.reset(), replace(d, order=shown.order))[1].demand.sum()
        for d in (usual, shown)
    ]
    assert 1.3 < float(sold[1] / sold[0]) < 1.7
    with pytest.raises(InputError, match="expected a market with customers"):
        Simulator(plain_market(), 1, 8, 0).step(Simulator(plain_market(), 1, 8, 0).reset(), shown)
