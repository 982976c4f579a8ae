"""Seasons that end: what stock left is worth, and that nothing comes after."""

from __future__ import annotations

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from scipy.stats import poisson
from small_markets import make_market

from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.adapters.vector_env import MarketplaceVectorEnv
from mercato.envs.economics import Economics
from mercato.envs.engine.rewards import accrued_profit
from mercato.envs.engine.types import Decision, State
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError

FREE = {"holding_rate": 0.0, "shortage_rate": 0.0}


def nine(state: State) -> Decision:
    """Nine units of everything at the last price."""
    return Decision(state.last_price, torch.full_like(state.on_hand, 9.0))


def test_the_best_order_of_a_one_period_season_is_the_newsvendor_s() -> None:
    """Price 2, cost 1, salvage 0.4: the critical ratio is (2 - 1) / (2 - 0.4) (Zipkin 2000, section 6.2)."""
    economics = Economics(lead_time=0, initial_cover=0, season=1, salvage_rate=0.4, **FREE)
    market = make_market(1, 1, economics=economics)
    orders = torch.arange(4.0, 18.0)
    simulator = Simulator(market, 20_000, horizon=5, seed=0)
    state, earned = simulator.reset(), []
    for order in orders:
        after, out = simulator.step(state, Decision(state.last_price, torch.full_like(state.on_hand, order)))
        assert simulator.terminated(after).all()
        earned.append(out.profit.mean().item())
    assert orders[int(np.argmax(earned))] == poisson.ppf(1 / 1.6, 10)
    wanted = np.arange(60)
    sold = (np.minimum(12, wanted) * poisson.pmf(wanted, 10)).sum()
    assert earned[8] == pytest.approx(2 * sold - 12 + 0.4 * (12 - sold), abs=0.05)


@pytest.mark.parametrize("unmet", ["lost", "backorder"])
@pytest.mark.parametrize("salvage", [1.0, 0.25, -0.5])
def test_accrued_profit_adds_up_to_the_cash_of_a_season(unmet: str, salvage: float) -> None:
    economics = Economics(lead_time=2, unmet=unmet, waste_rate=0.1, season=7, salvage_rate=salvage)
    market = make_market(economics=economics)
    simulator = Simulator(market, 4, horizon=30, seed=3)
    assert simulator.horizon == 7
    state, cash, accrued = simulator.reset(), torch.zeros(4), torch.zeros(4)
    for period in range(7):
        assert not simulator.done(state).any()
        state, outcome = simulator.step(state, nine(state))
        assert bool((outcome.write_off > 0).any()) == (period == 6 and salvage < 1)
        cash += outcome.profit.sum((1, 2))
        accrued += accrued_profit(outcome, market).sum((1, 2))
    left = state.on_hand + state.pipeline.sum(1)
    assert torch.allclose(outcome.ending_value, salvage * left - state.backorders)  # at unit cost 1
    assert torch.allclose(cash, accrued, atol=1e-2)
    assert simulator.terminated(state).all()


def test_an_episode_cut_before_the_season_s_end_keeps_its_stock_at_cost() -> None:
    market = make_market(economics=Economics(season=9, salvage_rate=0.0))
    simulator = Simulator(market, 2, horizon=3, seed=0)
    state = simulator.reset()
    for _ in range(3):
        state, outcome = simulator.step(state, nine(state))
    assert simulator.done(state).all()
    assert not simulator.terminated(state).any()
    assert torch.equal(outcome.ending_value, state.on_hand)


@pytest.mark.parametrize(("horizon", "ends_by"), [(3, "season"), (8, "season"), (2, "horizon")])
def test_every_adapter_says_terminated_at_the_season_s_end(horizon: int, ends_by: str) -> None:
    market = make_market(2, 2, economics=Economics(season=3, salvage_rate=0.5))
    env = gymnasium.make("mercato.envs:Marketplace-v0", market=market, horizon=horizon)
    copies = MarketplaceVectorEnv(3, market, horizon=horizon)
    slots = MarketplaceVecEnv(market, 3, horizon=horizon)
    env.reset(seed=0), copies.reset(seed=0), slots.reset()
    for period in range(min(horizon, 3)):
        *_, terminated, truncated, _ = env.step(np.zeros(8, np.float32))
        _, _, all_terminated, all_truncated, _ = copies.step(np.zeros((3, 8), np.float32))
        _, _, done, infos = slots.step(np.zeros((12, 2), np.float32))
        last = period == min(horizon, 3) - 1
        over = last and ends_by == "season"
        cut = last and ends_by == "horizon"
        assert (terminated, truncated) == (over, cut)
        assert (all_terminated == over).all()
        assert (all_truncated == cut).all()
        assert (done == last).all()
        if last:
            assert {info["TimeLimit.truncated"] for info in infos} == {cut}


def test_a_season_begins_anew_with_every_episode() -> None:
    market = make_market(economics=Economics(season=3, salvage_rate=0.0))
    simulator = Simulator(market, 2, horizon=3, seed=0)
    state = replace(simulator.reset(), age=torch.tensor([3, 1]))
    state = simulator.restart(state, simulator.done(state))
    assert state.age.tolist() == [0, 1]


def test_salvage_without_a_season_is_refused() -> None:
    with pytest.raises(InputError, match="season"):
        Economics(salvage_rate=0.5)
