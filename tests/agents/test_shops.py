"""One policy for many shops: it learns what carries over, starts in a shop unseen, and goes on from there."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from shops import shop

from mercato.agents import tuning
from mercato.agents.evaluation import evaluate
from mercato.agents.learned import LearnedPolicy, linear_layers
from mercato.agents.learner import Validation, validation_worth
from mercato.agents.pathwise import FINE_TUNING, ShopsSettings, start_in, train_pathwise, train_shops
from mercato.agents.pathwise.starting import uncorrected
from mercato.agents.policy import Policy
from mercato.agents.residual import OpenResidual, Residual, ResidualGrid
from mercato.agents.tuning import TuningSettings, tune_static
from mercato.envs.economics import Economics
from mercato.envs.engine.observation import Observation
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError
from tests.listener import Listener

GLANCE = Validation(times=1, episodes=4, horizon=3, series=0)
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


@pytest.fixture(autouse=True, scope="module")
def brief_tuning() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "QUICK", TuningSettings(periods=6, volume=100, rounds=1, price_volume=0))
        yield


@cache
def general() -> LearnedPolicy:
    return train_shops([fresh(-2.2, 0.2), fresh(-3.0, 0.5, lead_time=2)], BRIEF)


def tuned_in(market: Market) -> Residual:
    assert isinstance(general().actions, OpenResidual)
    return general().actions.on(tune_static(market, 0))


def seen(market: Market) -> View:
    simulator = Simulator(market, 4, 5, seed=0)
    return simulator.view(simulator.reset())


def same(one: LearnedPolicy, other: LearnedPolicy) -> bool:
    weights = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in weights)


def profit(market: Market, policy: Policy) -> float:
    return float(evaluate(market, [policy], episodes=64, horizon=20, seed=3).values["profit"].mean())


def lavish() -> LearnedPolicy:
    """One that charges and orders far too much in any shop."""
    *_, last = linear_layers(network := deepcopy(general().network))
    last.bias.copy_(torch.tensor([1.0, 1.0]))
    return replace(general(), network=network)


def test_it_starts_in_a_shop_that_it_has_not_seen_and_corrects_what_is_tuned_there(tmp_path: Path) -> None:
    market = unseen()
    general().save(tmp_path / "general.safetensors")
    loaded = LearnedPolicy.load(tmp_path / "general.safetensors")
    first, again = (start_in(market, one, validation=GLANCE) for one in (general(), loaded))
    assert first.actions == again.actions == tuned_in(market)
    again.save(tmp_path / "started.safetensors")
    view = seen(market)
    decisions = [one.decide(view) for one in (first, LearnedPolicy.load(tmp_path / "started.safetensors"))]
    assert decisions[0].price.shape == (4, 3, 2)
    assert torch.equal(decisions[0].price, decisions[1].price)
    assert torch.equal(decisions[0].order, decisions[1].order)


def test_it_starts_worth_no_less_than_the_tuned_rules_and_stays_so() -> None:
    """Even where what it learned elsewhere harms."""
    market, glance = unseen(), replace(GLANCE, horizon=8)
    rules = tune_static(market, 0)
    worth = validation_worth(market, rules, 0, glance)
    for policy in (general(), lavish()):
        started = start_in(market, policy, validation=glance)
        assert validation_worth(market, started, 0, glance) >= worth
        after = train_pathwise(market, replace(AGAIN, validation=glance), start=policy)
        assert validation_worth(market, after, 0, glance) >= worth
    assert same(started, uncorrected(lavish()))
    view = seen(market)
    assert torch.equal(started.decide(view).price, rules.decide(view).price)
    assert torch.equal(started.decide(view).order, rules.decide(view).order)


def test_a_policy_that_has_its_rules_starts_as_it_is() -> None:
    started = start_in(unseen(), general(), validation=GLANCE)
    assert start_in(unseen(), started) is started


def test_without_a_start_it_decides_nowhere() -> None:
    with pytest.raises(InputError, match=r"^policy generalist: expected one .* in test, found one for many"):
        general().decide(seen(unseen()))


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
    with pytest.raises(
        InputError, match=r"^policy generalist: expected .* found .* life_cover_1, life_cover_2"
    ):
        start_in(ages, general())
    with pytest.raises(
        InputError, match="found a difference in life_cover_1, life_cover_2; train one policy"
    ):
        train_shops([fresh(-2.0, 0.2), ages], BRIEF)
    with pytest.raises(InputError, match="expected one or more, found none"):
        train_shops([], BRIEF)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_policy() -> None:
    brief = replace(BRIEF, steps=400)
    shops = [fresh(-2.2, 0.2), fresh(-3.0, 0.5, lead_time=2)]
    first, second, other = (train_shops(shops, brief, seed) for seed in (1, 1, 2))
    assert same(first, second)
    assert not same(first, other)


def test_what_it_learned_carries_over_and_goes_on() -> None:
    """A static price takes no account of what spoils tonight; that prices should is learned elsewhere."""
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
    policy, market = train_shops(practice, settings), fresh(-2.6, 0.5)
    started = start_in(market, policy)
    rules, at_once = profit(market, tune_static(market, 0)), profit(market, started)
    assert at_once > 1.005 * rules
    after = train_pathwise(market, replace(AGAIN, steps=8_000, markets=32), start=policy)
    assert after.features == policy.features
    assert profit(market, after) > 0.995 * at_once


def test_a_fine_tuning_begins_with_the_policy_as_it_starts() -> None:
    """What is not surely better is not kept."""
    idle = replace(AGAIN, steps=1, learning_rate=0.0)
    started = start_in(unseen(), general(), validation=idle.validation)
    assert same(train_pathwise(unseen(), idle, start=general()), started)


def test_only_a_policy_of_continuous_corrections_goes_on() -> None:
    lattice = replace(general(), actions=ResidualGrid(tuned_in(unseen())), name="DQN")
    with pytest.raises(InputError, match="start: expected a policy of PPO or pathwise, found DQN"):
        train_pathwise(unseen(), AGAIN, start=lattice)


@pytest.mark.slow
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    shops, kept = [fresh(-2.2, 0.2), fresh(-3.0, 0.5, lead_time=2)], tmp_path / "kept"
    settings = replace(BRIEF, steps=700, validation=replace(GLANCE, times=3))
    whole = train_shops(shops, settings)
    with pytest.raises(KeyboardInterrupt):
        train_shops(shops, settings, progress=Listener(2), checkpoint=kept)
    assert same(train_shops(shops, settings, checkpoint=kept), whole)
