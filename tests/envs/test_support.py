"""Price lists that were tried: what a history spans is supported, and all others are led back to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from small_markets import make_market

from mercato.envs.engine.support import PriceLists
from mercato.envs.market import Market

WEEKS, PLACES, GOODS = 200, 3, 4
CATEGORIES = torch.tensor([0, 0, 0, 1])


def shop(together: float, seed: int = 0, groups: tuple[str, ...] | None = None) -> Market:
    """Prices that move by 0.2 in logs around their reference, items of a category in step by ``together``."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(WEEKS, PLACES, 1))
    own = rng.normal(size=(WEEKS, PLACES, GOODS))
    shift = torch.from_numpy(0.2 * (together * common + (1 - together**2) ** 0.5 * own)).float()
    market = make_market(PLACES, GOODS, categories=("a", "a", "a", "b"), groups=groups)
    units = market.terms.typical_demand
    lists = PriceLists.tried(shift, torch.ones_like(shift, dtype=torch.bool), CATEGORIES, units)
    return replace(market, terms=replace(market.terms, lists=lists))


def distance(market: Market, *shift: float) -> torch.Tensor:
    price = market.terms.reference_price * torch.tensor(shift).exp()
    return market.supported.distance(price.unsqueeze(0))[0]


def test_items_that_always_moved_together_are_not_supported_apart() -> None:
    market = shop(together=0.99)
    assert (distance(market, 0.25, 0.25, 0.25, 0.0) == 0).all()
    assert (distance(market, 0.25, -0.25, 0.0, 0.0)[:, :2] > 0.15).all()


def test_items_that_moved_apart_are_not_supported_together() -> None:
    market = shop(together=0.0)
    assert (distance(market, 0.25, -0.25, 0.0, 0.0) == 0).all()
    assert (distance(market, 0.35, 0.35, 0.35, 0.0)[:, :3] > 0.1).all()


def test_a_list_drawn_back_to_the_tried_ones_is_at_their_edge() -> None:
    market = shop(together=0.0)
    wanted = market.terms.reference_price * torch.tensor([0.35, 0.35, 0.35, 0.0]).exp()
    near = market.supported.price(wanted)
    assert (near < market.terms.price_high * 0.99).all()  # no price by itself is at an end of its range
    assert market.supported.at_edge(near)[:, :3].all()
    assert not market.supported.at_edge(market.terms.reference_price).any()


def test_another_category_takes_no_part() -> None:
    market = shop(together=0.99)
    assert (distance(market, 0.25, -0.25, 0.0, 0.1)[:, 3] == 0).all()


@settings(max_examples=60, deadline=None)
@given(
    some.lists(some.floats(-1.0, 1.0), min_size=GOODS, max_size=GOODS), some.sampled_from([0.0, 0.7, 0.99])
)
def test_the_nearest_list_is_supported_and_a_supported_one_is_its_own(
    shift: list[float], together: float
) -> None:
    market = shop(together)
    price = market.terms.reference_price * torch.tensor(shift).exp()
    near = market.supported.price(price)
    assert (market.supported.distance(near) == 0).all()
    torch.testing.assert_close(market.supported.price(near), near, rtol=1e-4, atol=0)
    assert (near >= market.terms.price_low * (1 - 1e-5)).all()
    assert (near <= market.terms.price_high * (1 + 1e-5)).all()


@pytest.mark.parametrize("together", [0.0, 0.9])
def test_most_of_the_history_is_supported(together: float) -> None:
    rng = np.random.default_rng(1)
    common, own = rng.normal(size=(500, PLACES, 1)), rng.normal(size=(500, PLACES, GOODS))
    shift = torch.from_numpy(0.2 * (together * common + (1 - together**2) ** 0.5 * own)).float()
    market = shop(together)
    off = market.supported.distance(market.terms.reference_price * shift.exp())[..., :3] > 1e-3
    assert off.any(-1).float().mean() < 0.15


def test_a_price_that_never_moved_supports_no_other() -> None:
    shift = torch.randn(30, PLACES, GOODS) * 0.1
    shift[..., 0] = 0.0
    market = shop(0.0)
    units = market.terms.typical_demand
    lists = PriceLists.tried(shift, torch.ones_like(shift, dtype=torch.bool), CATEGORIES, units)
    low, high = market.terms.price_low.clone(), market.terms.price_high.clone()
    low[:, 0] = high[:, 0] = market.terms.reference_price[:, 0]
    market = replace(market, terms=replace(market.terms, price_low=low, price_high=high, lists=lists))
    assert (distance(market, 0.02, 0.0, 0.0, 0.0)[:, 0] > 0.01).all()
    assert torch.equal(
        market.supported.price(1.02 * market.terms.reference_price)[:, 0], market.terms.reference_price[:, 0]
    )


def test_what_is_not_sold_somewhere_says_nothing_of_a_list() -> None:
    rng = np.random.default_rng(0)
    shift = torch.from_numpy(0.1 * rng.normal(size=(WEEKS, PLACES, GOODS))).float()
    known = torch.ones_like(shift, dtype=torch.bool)
    known[:, 0, 1] = False
    market = make_market(PLACES, GOODS, categories=("a", "a", "a", "b"))
    units = market.terms.typical_demand.clone()
    units[0, 1] = 1e-6
    lists = PriceLists.tried(shift.where(known, torch.nan), known, CATEGORIES, units)
    market = replace(market, terms=replace(market.terms, lists=lists, typical_demand=units))
    assert all(bool(x.isfinite().all()) for x in vars(lists).values())
    off = distance(market, 0.0, 0.6, 0.0, 0.0)
    assert float(off[0].max()) < 1e-4
    assert (off[1:, 1] > 0.1).all()


def test_a_group_has_one_price() -> None:
    market = shop(0.9, groups=("x", "y", "x"))
    price = market.supported.price(market.terms.reference_price * torch.tensor([1.5, 0.7, 1.1, 1.0]))
    assert torch.equal(price[0], price[2])
    assert (market.supported.distance(price) == 0).all()


def test_a_sub_market_leaves_the_others_at_their_usual_prices() -> None:
    market = shop(0.0)
    items = list(market.items)
    part = market.select(items=[items[0], items[2]])
    assert part.terms.lists is not None
    assert part.terms.lists.precision.shape == (2, 2)
    price = part.terms.reference_price * torch.tensor([1.1, 0.9])
    assert (part.supported.distance(price) == 0).all()
