"""Rewards: who is paid for what, and that they add up to the money."""

from __future__ import annotations

import pytest
import torch
from small_markets import make_market

from mercato.envs.economics import Economics
from mercato.envs.engine.rewards import CategoryProfit, OwnProfit, Reward, accrued_profit
from mercato.envs.engine.step import step
from mercato.envs.engine.types import Decision, Outcome
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator


def sell(market: Market, price: torch.Tensor) -> Outcome:
    """What a period of expected demand at ``price`` (B, S, I) brings from a full shop."""
    simulator = Simulator(market, len(price), horizon=5, seed=0)
    state = simulator.initial_state(
        torch.zeros(len(price), dtype=torch.int64), on_hand=torch.full(market.shape, 1e4)
    )
    demand = market.demand.expected(state.demand, price)
    return step(state, Decision(price, torch.zeros_like(price)), demand, market)[1]


FREE = Economics(holding_rate=0, shortage_rate=0)


def test_category_profit_is_shared_within_location_and_category() -> None:
    market = make_market(
        2, 3, categories=("x", "y", "x"), mean=torch.tensor([10.0, 20.0, 30.0]), economics=FREE
    )
    price = torch.tensor([[[3.0, 2.0, 2.0], [2.0, 2.0, 4.0]]])  # cost 1, reference 2
    reward = CategoryProfit()(sell(market, price), market).view(2, 3)
    x = [
        (10 * 2 + 30 * 1) / 80,
        (10 * 1 + 30 * 3) / 80,
    ]  # profit over revenue at reference price, by location
    assert reward.numpy() == pytest.approx(torch.tensor([[x[0], 0.5, x[0]], [x[1], 0.5, x[1]]]).numpy())


def test_own_profit_is_a_unit_s_alone_and_adds_up_over_its_group() -> None:
    market = make_market(2, 1, groups=("chain", "chain"), mean=torch.tensor([[10.0], [30.0]]), economics=FREE)
    reward = OwnProfit()(sell(market, torch.tensor([[[3.0], [2.0]]])), market)
    assert reward.numpy() == pytest.approx((10 * 2 + 30 * 1) / 80)


@pytest.mark.parametrize("unmet", ["lost", "backorder"])
def test_accrued_profit_adds_up_to_the_cash_of_an_episode(unmet: str) -> None:
    economics = Economics(lead_time=2, unmet=unmet, waste_rate=0.1, waste_cost_rate=0.2, fixed_order_cost=3.0)
    market = make_market(economics=economics)
    simulator = Simulator(market, 4, horizon=12, seed=3)
    state, cash, accrued = simulator.reset(), torch.zeros(4), torch.zeros(4)
    rng = torch.Generator().manual_seed(0)
    for _ in range(12):
        order = torch.randint(0, 22, state.on_hand.shape, generator=rng).float()
        state, outcome = simulator.step(state, Decision(state.last_price, order))
        cash += outcome.profit.sum((1, 2))
        accrued += accrued_profit(outcome, market).sum((1, 2))
    assert torch.allclose(cash, accrued, atol=1e-2)


@pytest.mark.parametrize(("reward", "markup"), [(CategoryProfit(), 2.5 / 1.5), (OwnProfit(), 3 / 2)])
def test_substitutes_settle_at_the_joint_optimum_only_when_they_share_profit(
    reward: Reward, markup: float
) -> None:
    """Own elasticity -3, cross +0.5, best replies in turn: the joint markup is 2.5/1.5, that of rivals 3/2.

    With a cross elasticity of 1 the joint optimum at equal prices, 2, would be a saddle: one item is better
    priced out of the market.
    """
    elasticity = torch.tensor([[-3.0, 0.5], [0.5, -3.0]])
    market = make_market(1, 2, elasticity=elasticity, mean=100.0, price=1.6, cost=1.0, economics=FREE)
    grid = torch.linspace(1.2, 2.4, 121)
    price = torch.tensor([1.3, 2.2])
    for turn in range(40):
        item = turn % 2
        tried = price.repeat(len(grid), 1)
        tried[:, item] = grid
        price[item] = grid[reward(sell(market, tried.unsqueeze(1)), market)[:, item].argmax()]
    assert price.numpy() == pytest.approx(markup, abs=0.011)
