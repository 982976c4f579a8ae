"""A part of a chain stands where it stood in the whole: what is decided of it is what the whole decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mercato.agents.baselines.fluid import FluidPrice
from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.policy import Pair, PriceRule
from mercato.app.decisions import decided
from mercato.app.standing import Customers, Standing
from mercato.envs.economics import Economics, Fairness, PriceRules
from mercato.envs.store import fitted_market
from tests.forecasters.small_model import Fitted, fitted  # noqa: F401


@pytest.fixture(scope="module")
def chain(fitted: Fitted) -> Standing:  # noqa: F811
    places = fitted.panel.locations
    rules = PriceRules(fairness=Fairness(groups={"north": places[:2]}), largest_change=0.1)
    market = fitted_market(fitted.model, fitted.panel, Economics(price_rules=rules, lead_time=2), "chain")
    return Standing.of(market, fitted.panel, None, 0)


@pytest.mark.parametrize("pricing", [MyopicPrice(), FluidPrice()])
def test_a_part_decides_as_the_whole_does(chain: Standing, pricing: PriceRule) -> None:
    market, policy = chain.market, Pair("policy", pricing, BaseStock())
    on_hand = np.random.default_rng(0).integers(0, 60, market.shape).astype(np.float32)
    stock = on_hand, np.ones_like(on_hand)
    whole = decided(chain, policy, stock)
    for asked in (market.locations[3:4], market.locations[5:], market.locations[1:2]):
        part = chain.part(asked)
        there = np.isin(market.locations, part.market.locations)
        found = decided(part, policy, (stock[0][there], stock[1][there]), locations=asked)
        expected = whole.rows[whole.rows["location"].isin(asked)]
        pd.testing.assert_frame_equal(found.rows, expected.reset_index(drop=True))
        gains = whole.gains[whole.gains.index.isin(asked)]
        np.testing.assert_allclose(found.gain, gains.iloc[:, -1].sum(), rtol=1e-5)


def test_customers_who_answer_otherwise_are_those_of_a_reading_of_their_own(chain: Standing) -> None:
    """What the network says is the usual customers', and yet they expect nearly the same."""
    lists = chain.price_before * torch.tensor([0.9, 1.1]).view(-1, 1, 1)
    usual = chain.usual.expected(lists)
    for found, own in zip(chain.others, chain.demand.plausible().values(), strict=True):
        alone = Customers(own, own.reset(chain._state.start, chain._key))
        apart = (found.expected(lists) / alone.expected(lists) - 1).abs().max()
        assert apart < 0.1 * (usual / alone.expected(lists) - 1).abs().max()


def test_a_part_is_explained_as_in_the_whole(chain: Standing) -> None:
    policy, asked = Pair("policy", MyopicPrice(), BaseStock()), chain.market.locations[4:6]
    whole, part = (
        decided(standing, policy, None, explain=True, locations=asked)
        for standing in (chain, chain.part(asked))
    )
    parts = [name for name in whole.rows if " + " in name or name.startswith("ordinary")]
    assert len(parts) == 2 * 9
    assert whole.rows["price + unit costs"].abs().max() > 0.001
    np.testing.assert_allclose(part.rows[parts], whole.rows[parts], rtol=1e-3, atol=1e-3)
    assert part.rows["drivers"].tolist() == whole.rows["drivers"].tolist()


def test_a_part_has_whoever_prices_are_compared_with(chain: Standing) -> None:
    places = chain.market.locations
    assert chain.part(places[1:2]).market.locations == places[:2]
    assert chain.part(places[4:5]).market.locations == places[4:5]
    assert chain.part(places) is chain
    assert chain.part(places[4:5]).date == chain.date
