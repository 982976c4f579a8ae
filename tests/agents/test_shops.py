"""One policy for many shops: it learns what carries over, starts in a shop unseen, and goes on from there."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from shops import shop

from mercato.agents.evaluation import evaluate
from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.pathwise import FINE_TUNING, ShopsSettings, train_pathwise, train_shops
from mercato.agents.pathwise.shops import UNTUNED
from mercato.agents.policy import Policy
from mercato.agents.residual import ResidualGrid
from mercato.envs.economics import Economics
from mercato.envs.engine.observation import Observation
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError
from tests.listener import Listener

GLANCE = Validation(times=1, episodes=4, horizon=3)
BRIEF = ShopsSettings(steps=1500, markets=4, window=6, horizon=12, hidden=(8,), validation=GLANCE)
AGAIN = replace(FINE_TUNING, steps=600, markets=4, window=6, horizon=12, validation=GLANCE)


def fresh(elasticity: float, waste: float, lead_time: int = 1, base: float = 5.0, **more: object) -> Market:
    """Two places that sell one item, of which a share spoils every night."""
    economics = Economics(
        lead_time=lead_time, waste_rate=waste, waste_cost_rate=0.2, initial_cover=1.0, **more
    )
    return shop([[elasticity]], locations=2, base=base, economics=economics)


def unseen() -> Market:
    """Of other sizes than those it practised in."""
    return shop([[-2.6, 0.3], [0.2, -2.2]], locations=3, base=6.0, economics=Economics(waste_rate=0.35))


@cache
def general() -> LearnedPolicy:
    return train_shops([fresh(-2.2, 0.2), fresh(-3.0, 0.5, lead_time=2)], BRIEF)


def same(one: LearnedPolicy, other: LearnedPolicy) -> bool:
    weights = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in weights)


def profit(market: Market, policy: Policy) -> float:
    return float(evaluate(market, [policy], episodes=64, horizon=20, seed=3).values["profit"].mean())


def test_it_decides_in_a_shop_that_it_has_not_seen(tmp_path: Path) -> None:
    general().save(tmp_path / "policy.safetensors")
    again = LearnedPolicy.load(tmp_path / "policy.safetensors")
    market = unseen()
    simulator = Simulator(market, 4, 5, seed=0)
    view = simulator.view(simulator.reset())
    first, second = (policy.decide(view) for policy in (general(), again))
    assert first.price.shape == (4, 3, 2)
    assert torch.equal(first.price, second.price)
    assert torch.equal(first.order, second.order)


def test_it_is_told_what_tells_shops_apart() -> None:
    shops = [fresh(-2.2, 0.2), fresh(-3.0, 0.5), fresh(-2.2, 0.2, lead_time=3), fresh(-2.2, 0.0)]
    shops += [
        fresh(-2.2, 0.2, holding_rate=0.1),
        fresh(-2.2, 0.2, shortage_rate=0.5),
        fresh(-2.2, 0.2, base=9),
    ]
    observation, seen = Observation.across(shops), []
    for market in shops:
        simulator = Simulator(market, 1, 5, seed=0)
        seen.append(observation(simulator.view(simulator.reset()))[0, 0])
    told = {name: [float(row[k]) for row in seen] for k, name in enumerate(observation.names)}
    differ = ("elasticity", "lead_time", "waste_rate", "left_rate", "critical_odds", "usual_demand")
    for which, name in enumerate(differ, start=1):
        assert told[name][which] != told[name][0], name
    assert "season_sin" not in told


def test_a_shop_whose_stock_ages_is_refused_in_one_line() -> None:
    ages = shop([[-2.0]], economics=Economics(shelf_life=2))
    simulator = Simulator(ages, 1, 5, seed=0)
    with pytest.raises(
        InputError, match=r"^policy generalist: expected .* found .* life_cover_1, life_cover_2"
    ):
        general().decide(simulator.view(simulator.reset()))
    with pytest.raises(
        InputError, match="found a difference in life_cover_1, life_cover_2; train one policy"
    ):
        train_shops([fresh(-2.0, 0.2), ages], BRIEF)
    with pytest.raises(InputError, match="expected one or more, found none"):
        train_shops([], BRIEF)


def test_the_same_seed_gives_the_same_policy() -> None:
    brief = replace(BRIEF, steps=400)
    shops = [fresh(-2.2, 0.2), fresh(-3.0, 0.5, lead_time=2)]
    first, second, other = (train_shops(shops, brief, seed) for seed in (1, 1, 2))
    assert same(first, second)
    assert not same(first, other)


def test_what_it_learned_carries_over_and_goes_on() -> None:
    """Its rules take no account of waste in their prices; that it does is learned elsewhere."""
    practice = [
        fresh(e, w, lead) for e, w, lead in ((-2.0, 0.2, 1), (-3.0, 0.6, 1), (-2.5, 0.4, 2), (-2.2, 0.6, 1))
    ]
    settings = replace(
        BRIEF,
        steps=24_000,
        markets=32,
        learning_rate=0.02,
        hidden=(16,),
        validation=replace(GLANCE, episodes=64),
    )
    policy = train_shops(practice, settings)
    market = fresh(-2.6, 0.5)
    rules, at_once = profit(market, UNTUNED), profit(market, policy)
    assert at_once > 1.05 * rules
    after = train_pathwise(market, replace(AGAIN, steps=8_000, markets=32), start=policy)
    assert after.features == policy.features
    assert profit(market, after) > 0.995 * at_once


def test_a_fine_tuning_begins_with_the_policy_itself() -> None:
    """What is not surely better is not kept."""
    idle = replace(AGAIN, steps=1, learning_rate=0.0)
    assert same(train_pathwise(unseen(), idle, start=general()), general())


def test_only_a_policy_of_continuous_corrections_goes_on() -> None:
    lattice = replace(general(), actions=ResidualGrid(general().actions), name="DQN")
    with pytest.raises(InputError, match="start: expected a policy of PPO or pathwise, found DQN"):
        train_pathwise(unseen(), AGAIN, start=lattice)


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    shops, kept = [fresh(-2.2, 0.2), fresh(-3.0, 0.5, lead_time=2)], tmp_path / "kept"
    settings = replace(BRIEF, steps=700, validation=replace(GLANCE, times=3))
    whole = train_shops(shops, settings)
    with pytest.raises(KeyboardInterrupt):
        train_shops(shops, settings, progress=Listener(2), checkpoint=kept)
    assert same(train_shops(shops, settings, checkpoint=kept), whole)
