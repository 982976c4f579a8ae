"""Several agents in one market, through PettingZoo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pettingzoo.test import parallel_api_test, parallel_seed_test
from small_markets import make_market

from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.adapters.parallel_env import MarketplaceParallelEnv, sellers, shops
from mercato.envs.engine.actions import GridActions
from mercato.envs.engine.rewards import OwnProfit
from mercato.envs.problems import LogitDuopoly
from mercato.forecasters.errors import InputError


@pytest.mark.parametrize("owners", [sellers, shops])
@pytest.mark.parametrize("actions", [None, GridActions])
def test_it_is_what_pettingzoo_expects(owners, actions) -> None:
    given = {} if actions is None else {"actions": actions}

    def make() -> MarketplaceParallelEnv:
        return MarketplaceParallelEnv(make_market(), owners, horizon=6, **given)

    parallel_api_test(make(), num_cycles=20)
    parallel_seed_test(make, num_cycles=20)


def test_agents_play_the_market_that_one_agent_plays() -> None:
    market = make_market()
    one = MarketplaceEnv(market, horizon=5, reward=OwnProfit())
    many = MarketplaceParallelEnv(market, horizon=5)
    whole, _ = one.reset(seed=3)
    parts, _ = many.reset(seed=3)
    assert set(np.concatenate(list(parts.values())).tolist()) == set(whole.tolist())
    flat = np.zeros(one.action_space.shape, dtype=np.float32)
    apart = {agent: np.zeros(many.action_space(agent).shape, dtype=np.float32) for agent in many.agents}
    while many.agents:
        _, reward, _, _, _ = one.step(flat)
        sizes = [len(many._units[agent]) for agent in many.possible_agents]
        _, rewards, _, truncated, _ = many.step(apart)
        assert np.average(list(rewards.values()), weights=sizes) == pytest.approx(reward, rel=1e-5)
    assert all(truncated.values())


def test_a_missing_agent_and_a_stray_unit_are_refused() -> None:
    market = make_market()
    env = MarketplaceParallelEnv(market)
    with pytest.raises(InputError, match="expected reset"):
        env.step({})
    env.reset(seed=0)
    first = env.possible_agents[0]
    with pytest.raises(InputError, match=f"found none of {first}"):
        env.step({})
    shapes = {agent: np.zeros(env.action_space(agent).shape) for agent in env.agents}
    with pytest.raises(InputError, match=f"action of {first}: expected shape"):
        env.step({**shapes, first: np.zeros(99)})
    with pytest.raises(InputError, match="every decision unit from 0"):
        MarketplaceParallelEnv(market, lambda _: {"a": [0]})


def test_the_duopoly_has_the_paper_s_prices() -> None:
    """Calvano et al. 2020, section II.A: a = 2, c = 1, μ = 1/4, a₀ = 0."""
    duopoly = LogitDuopoly()
    assert duopoly.nash == pytest.approx(1.4729, abs=1e-4)
    assert duopoly.monopoly == pytest.approx(1.9250, abs=1e-4)
    assert duopoly.gain(duopoly.profit(duopoly.nash)) == pytest.approx(0)
    assert duopoly.gain(duopoly.profit(duopoly.monopoly)) == pytest.approx(1)


def test_nobody_gains_by_leaving_nash() -> None:
    duopoly = LogitDuopoly()
    market = duopoly.market()
    state = market.demand.reset(torch.zeros(1).long(), None)

    def profit(price: float) -> float:
        both = torch.tensor([[[price, duopoly.nash]]])
        return float((both - duopoly.cost).mul(market.demand.expected(state, both))[0, 0, 0])

    at_nash = profit(duopoly.nash)
    assert all(profit(duopoly.nash + change) < at_nash for change in (-0.05, -0.01, 0.01, 0.05))


def test_in_the_engine_a_seller_earns_what_the_paper_s_profit_says() -> None:
    duopoly = LogitDuopoly()
    market = duopoly.market()
    env = MarketplaceParallelEnv(market, horizon=2)
    env.reset(seed=0)
    at_nash = 2 * np.log(duopoly.nash / float(market.terms.price_low[0, 0]))
    at_nash = at_nash / np.log(float(market.terms.price_high[0, 0]) / float(market.terms.price_low[0, 0])) - 1
    full = np.array([at_nash, 1.0], dtype=np.float32)
    _, rewards, _, _, _ = env.step(dict.fromkeys(env.agents, full))
    scale = duopoly.nash * float(market.terms.typical_demand[0, 0])
    for reward in rewards.values():
        assert reward * scale / duopoly.customers == pytest.approx(duopoly.profit(duopoly.nash), rel=1e-4)


def test_a_seller_alone_meets_a_rival_that_stays_at_its_price() -> None:
    market = LogitDuopoly().market()
    price, state = market.terms.reference_price, market.demand.reset(torch.zeros(1).long(), None)
    both = market.demand.expected(state, price.unsqueeze(0))
    alone = market.select(items=["seller 2"]).demand
    assert torch.allclose(alone.expected(state, price[:, 1:].unsqueeze(0)), both[..., 1:])
