"""Observations: bounded, free of scale, and saying what their names say."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_markets import make_market, random_state
from torch import Tensor

from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.economics import Economics, PriceRules
from mercato.envs.engine.observation import BOUND, Observation
from mercato.envs.engine.types import State
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.processes import Replay
from mercato.forecasters.errors import InputError


def look(market: Market, state: State) -> View:
    return View(market, state, market.demand.outlook(state.demand))


def observe(view: View) -> dict[str, Tensor]:
    """All features (B, U) by name."""
    observation = Observation.of(view.market)
    return dict(zip(observation.names, observation(view).unbind(-1), strict=True))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    mean=st.sampled_from([0.0, 1e-3, 1.0, 1e5]),
    lead_time=st.integers(0, 3),
    largest=st.sampled_from([1, 10, 10**7]),
)
def test_any_state_reads_finite_and_bounded(seed: int, mean: float, lead_time: int, largest: int) -> None:
    economics = Economics(lead_time=lead_time, unmet="backorder")
    market = make_market(3, 2, economics=economics, mean=mean, groups=("a", "b", "a"))
    observe = Observation.of(market)
    observation = observe(look(market, random_state(market, 4, seed, largest)))
    assert observation.shape == (4, 4, len(observe.names))
    assert observation.dtype == torch.float32
    assert (observation.abs() <= BOUND).all()


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_observations_do_not_know_the_currency_or_the_size(unit: float) -> None:
    small = make_market(mean=4.0, economics=Economics(lead_time=2))
    large = make_market(mean=4.0 * unit, price=2 * unit, cost=unit, economics=Economics(lead_time=2))
    state = random_state(small, 3, seed=5)
    grown = {
        name: unit * getattr(state, name)
        for name in ("on_hand", "pipeline", "last_sales", "last_price", "backorders")
    }
    views = look(small, state), look(large, replace(state, **grown))
    a, b = (observe(view) for view in views)
    for name in a.keys() - {"spread"}:  # a Poisson count's relative spread does know the size
        assert torch.allclose(a[name], b[name], atol=1e-5), name


def test_features_say_what_their_names_say() -> None:
    economics = Economics(lead_time=2, unmet="backorder", price_rules=PriceRules(cadence=4))
    market = make_market(1, 1, mean=10.0, economics=economics, elasticity=torch.tensor([[-2.5]]))
    state = random_state(market, 1, seed=0)
    one = torch.ones(1, 1, 1)
    state = replace(
        state,
        on_hand=20 * one,
        pipeline=torch.tensor([30.0, 40.0]).view(1, 2, 1, 1),
        backorders=5 * one,
        last_price=3 * one,
        last_sales=10 * one,
        since_change=torch.full((1, 1, 1), 3),
    )
    seen = {name: value.item() for name, value in observe(look(market, state)).items()}
    expected = {
        "stock_cover": math.log(3),
        "position_cover": math.log(1 + 8.5),
        "arrival_cover": math.log(4),
        "backorder_cover": math.log(1.5),
        "last_price": math.log(1.5),
        "last_sales": math.log(2),
        "outlook": 0.0,
        "spread": math.log(1 + 10**-0.5),
        "elasticity": -2.5,
        "cost": math.log(0.5),
        "price_low": math.log(0.5),
        "price_high": math.log(2),
        "others_price": 0.0,
        "until_price": math.log(2),
        "arrival_cover_2": math.log(5),
    }
    assert seen == pytest.approx(expected, abs=1e-6)


def test_a_price_that_stays_is_no_clock() -> None:
    """A policy that never moves a price sees the same shop after any time: else it leaves what it learned."""
    market = make_market(1, 1, mean=10.0, economics=Economics(price_rules=PriceRules(cadence=4)))
    state = random_state(market, 1, seed=0)
    after = [
        replace(state, age=torch.full_like(state.age, periods), since_change=torch.full((1, 1, 1), periods))
        for periods in (4, 60, 5000)
    ]
    first, *others = (torch.stack(list(observe(look(market, one)).values())) for one in after)
    assert all(torch.equal(first, other) for other in others)


def test_a_group_waits_for_the_location_whose_price_changed_last() -> None:
    rules = PriceRules(cadence=4)
    market = make_market(2, 1, groups=("a", "a"), economics=Economics(price_rules=rules))
    changed = torch.tensor([1, 4]).view(1, 2, 1)
    seen = observe(look(market, replace(random_state(market, 1, seed=0), since_change=changed)))
    assert seen["until_price"].item() == pytest.approx(math.log(4))


def test_others_price_is_of_the_same_category_and_group() -> None:
    market = make_market(2, 3, categories=("x", "y", "x"), mean=torch.tensor([10.0, 10.0, 30.0]))
    state = random_state(market, 1, seed=0)
    seen = observe(look(market, state))["others_price"].view(2, 3)
    own = (state.last_price / market.terms.reference_price).log()[0]
    assert torch.allclose(seen[:, 0], own[:, 2], atol=1e-6)
    assert torch.allclose(seen[:, 2], own[:, 0], atol=1e-6)
    assert (seen[:, 1] == 0).all()


def test_the_season_follows_the_calendar_past_the_history() -> None:
    market = make_market(1, 1, weeks=60)
    market = market.with_demand(Replay(torch.ones(60, 1, 1), market.locations, market.items))
    state = random_state(market, 3, seed=0)
    weeks = torch.tensor([0, 26, 104])
    seen = observe(look(market, replace(state, start=weeks)))
    angle = 2 * np.pi * 7 * weeks.numpy() / 365.2425  # the history begins on the first of January
    assert seen["season_sin"][:, 0].numpy() == pytest.approx(np.sin(angle), abs=1e-5)
    assert seen["season_cos"][:, 0].numpy() == pytest.approx(np.cos(angle), abs=1e-5)


def test_a_market_shows_what_it_has() -> None:
    plain = set(Observation.of(make_market()).names)
    economics = Economics(lead_time=3, shelf_life=2, season=5, order_every=4)
    rich = set(Observation.of(make_market(economics=economics)).names)
    arrivals, ages = {"arrival_cover_2", "arrival_cover_3"}, {"life_cover_1", "life_cover_2"}
    assert rich - plain == arrivals | ages | {"season_left", "until_order"}
    assert plain <= rich
    assert not {"season_sin", "season_cos"} & plain, "independent periods know no date"


def test_time_left_and_the_ages_of_stock_are_told() -> None:
    economics = Economics(shelf_life=3, season=6, order_every=4)
    market = make_market(1, 1, mean=10.0, economics=economics)
    state = random_state(market, 6, seed=0)
    cohorts = torch.tensor([5.0, 0.0, 20.0]).view(1, 3, 1, 1).expand_as(state.cohorts)
    seen = observe(look(market, replace(state, cohorts=cohorts, age=torch.arange(6))))
    for number, units in enumerate((5, 0, 20), 1):
        assert seen[f"life_cover_{number}"][0].item() == pytest.approx(math.log(1 + units / 10), abs=1e-6)
    assert seen["season_left"][:, 0].exp().tolist() == pytest.approx([7, 6, 5, 4, 3, 2])
    assert seen["until_order"][:, 0].exp().tolist() == pytest.approx([1, 4, 3, 2, 1, 4])


def test_slots_beyond_the_lead_time_are_empty_and_the_rest_is_the_same() -> None:
    market = make_market(economics=Economics(lead_time=2))
    view = look(market, random_state(market, 3, seed=2))
    own, padded = Observation.of(market), Observation.of(market, slots=5)
    seen = dict(zip(padded.names, padded(view).unbind(-1), strict=True))
    assert torch.equal(own(view), torch.stack([seen[name] for name in own.names], dim=-1))
    for name in set(padded.names) - set(own.names):
        assert (seen[name] == 0).all()


def test_adapters_show_what_they_are_asked_to() -> None:
    market = make_market(2, 2)
    env = MarketplaceVecEnv(market, 3, horizon=4, observation=partial(Observation.of, slots=4))
    assert env.observation_space.shape == (len(Observation.of(market)) + 3,)
    assert env.reset().shape == (12, len(Observation.of(market)) + 3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["stock_cover", "shoe_size"], "this version, found 'shoe_size'"),
        (["life_cover_0"], "found 'life_cover_0'"),
    ],
)
def test_an_unknown_feature_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Observation(names)
