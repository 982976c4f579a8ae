"""Perishable stock: against a shop played with a list of units, and what must hold whatever happens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from small_markets import make_market, random_state

from mercato.envs.economics import Economics
from mercato.envs.engine.spoilage import Spoilage
from mercato.envs.engine.step import step
from mercato.envs.engine.types import Decision
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError

CPU = torch.device("cpu")
PERIODS = 14


def counted(economics: Economics, orders: list[int], demand: list[int]) -> list[tuple[int, int, int]]:
    """Units sold, thrown away and held at the end of each period; the shelf is a list of last days."""
    shelf, due, told = [], {}, []
    waiting = 0
    for day, (order, wanted) in enumerate(zip(orders, demand, strict=True)):
        due[day + economics.lead_time] = order
        shelf += [day + economics.shelf_life - 1] * due.pop(day, 0)
        shelf.sort(reverse=economics.issuing == "lifo")
        served = min(waiting, len(shelf))
        shelf, waiting = shelf[served:], waiting - served
        sold = min(wanted, len(shelf))
        shelf = shelf[sold:]
        waiting += wanted - sold if economics.unmet == "backorder" else 0
        expired = sum(last == day for last in shelf)
        shelf = [last for last in shelf if last > day]
        told.append((sold, expired, len(shelf)))
    return told


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    lead_time=st.integers(0, 3),
    shelf_life=st.integers(1, 4),
    issuing=st.sampled_from(["fifo", "lifo"]),
    unmet=st.sampled_from(["lost", "backorder"]),
)
def test_cohorts_are_sold_and_expire_as_single_units_do(seed, lead_time, shelf_life, issuing, unmet) -> None:
    economics = Economics(lead_time=lead_time, shelf_life=shelf_life, issuing=issuing, unmet=unmet)
    market = make_market(1, 1, economics=economics)
    empty = torch.zeros(1, 1)
    state = Simulator(market, 1, PERIODS, seed=0).initial_state(torch.zeros(1).long(), on_hand=empty)
    rng = np.random.default_rng(seed)
    orders, demand = rng.integers(0, 9, (2, PERIODS)).tolist()
    told = []
    for order, wanted in zip(orders, demand, strict=True):
        one = torch.ones(1, 1, 1)
        before = state
        state, out = step(state, Decision(2 * one, order * one), wanted * one, market)
        held = before.on_hand + (order if lead_time == 0 else 0) - out.sales - out.wasted
        told.append((out.sales.item(), out.wasted.item(), held))
    expected = counted(economics, orders, demand)
    assert [row[:2] for row in told] == [row[:2] for row in expected]
    if unmet == "lost":
        assert [row[2].item() for row in told] == [row[2] for row in expected]


def test_a_unit_is_sold_in_as_many_periods_as_its_shelf_life() -> None:
    market = make_market(1, 1, economics=Economics(lead_time=1, shelf_life=3))
    start = torch.zeros(1, dtype=torch.int64)
    state = Simulator(market, 1, 9, seed=0).initial_state(start, on_hand=torch.full((1, 1), 5.0))
    nothing, held = torch.zeros(1, 1, 1), []
    for _ in range(4):
        held.append(state.on_hand.item())
        state, out = step(state, Decision(state.last_price, nothing), nothing, market)
    assert held == [5.0, 5.0, 5.0, 0.0]
    assert out.wasted.item() == 0


def test_freshest_first_wastes_more() -> None:
    """The same orders and customers: last in, first out leaves the old units to expire (Nahmias 1982)."""
    wasted = {}
    for issuing in ("fifo", "lifo"):
        economics = Economics(lead_time=1, shelf_life=3, issuing=issuing)
        simulator = Simulator(make_market(economics=economics), 8, 40, seed=1)
        state, gone = simulator.reset(), 0.0
        for _ in range(40):
            state, out = simulator.step(state, Decision(state.last_price, (22 - state.on_hand).clamp(min=0)))
            gone += out.wasted.sum().item()
        wasted[issuing] = gone
    assert wasted["lifo"] > 1.5 * wasted["fifo"] > 0


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 100, 256])
def test_spoilt_units_have_the_binomial_quantile(rate: float, count: int) -> None:
    uniform = (torch.arange(4096) + 0.5) / 4096
    spoilt = Spoilage(rate, CPU)(torch.full_like(uniform, count), uniform)
    expected = binom.ppf(uniform.double().numpy(), count, rate) if count else np.zeros(4096)
    assert np.array_equal(spoilt.numpy(), expected)


@pytest.mark.parametrize("rate", [0.001, 0.05, 0.6])
@pytest.mark.parametrize("count", [300, 2500, 40_000])
def test_of_many_units_the_quantile_is_within_one_and_keeps_its_mean(rate: float, count: int) -> None:
    uniform = (torch.arange(4096) + 0.5) / 4096
    spoilt = Spoilage(rate, CPU)(torch.full_like(uniform, count), uniform)
    assert np.abs(spoilt.numpy() - binom.ppf(uniform.double().numpy(), count, rate)).max() <= 1
    assert spoilt.mean().item() == pytest.approx(rate * count, abs=0.1)


@settings(max_examples=80, deadline=None)
@given(
    rate=st.floats(0.001, 1.0),
    uniform=st.floats(1e-7, 1 - 1e-7),
    least=st.integers(0, 3000),
    part=st.integers(1, 9),
)
def test_more_stock_never_spoils_less_nor_keeps_less(rate, uniform, least, part) -> None:
    units = least + torch.arange(400) / part
    spoilt = Spoilage(rate, CPU)(units, torch.full_like(units, uniform))
    for more in (spoilt.diff(), (units - spoilt).diff()):
        assert (more >= -1e-3).all()
    whole = units == units.round()
    assert torch.equal(spoilt[whole], spoilt[whole].round())


def test_weighed_stock_spoils_by_its_share_on_average() -> None:
    uniform = (torch.arange(4096) + 0.5) / 4096
    spoilt = Spoilage(0.2, CPU)(torch.full_like(uniform, 1.5), uniform)
    assert spoilt.mean().item() == pytest.approx(0.3, abs=1e-3)
    assert (spoilt <= 1.5).all()


def test_small_stock_spoils_at_its_rate_in_play_and_by_the_same_luck_under_any_policy() -> None:
    market = make_market(1, 1, economics=Economics(waste_rate=0.2, lead_time=0), mean=0.0)
    market = replace(market, terms=replace(market.terms, typical_demand=torch.ones(1, 1)))
    simulator = Simulator(market, 20_000, 4, seed=3)
    start = torch.zeros(20_000, dtype=torch.int64)
    two, five = (simulator.initial_state(start, on_hand=torch.full((1, 1), n)) for n in (2.0, 5.0))
    nothing = torch.zeros_like(two.on_hand)
    spoilt = [simulator.step(state, Decision(state.last_price, nothing))[1].wasted for state in (two, five)]
    assert spoilt[0].mean().item() == pytest.approx(0.4, abs=0.02)
    assert (spoilt[1] >= spoilt[0]).all()


def test_what_spoils_is_differentiable_in_stock() -> None:
    stock = torch.full((10_000,), 4.0, requires_grad=True)
    Spoilage(0.3, CPU)(stock, (torch.arange(10_000) + 0.5) / 10_000).sum().backward()
    assert stock.grad.mean().item() == pytest.approx(0.3, abs=1e-3)


def test_spoiling_stock_needs_luck_and_lifo_a_shelf_life() -> None:
    market = make_market(economics=Economics(waste_rate=0.1))
    state = random_state(market, 2, seed=0)
    with pytest.raises(InputError, match="luck"):
        step(state, Decision(state.last_price, state.on_hand), state.on_hand, market)
    with pytest.raises(InputError, match="shelf_life"):
        Economics(issuing="lifo")
