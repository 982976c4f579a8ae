"""Price rules and capacity: what every policy's decision obeys."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_markets import make_market, random_state
from torch import Tensor

from mercato.envs.economics import Economics, Fairness, PriceRules
from mercato.envs.engine.rules import enforce, limits
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.forecasters.errors import InputError


def priced(market: Market, wanted: Tensor | float, last: Tensor | float, since: int = 100) -> Tensor:
    """Prices (B, S, I) that the rules make of ``wanted`` after ``last``."""
    state = random_state(market, 4, seed=0)
    state = replace(
        state,
        last_price=torch.as_tensor(last).expand_as(state.last_price),
        since_change=torch.full_like(state.since_change, since),
    )
    wanted = torch.as_tensor(wanted).expand_as(state.last_price)
    return enforce(Decision(wanted, torch.zeros_like(wanted)), state, market).price


def with_rules(rules: PriceRules, **shop) -> Market:
    return make_market(economics=Economics(price_rules=rules), **shop)  # reference price 2, unit cost 1


@pytest.mark.parametrize(
    ("rules", "wanted", "last", "price"),
    [
        (PriceRules(), 1.234, 2.0, 1.234),
        (PriceRules(floor=0.9), 1.0, 2.0, 1.8),
        (PriceRules(ceiling=1.1), 3.0, 2.0, 2.2),
        (PriceRules(minimum_margin=0.6), 1.0, 2.0, 2.5),
        (PriceRules(minimum_margin=0.6, ceiling=1.1), 1.0, 2.0, 2.5),  # margin before ceiling
        (PriceRules(largest_change=0.1), 3.0, 2.0, 2.2),
        (PriceRules(largest_change=0.1), 1.0, 2.0, 1.8),
        (PriceRules(largest_change=0.1, floor=0.9), 3.0, 1.0, 1.8),  # the floor before the largest change
        (PriceRules(ending=0.99), 2.3, 2.0, 1.99),
        (PriceRules(ending=0.99), 2.6, 2.0, 2.99),
        (PriceRules(ending=0.99, ceiling=1.2), 2.6, 2.0, 1.99),  # the rung above is too high
        (PriceRules(ending=0.99, largest_change=0.1), 3.0, 1.99, 1.99),  # no other rung within reach
        (PriceRules(ending=0.5, largest_change=0.1, floor=0.9), 2.1, 1.0, 1.8),  # no rung: the limits alone
    ],
)
def test_a_price_becomes_the_nearest_allowed(
    rules: PriceRules, wanted: float, last: float, price: float
) -> None:
    assert priced(with_rules(rules), wanted, last).numpy() == pytest.approx(price, rel=1e-6)


def test_a_price_stays_until_its_cadence_is_over() -> None:
    market = with_rules(PriceRules(cadence=3))
    assert (priced(market, 1.5, 2.0, since=2) == 2.0).all()
    assert (priced(market, 1.5, 2.0, since=3) == 1.5).all()


def test_a_price_group_shares_one_price() -> None:
    market = with_rules(PriceRules(largest_change=0.2), places=3, groups=("a", "b", "a"))
    wanted = 1.5 + torch.rand((4, *market.shape), generator=torch.Generator().manual_seed(0))
    price = priced(market, wanted, 2.0)
    assert torch.equal(price[:, 0], price[:, 2])
    assert not torch.equal(price[:, 0], price[:, 1])


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    ending=st.sampled_from([None, 0.99, 0.5]),
    change=st.sampled_from([None, 0.05, 0.5]),
    cadence=st.integers(1, 5),
    margin=st.sampled_from([None, 0.2, 0.6]),
    floor=st.sampled_from([None, 0.6]),
    ceiling=st.sampled_from([None, 1.3]),
)
def test_rules_hold_for_any_price(seed, ending, change, cadence, margin, floor, ceiling) -> None:
    rules = PriceRules(
        ending=ending,
        largest_change=change,
        cadence=cadence,
        minimum_margin=margin,
        floor=floor,
        ceiling=ceiling,
    )
    market = with_rules(rules)
    state = random_state(market, 4, seed)
    wanted = 8 * torch.rand(state.last_price.shape, generator=torch.Generator().manual_seed(seed))
    decided = enforce(Decision(wanted, torch.zeros_like(wanted)), state, market)
    low, high = limits(market)
    price, last, close = decided.price, state.last_price, 1e-5
    assert ((price >= low - close) & (price <= high + close)).all()
    stayed = (price - last.clamp(low, high)).abs() < close
    if change is not None:
        assert (stayed | ((price / last - 1).abs() <= change + close)).all()
    if ending is not None:
        off = price - ending
        assert (stayed | ((off - off.round()).abs() < 1e-4)).all()
    assert (stayed | (state.since_change >= cadence)).all()
    again = enforce(decided, state, market)
    assert torch.allclose(again.price, price), "an allowed price is left alone"


def test_orders_are_whole_units_within_the_capacity() -> None:
    market = make_market(economics=Economics(capacity=3.0, lead_time=2))  # 3 periods of 10 units
    state = random_state(market, 8, seed=4)
    wanted = 60 * torch.rand(state.on_hand.shape, generator=torch.Generator().manual_seed(1)) - 10
    order = enforce(Decision(state.last_price, wanted), state, market).order
    position = state.on_hand + state.pipeline.sum(1)
    assert torch.equal(order, order.round())
    assert (order >= 0).all()
    assert ((position + order <= 30) | (order == 0)).all()
    assert torch.equal(order, wanted.round().clamp(min=0).minimum((30 - position).clamp(min=0)))


FAIR = {"groups": {"north": ["location 1", "location 2"]}}


@pytest.mark.parametrize("ending", [None, 0.99, 0.5])
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    spread=st.sampled_from([0.0, 0.05, 0.4]),
    change=st.sampled_from([None, 0.1]),
    cadence=st.integers(1, 3),
)
def test_prices_of_an_item_stay_fair_among_locations_that_are_compared(
    ending, seed, spread, change, cadence
) -> None:
    fairness = Fairness(**FAIR, largest_spread=spread)
    market = make_market(
        4,
        2,
        groups=("a", "b", "c", "c"),
        economics=Economics(
            price_rules=PriceRules(fairness=fairness, ending=ending, largest_change=change, cadence=cadence)
        ),
        price=6.0,
    )
    state = random_state(market, 5, seed)
    fair = 5.0 + (ending or 0.0)
    state = replace(state, last_price=torch.full_like(state.last_price, fair))
    rng = torch.Generator().manual_seed(seed)
    for _ in range(4):
        wanted = 3 + 6 * torch.rand(state.last_price.shape, generator=rng)
        decided = enforce(Decision(wanted, torch.zeros_like(wanted)), state, market)
        north = decided.price[:, :2]
        assert (north.amax(1) <= north.amin(1) * (1 + spread) + 1e-4).all()
        if ending is not None:
            assert ((decided.price - ending).round() + ending - decided.price).abs().max() < 1e-4
        again = enforce(decided, state, market)
        assert torch.allclose(again.price, decided.price, atol=1e-4), "a fair price is left alone"
        moved = (decided.price - state.last_price).abs() > 1e-4
        since = torch.where(moved, 1, state.since_change + 1)
        state = replace(state, last_price=decided.price, since_change=since)


def test_fair_prices_meet_in_the_middle_and_others_stay_free() -> None:
    market = make_market(3, 1, economics=Economics(price_rules={"fairness": FAIR}))
    state = random_state(market, 1, seed=0)
    wanted = torch.tensor([[[1.0], [4.0], [9.0]]])
    price = enforce(Decision(wanted, torch.zeros_like(wanted)), state, market).price
    assert price.flatten().tolist() == pytest.approx([2.0, 2.0, 9.0])


def test_fairness_yields_to_limits_and_is_kept_within_them_where_it_can() -> None:
    rules = PriceRules(fairness=Fairness(**FAIR, largest_spread=0.1), minimum_margin=0.5)
    market = make_market(2, 1, economics=Economics(price_rules=rules))
    market = replace(market, terms=replace(market.terms, unit_cost=torch.tensor([[1.0], [1.5]])))
    state = random_state(market, 1, seed=0)
    wanted = torch.tensor([[[2.0], [2.0]]])
    price = enforce(Decision(wanted, torch.zeros_like(wanted)), state, market).price
    assert price.flatten().tolist() == pytest.approx([3 / 1.1, 3.0])


def test_a_strange_location_in_a_fairness_group_is_refused_and_a_sub_market_keeps_its_own() -> None:
    rules = PriceRules(fairness=FAIR)
    with pytest.raises(InputError, match=r"north.*location 2"):
        make_market(1, 1, economics=Economics(price_rules=rules))
    whole = make_market(3, 1, economics=Economics(price_rules=rules))
    assert whole.select(["location 3"]).economics.price_rules.fairness is None
    assert whole.select(["location 1", "location 2"]).economics == whole.economics
    with pytest.raises(InputError, match="one group"):
        Fairness(groups={"a": ["x", "y"], "b": ["y", "z"]})
