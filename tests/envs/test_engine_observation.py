"""Observations: bounded, free of scale, and saying what their names say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_markets import make_market, random_state
from torch import Tensor

from mercato.envs.economics import Economics, PriceRules
from mercato.envs.engine.observation import BOUND, FEATURES, observe
from mercato.envs.engine.types import State
from mercato.envs.engine.view import View
from mercato.envs.market import Market


def look(market: Market, state: State) -> View:
    return View(market, state, market.demand.outlook(state.demand))


def feature(observation: Tensor, name: str) -> Tensor:
    return observation[..., FEATURES.index(name)]


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
    observation = observe(look(market, random_state(market, 4, seed, largest)))
    assert observation.shape == (4, 4, len(FEATURES))
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
    told = [name != "spread" for name in FEATURES]  # a Poisson count's relative spread does know the size
    a, b = (observe(view)[..., told] for view in views)
    assert torch.allclose(a, b, atol=1e-5)


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
    seen = dict(zip(FEATURES, observe(look(market, state))[0, 0].tolist(), strict=True))
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
        "season_sin": 0.0,
        "season_cos": 1.0,
        "since_change": math.log(4),
        "price_free": 0.0,
    }
    assert seen == pytest.approx(expected, abs=1e-6)


def test_others_price_is_of_the_same_category_and_group() -> None:
    market = make_market(2, 3, categories=("x", "y", "x"), mean=torch.tensor([10.0, 10.0, 30.0]))
    state = random_state(market, 1, seed=0)
    seen = feature(observe(look(market, state)), "others_price").view(2, 3)
    own = (state.last_price / market.terms.reference_price).log()[0]
    assert torch.allclose(seen[:, 0], own[:, 2], atol=1e-6)
    assert torch.allclose(seen[:, 2], own[:, 0], atol=1e-6)
    assert (seen[:, 1] == 0).all()


def test_the_season_follows_the_calendar_past_the_history() -> None:
    market = make_market(1, 1, weeks=60)
    state = random_state(market, 3, seed=0)
    weeks = torch.tensor([0, 26, 104])
    observation = observe(look(market, replace(state, start=weeks)))[:, 0]
    angle = 2 * np.pi * 7 * weeks.numpy() / 365.2425  # the history begins on the first of January
    assert feature(observation, "season_sin").numpy() == pytest.approx(np.sin(angle), abs=1e-5)
    assert feature(observation, "season_cos").numpy() == pytest.approx(np.cos(angle), abs=1e-5)
