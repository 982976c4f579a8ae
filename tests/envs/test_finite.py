"""No number that is none leaves a market: it is finite, or refused by its name."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from small_markets import make_market

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.evaluation import evaluate
from mercato.agents.policy import Pair
from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.economics import Economics, PriceRules
from mercato.envs.engine.actions import BoxActions, GridActions, RawActions
from mercato.envs.engine.doubt import Halt
from mercato.envs.engine.rewards import CategoryProfit, Cautious
from mercato.envs.engine.types import Decision, Outcome
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError, UnplayableError

FLOAT = float(np.finfo(np.float32).max)
WHERE = r"period \d+ of the episode, location location \d, item item \d"
extreme_economics = some.builds(
    Economics,
    lead_time=some.sampled_from([0, 1, 3]),
    unmet=some.sampled_from(["lost", "backorder"]),
    holding_rate=some.sampled_from([0, 10]),
    shortage_rate=some.sampled_from([0, 1000]),
    fixed_order_cost=some.sampled_from([0, 1e9]),
    price_change_cost=some.sampled_from([0, 1e9]),
    initial_cover=some.sampled_from([0, 1000]),
    capacity=some.sampled_from([None, 1e-9, 1e6]),
    waste_rate=some.sampled_from([0, 1]),
    waste_cost_rate=some.sampled_from([0, 100]),
    price_rules=some.builds(
        PriceRules,
        ending=some.sampled_from([None, 1e-6, 0.99]),
        largest_change=some.sampled_from([None, 1e-9, 100]),
        cadence=some.sampled_from([1, 1000]),
        minimum_margin=some.sampled_from([None, -10, 0.999999]),
        floor=some.sampled_from([None, 1e-9]),
        ceiling=some.sampled_from([None, 1000]),
    ),
)
at_the_ends = some.sampled_from([0.0, 1e-30, 0.5, 1.0, 1e6, 1e30, FLOAT])


def shop(economics: Economics = Economics(), price: float = 2.0, mean: float = 10.0):
    return make_market(
        economics=economics, price=price, cost=price / 2, mean=mean, elasticity=-2 * torch.eye(3)
    )


@settings(max_examples=40, deadline=None)
@given(
    extreme_economics,
    some.sampled_from([1e-6, 2.0, 1e12]),
    some.sampled_from([1e-6, 10.0, 1e6]),
    some.lists(some.sampled_from([-1e308, -1.0, 0.0, 1.0, 1e308]), min_size=12, max_size=12),
    some.sampled_from([BoxActions, lambda market: RawActions(market, 1e12)]),
)
def test_an_environment_is_finite_at_the_ends_of_everything(economics, price, mean, action, actions) -> None:
    env = MarketplaceEnv(shop(economics, price, mean), horizon=3, actions=actions)
    seen = [env.reset(seed=0)[0]]
    for _ in range(3):
        observation, reward, _, _, info = env.step(np.array(action))
        seen += [observation, reward, *info.values()]
    assert all(np.isfinite(value).all() for value in seen)


@settings(max_examples=60, deadline=None)
@given(extreme_economics, at_the_ends, at_the_ends, at_the_ends)
def test_whatever_is_decided_a_simulated_period_is_finite_or_refused(economics, price, order, stock) -> None:
    market = shop(economics)
    simulator = Simulator(market, 2, 2, seed=0)
    ones = torch.ones(2, *market.shape)
    state = simulator.initial_state(torch.tensor([30, 30]), on_hand=stock * ones)
    try:
        for _ in range(2):
            state, outcome = simulator.step(state, Decision(price * ones, order * ones))
            for field in fields(Outcome):
                assert getattr(outcome, field.name).isfinite().all(), field.name
    except (InputError, UnplayableError):
        assert price < 1e-6 or max(price, order, stock) >= 1e30  # never for what could be


@pytest.mark.parametrize(
    ("price", "order", "stock", "message"),
    [
        (np.nan, 1.0, 5.0, "price: expected finite numbers above 0, found nan in " + WHERE),
        (0.0, 1.0, 5.0, "price: expected finite numbers above 0, found 0.0 in " + WHERE),
        (-1.0, 1.0, 5.0, "price: expected finite numbers above 0, found -1.0 in " + WHERE),
        (2.0, np.inf, 5.0, "order: expected finite numbers, found inf in " + WHERE),
        (2.0, FLOAT, FLOAT, "profit: expected finite numbers; .* too large, found .* in " + WHERE),
        (2.0, 1.0, np.inf, "profit: expected finite numbers; .* too large, found .* in " + WHERE),
    ],
)
def test_a_decision_that_is_no_number_is_named_with_its_series(price, order, stock, message) -> None:
    market = shop()
    simulator = Simulator(market, 1, 4, seed=0)
    prices, orders = torch.full((1, *market.shape), 2.0), torch.full((1, *market.shape), 1.0)
    prices[0, 1, 2], orders[0, 1, 2] = price, order
    on_hand = torch.full(market.shape, 5.0)
    on_hand[1, 2] = stock
    state = simulator.initial_state(torch.tensor([30]), on_hand=on_hand)
    with pytest.raises(InputError, match=message) as refused:
        simulator.step(state, Decision(prices, orders))
    assert f"period 1 of the episode, location {market.locations[1]}, item {market.items[2]}" in str(
        refused.value
    )


class NoNumbers:
    """Customers of a damaged model."""

    def __init__(self, customers) -> None:
        self.customers = customers

    def __getattr__(self, name: str):
        return getattr(self.customers, name)

    def sample(self, *asked) -> torch.Tensor:
        return self.customers.sample(*asked) * torch.nan


def test_demand_that_is_no_number_is_unplayable_wherever_it_is_met() -> None:
    market = shop()
    broken = replace(market, demand=NoNumbers(market.demand))
    env = MarketplaceEnv(broken)
    env.reset(seed=0)
    with pytest.raises(UnplayableError, match="demand: expected finite numbers, found nan in " + WHERE):
        env.step(np.zeros(env.action_space.shape))
    with pytest.raises(UnplayableError, match="demand: expected finite numbers"):
        evaluate(broken, [Pair("rule", LastPrice(), BaseStock())], episodes=2, horizon=2, seed=0)


def test_code_that_never_asks_its_device_is_looked_at_where_numbers_are_read(monkeypatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    market = shop()
    broken = replace(market, demand=NoNumbers(market.demand))
    env = MarketplaceEnv(broken)
    env.reset(seed=0)
    with pytest.raises(UnplayableError, match="found nan in market 0"):
        env.step(np.zeros(env.action_space.shape))
    slots = MarketplaceVecEnv(broken, 2, horizon=2)
    slots.reset_tensor()
    nothing = torch.zeros(slots.num_envs, 2)
    slots.step_tensor(nothing)
    with pytest.raises(UnplayableError, match="found nan in market 0"):  # at the episode's end
        slots.step_tensor(nothing)
    with pytest.raises(UnplayableError, match="expected finite numbers, found nan under rule"):
        evaluate(broken, [Pair("rule", LastPrice(), BaseStock())], episodes=2, horizon=2, seed=0)


class Unpaid:
    """A reward of no number."""

    def __call__(self, outcome, market) -> torch.Tensor:
        paid = CategoryProfit()(outcome, market)
        paid[0, 3] = torch.nan
        return paid


def test_a_reward_of_ones_own_that_is_no_number_is_named_with_its_unit() -> None:
    env = MarketplaceEnv(shop(), reward=Unpaid())
    env.reset(seed=0)
    where = "found nan in market 0, price group location 2, item item 1"
    with pytest.raises(UnplayableError, match=f"reward: expected finite numbers, {where}"):
        env.step(np.zeros(env.action_space.shape))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cautious(CategoryProfit(), disagreement=np.inf),
        lambda: Cautious(CategoryProfit(), off_support=np.nan),
        lambda: Halt(penalty=np.inf),
        lambda: BoxActions(shop(), max_cover=np.inf),
        lambda: RawActions(shop(), max_units=np.nan),
        lambda: GridActions(shop(), prices=0),
    ],
)
def test_a_setting_that_would_make_numbers_infinite_is_refused(make) -> None:
    with pytest.raises(InputError, match="expected"):
        make()
