"""Days of orders, limits, budgets and joint costs, whoever decides; and how often they bind."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_markets import make_market, random_state

from mercato.envs.economics import Economics, PriceRules
from mercato.envs.engine.guard_rails import guard_rails, lifted
from mercato.envs.engine.rules import binds, bound, enforce
from mercato.envs.engine.step import step
from mercato.envs.engine.types import Decision, State
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.envs.sub_markets import sub_markets


def wanting(state: State, order: float | torch.Tensor) -> Decision:
    return Decision(state.last_price, torch.zeros_like(state.on_hand) + order)


def test_orders_are_placed_on_days_of_orders_alone() -> None:
    simulator = Simulator(make_market(economics=Economics(order_every=3)), 2, 8, seed=0)
    state, ordered = simulator.reset(), []
    for _ in range(8):
        state, outcome = simulator.step(state, wanting(state, 5.0))
        ordered.append(outcome.ordered.unique().tolist())
    assert ordered == [[5.0], [0.0], [0.0]] * 2 + [[5.0], [0.0]]


def test_an_order_has_a_largest_size() -> None:
    market = make_market(economics=Economics(largest_order=0.7), mean=torch.tensor([0.5, 10.0, 7.0]))
    state = random_state(market, 2, seed=0)
    order = enforce(wanting(state, 50.0), state, market).order
    assert torch.equal(order, torch.tensor([1.0, 7.0, 5.0]).expand_as(order))


def rich(cost: torch.Tensor, budget: float) -> Market:
    market = make_market(2, 3, economics=Economics(order_budget=budget))
    return replace(market, terms=replace(market.terms, unit_cost=cost))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), budget=st.floats(0.5, 200.0))
def test_a_location_pays_no_more_than_its_budget_and_spends_it(seed: int, budget: float) -> None:
    rng = torch.Generator().manual_seed(seed)
    cost = 0.5 + 3 * torch.rand(2, 3, generator=rng)
    market = rich(cost, budget)
    state = random_state(market, 4, seed)
    wanted = torch.randint(0, 40, state.on_hand.shape, generator=rng).float()
    order = enforce(wanting(state, wanted), state, market).order
    spent, asked = (order * cost).sum(-1), (wanted * cost).sum(-1)
    assert torch.equal(order, order.round())
    assert ((order >= 0) & (order <= wanted)).all()
    assert (spent <= budget + 1e-2).all()
    assert torch.equal(order[asked <= budget], wanted[asked <= budget])
    left = (budget - spent)[asked > budget]
    assert (left <= cost.sum(-1).max()).all(), "what is left does not buy one of each"
    scaled = wanted * (budget / asked).clamp(max=1).unsqueeze(-1)
    assert ((order - scaled).abs() < 1 + 1e-3).all(), "in proportion, to a unit"


def test_many_small_orders_share_a_budget_instead_of_all_being_rounded_away() -> None:
    market = rich(torch.ones(2, 3), 2.0)
    state = random_state(market, 1, seed=0)
    order = enforce(wanting(state, torch.tensor([1.0, 1.0, 1.0])), state, market).order
    assert (order.sum(-1) == 2).all()


def test_a_joint_cost_is_paid_once_a_location_and_period() -> None:
    market = make_market(2, 3, economics=Economics(joint_order_cost=9.0, fixed_order_cost=1.0))
    state = random_state(market, 1, seed=0)
    order = torch.tensor([[[4.0, 0.0, 2.0], [0.0, 0.0, 0.0]]])
    _, outcome = step(state, Decision(state.last_price, order), torch.ones_like(order), market)
    assert outcome.ordering.tolist() == [[[5.5, 0.0, 5.5], [0.0, 0.0, 0.0]]]


def test_nothing_is_ordered_where_prices_alone_are_decided() -> None:
    economics = Economics(decide="price", initial_cover=3.0, season=6, salvage_rate=0.0)
    simulator = Simulator(make_market(economics=economics), 3, 6, seed=0)
    state = simulator.reset()
    opening, sold = state.on_hand, 0.0
    for _ in range(6):
        state, outcome = simulator.step(state, Decision(1.5 * state.last_price, 40 + 0 * state.on_hand))
        sold = sold + outcome.sales
        assert (outcome.ordered == 0).all()
    assert torch.equal(opening, sold + state.on_hand)


def test_prices_stay_at_the_reference_price_where_orders_alone_are_decided() -> None:
    market = make_market(economics=Economics(decide="order", price_change_cost=5.0))
    market = replace(market, logged_price=torch.full((60, *market.shape), 3.0))
    simulator = Simulator(market, 3, 4, seed=0)
    state = simulator.reset()
    for _ in range(4):
        state, outcome = simulator.step(state, Decision(1.5 * state.last_price, 9 + 0 * state.on_hand))
        assert (outcome.price == 2.0).all()
        assert (outcome.price_change == 0).all()
        assert (outcome.ordered == 9).all()


def test_what_binds_is_counted_in_the_order_of_the_rules() -> None:
    economics = Economics(
        capacity=3.0,
        largest_order=1.5,
        order_budget=30.0,
        price_rules={"largest_change": 0.1, "ceiling": 1.2},
    )
    market = make_market(1, 3, economics=economics)  # 10 units a period, reference price 2, unit cost 1
    state = random_state(market, 1, seed=0)
    state = replace(
        state,
        on_hand=torch.tensor([[[25.0, 0.0, 0.0]]]),
        pipeline=0 * state.pipeline,
        last_price=torch.full((1, 1, 3), 2.3),
    )
    decision = Decision(torch.tensor([[[2.2, 3.0, 2.3]]]), torch.tensor([[[20.0, 20.0, 13.0]]]))
    moved = bound(decision, state, market)
    assert moved["capacity"].tolist() == [[[-15.0, 0.0, 0.0]]]
    assert moved["largest order"].tolist() == [[[0.0, -5.0, 0.0]]]
    assert moved["order budget"].sum().item() == -3.0
    changes = torch.tensor([2.2 / 2.2, 2.53 / 3.0, 2.3 / 2.3]).log()
    assert torch.allclose(moved["largest change"], changes, atol=1e-5)
    assert torch.allclose(
        moved["ceiling"], torch.tensor([0.0, 2.4 / 2.53, 0.0]).log().nan_to_num(neginf=0), atol=1e-5
    )
    kept = enforce(decision, state, market)
    assert torch.allclose(kept.order, decision.order + sum(moved[name] for name in list(moved)[-3:]))
    assert bound(kept, state, market)["order budget"].abs().max() == 0


def test_a_rule_binds_where_it_moves_a_decision_or_the_price_lies_at_its_end() -> None:
    rules = {"floor": 0.7, "minimum_margin": 0.1, "largest_change": 0.5}
    market = make_market(1, 3, economics=Economics(capacity=1.0, price_rules=rules))
    state = random_state(market, 1, seed=0)
    state = replace(state, on_hand=0 * state.on_hand, pipeline=0 * state.pipeline)
    state = replace(state, backorders=0 * state.on_hand, last_price=torch.full((1, 1, 3), 2.0))
    wanted = Decision(torch.tensor([[[1.2, 1.4, 3.5]]]), torch.tensor([[[11.0, 10.0, 0.0]]]))
    held = binds(wanted, state, market)
    assert held["floor"].tolist() == [[[True, True, False]]]
    assert held["minimum margin"].sum() == 0  # 1 / 0.9 is below the floor of 1.4
    assert held["largest change"].tolist() == [[[False, False, True]]]
    assert held["capacity"].tolist() == [[[True, False, False]]]


def test_guard_rails_are_named_and_lifted_one_by_one() -> None:
    rules = {"floor": 0.7, "fairness": {"groups": {"all": ("location 1", "location 2")}}, "cadence": 2}
    economics = Economics(order_budget=5.0, order_every=2, decide="both", price_rules=rules)
    market = make_market(2, 1, economics=economics)
    rails = guard_rails(market.economics)
    assert rails == ("cadence", "floor", "fairness", "order budget")
    state = random_state(market, 1, seed=0)
    assert set(rails) < set(binds(wanting(state, 1.0), state, market))
    assert guard_rails(lifted(market, "floor", "order budget").economics) == ("cadence", "fairness")
    free = lifted(market, *rails).economics
    assert free.price_rules == PriceRules()
    assert (free.order_budget, free.order_every) == (None, 2)


def test_a_budget_keeps_a_location_s_items_together_in_a_large_market() -> None:
    economics = Economics(order_budget=5.0)
    parts = list(sub_markets(make_market(6, 4, economics=economics, categories=("a", "b", "c", "d")), most=6))
    assert {len(part.items) for part in parts} == {4}
    assert sum(len(part.locations) for part in parts) == 6


@pytest.mark.parametrize("cover", [[0.5, 3.0], [1.0, 1.0]])
def test_opening_stock_is_drawn_anew_each_episode(cover: list[float]) -> None:
    market = make_market(mean=100.0, economics=Economics(initial_cover=cover, shelf_life=3))
    simulator = Simulator(market, 400, 5, seed=0)
    state = simulator.reset()
    drawn = state.on_hand / 100
    assert drawn.min() >= cover[0] - 0.01
    assert drawn.max() <= cover[1] + 0.01
    assert drawn.mean().item() == pytest.approx(sum(cover) / 2, abs=0.05)
    assert torch.equal(state.cohorts[:, -1], state.on_hand)
    again = simulator.restart(state, torch.ones(400, dtype=torch.bool)).on_hand
    assert torch.equal(again, state.on_hand) == (cover[0] == cover[1])
    assert torch.equal(simulator.reset().on_hand, state.on_hand)
