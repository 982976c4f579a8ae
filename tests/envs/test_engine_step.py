"""The order of events, its accounts, and that no unit appears or vanishes."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_markets import make_market, random_state

from mercato.envs.economics import Economics
from mercato.envs.engine.step import cash_profit, step
from mercato.envs.engine.types import Decision, State
from mercato.envs.market import Market


def one_series(economics: Economics, **units: float) -> tuple[Market, State]:
    """One series of one shop with an empty pipeline; ``units`` names fields of the state."""
    market = make_market(1, 1, economics=economics)
    state = random_state(market, 1, seed=0)
    state = replace(
        state,
        pipeline=torch.zeros_like(state.pipeline),
        on_hand=torch.zeros(1, 1, 1),
        backorders=torch.zeros(1, 1, 1),
        last_price=torch.full((1, 1, 1), 2.0),
    )
    return market, replace(state, **{name: torch.full((1, 1, 1), value) for name, value in units.items()})


def play(market: Market, state: State, order: float, demand: float, price: float = 2.0):
    """One period of ``one_series``: the next state and the outcome as plain numbers."""
    decision = Decision(torch.full((1, 1, 1), price), torch.full((1, 1, 1), order))
    luck = torch.full((1, 1, 1, 1), 0.5)
    after, outcome = step(state, decision, torch.full((1, 1, 1), demand), market, luck)
    return after, {f.name: getattr(outcome, f.name).item() for f in fields(outcome)}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    lead_time=st.integers(0, 4),
    unmet=st.sampled_from(["lost", "backorder"]),
    waste_rate=st.sampled_from([0.0, 0.3, 1.0]),
    shelf_life=st.sampled_from([None, 1, 2, 4]),
    issuing=st.sampled_from(["fifo", "lifo"]),
)
def test_units_are_conserved(
    seed: int, lead_time: int, unmet: str, waste_rate: float, shelf_life: int | None, issuing: str
) -> None:
    economics = Economics(
        lead_time=lead_time,
        unmet=unmet,
        waste_rate=waste_rate,
        shelf_life=shelf_life,
        issuing=issuing if shelf_life else "fifo",
    )
    market = make_market(economics=economics)
    state = random_state(market, 5, seed)
    for period in range(4):
        rng = torch.Generator().manual_seed(seed + period)
        order, demand = torch.randint(0, 40, (2, 5, *market.shape), generator=rng).float()
        luck = torch.rand(5, shelf_life or 1, *market.shape, generator=rng)
        after, out = step(state, Decision(state.last_price, order), demand, market, luck)
        before_units = state.on_hand + state.pipeline.sum(1) + out.ordered
        gone = out.sales + out.served + out.wasted
        assert torch.equal(before_units, after.on_hand + after.pipeline.sum(1) + gone)
        assert torch.equal(out.demand, out.sales + out.lost + out.backordered)
        assert torch.equal(after.backorders, state.backorders + out.backordered - out.served)
        for units in (after.on_hand, after.cohorts, after.pipeline, after.backorders):
            assert (units >= 0).all()
        for units in (out.lost, out.wasted, out.served):
            assert (units >= 0).all()
        if shelf_life is not None:
            assert torch.equal(after.on_hand, after.cohorts.sum(1))
        assert not ((after.on_hand > 0) & (after.backorders > 0)).any(), "stock while customers wait"
        state = after


@pytest.mark.parametrize("lead_time", [1, 2, 4])
def test_an_order_arrives_at_the_start_of_the_period_its_lead_time_later(lead_time: int) -> None:
    market, state = one_series(Economics(lead_time=lead_time))
    stock = []
    for period in range(lead_time + 2):
        state, _ = play(market, state, order=7.0 if period == 0 else 0.0, demand=0.0)
        stock.append(state.on_hand.item())
    assert stock == [0.0] * (lead_time - 1) + [7.0] * 3


def test_without_a_lead_time_an_order_sells_the_same_period() -> None:
    market, state = one_series(Economics(lead_time=0), on_hand=1.0)
    after, out = play(market, state, order=5.0, demand=4.0)
    assert (out["sales"], out["lost"], after.on_hand.item()) == (4.0, 0.0, 2.0)


def test_arrivals_first_serve_those_who_wait() -> None:
    market, state = one_series(Economics(lead_time=1, unmet="backorder"), on_hand=2.0)
    state, out = play(market, state, order=4.0, demand=7.0)
    assert (out["sales"], out["backordered"], out["served"]) == (2.0, 5.0, 4.0)
    assert (state.on_hand.item(), state.backorders.item()) == (0.0, 1.0)
    state, out = play(market, state, order=10.0, demand=3.0)
    assert (out["sales"], out["backordered"], out["served"]) == (0.0, 3.0, 4.0)
    assert (state.on_hand.item(), state.backorders.item()) == (6.0, 0.0)


def test_costs_fall_on_ending_stock_as_the_economics_say() -> None:
    economics = Economics(
        lead_time=1,
        holding_rate=0.5,
        shortage_rate=3.0,
        fixed_order_cost=5.0,
        price_change_cost=0.25,
        waste_rate=0.5,
        waste_cost_rate=0.125,
    )
    market, state = one_series(economics, on_hand=10.0)  # reference price 2, unit cost 1
    after, out = play(market, state, order=4.0, demand=6.0, price=3.0)
    expected = {
        "revenue": 18.0,
        "purchase": 4.0,
        "ordering": 5.0,
        "holding": 2.0,  # 0.5 on the 4 left, before waste
        "shortage": 0.0,
        "price_change": 0.25,
        "wasted": 2.0,
        "waste": 0.25,
        "profit": 18 - 4 - 5 - 2 - 0.25 - 0.25,
        "ending_value": 6.0,  # 2 kept and 4 arrived
    }
    assert {name: out[name] for name in expected} == expected
    _, out = play(market, after, order=0.0, demand=8.0, price=3.0)
    assert (out["lost"], out["shortage"]) == (2.0, 12.0)
    assert (out["ordering"], out["price_change"], out["holding"]) == (0.0, 0.0, 0.0)


def test_a_backorder_is_paid_at_demand_and_charged_every_period_it_waits() -> None:
    market, state = one_series(Economics(lead_time=2, unmet="backorder", shortage_rate=0.5))
    state, out = play(market, state, order=0.0, demand=3.0)
    assert (out["revenue"], out["shortage"], out["ending_value"]) == (6.0, 3.0, -3.0)
    _, out = play(market, state, order=0.0, demand=0.0)
    assert (out["revenue"], out["shortage"]) == (0.0, 3.0)


def test_the_step_is_pure_and_differentiable_in_price() -> None:
    market = make_market(economics=Economics(lead_time=2))
    state = random_state(market, 3, seed=1)
    copies = {f.name: getattr(state, f.name).clone() for f in fields(state) if f.name != "demand"}
    price = state.last_price.clone().requires_grad_()
    order, demand = torch.full_like(price, 3.0), torch.full_like(price, 8.0)
    _, out = step(state, Decision(price, order), demand, market)
    out.profit.sum().backward()
    assert torch.equal(price.grad, out.sales)
    assert all(torch.equal(getattr(state, name), copy) for name, copy in copies.items())
    assert torch.equal(out.profit, cash_profit(out))
