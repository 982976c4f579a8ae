"""The simulator: whose noise it is, when episodes begin and end, and how they are accounted for."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from small_markets import make_market
from torch import Tensor

from mercato.envs.economics import Economics
from mercato.envs.engine.types import Decision, State
from mercato.envs.market import Market
from mercato.envs.processes import Replay
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError

HORIZON = 6


def play(simulator: Simulator, state: State, order: float = 10.0, price: float = 2.0) -> Tensor:
    """Demand (horizon, B, S, I) met under a fixed order and price."""
    met = []
    for _ in range(HORIZON):
        ones = torch.ones_like(state.on_hand)
        state, outcome = simulator.step(state, Decision(price * ones, order * ones))
        met.append(outcome.demand)
    return torch.stack(met)


@pytest.fixture
def market() -> Market:
    return make_market(economics=Economics(lead_time=2))


def test_the_same_seed_meets_the_same_customers_under_any_policy(market: Market) -> None:
    thrifty, lavish = (Simulator(market, 4, HORIZON, seed=7) for _ in range(2))
    a = play(thrifty, thrifty.reset(), order=0, price=4.0)
    b = play(lavish, lavish.reset(), order=50, price=1.0)
    assert torch.equal(a, b)
    other = Simulator(market, 4, HORIZON, seed=8)
    assert not torch.equal(a, play(other, other.reset()))


def test_an_evaluation_episode_is_the_same_at_any_batch_size(market: Market) -> None:
    whole = Simulator(market, 6, HORIZON, seed=1, evaluation=True)
    half = Simulator(market, 3, HORIZON, seed=1, evaluation=True)
    first = half.reset()
    second = half.restart(first, torch.ones(3, dtype=torch.bool))
    named = half.reset(torch.tensor([3, 4, 5]))
    everything = play(whole, whole.reset())
    assert torch.equal(everything[:, :3], play(half, first))
    assert torch.equal(everything[:, 3:], play(half, second))
    assert torch.equal(everything[:, 3:], play(half, named))


@pytest.mark.parametrize("evaluation", [False, True])
def test_no_episode_is_played_twice(market: Market, evaluation: bool) -> None:
    simulator = Simulator(market, 3, HORIZON, seed=1, evaluation=evaluation)
    state, everyone = simulator.reset(), torch.ones(3, dtype=torch.bool)
    seen = set()
    for _ in range(5):
        demand = play(simulator, state)
        seen |= {tuple(demand[:, b].flatten().tolist()) for b in range(3)}
        state = simulator.restart(state, everyone)
    assert len(seen) == 15


def test_single_markets_restart_while_the_others_play_on(market: Market) -> None:
    simulator = Simulator(market, 3, HORIZON, seed=2)
    state = simulator.reset()
    for _ in range(2):
        state, _ = simulator.step(state, Decision(state.last_price, torch.full_like(state.on_hand, 9.0)))
    restarted = simulator.restart(state, torch.tensor([False, True, False]))
    fresh = simulator.reset(torch.tensor([1, 1, 1]))
    assert restarted.age.tolist() == [2, 0, 2]
    assert restarted.episode.tolist() == [0, 1, 0]
    for name in (f.name for f in fields(State) if f.name != "demand"):
        now, before, new = (getattr(s, name) for s in (restarted, state, fresh))
        assert torch.equal(now[[0, 2]], before[[0, 2]])
        assert torch.equal(now[1], new[1])
    assert torch.equal(
        restarted.demand.index,
        torch.stack([state.demand.index[0], fresh.demand.index[1], state.demand.index[2]]),
    )


def test_markets_restarted_apart_play_the_episodes_they_would_have_played_together(market: Market) -> None:
    together, apart = Simulator(market, 2, HORIZON, seed=3), Simulator(market, 2, HORIZON, seed=3)
    second = play(together, together.restart(together.reset(), torch.tensor([True, True])))
    state = apart.restart(apart.reset(), torch.tensor([True, False]))
    assert torch.equal(play(apart, state)[:, 0], second[:, 0])


@pytest.mark.parametrize("unmet", ["lost", "backorder"])
def test_an_episode_is_charged_its_opening_stock_and_credited_its_closing_stock(unmet: str) -> None:
    market = make_market(economics=Economics(lead_time=2, unmet=unmet, initial_cover=3))
    simulator = Simulator(market, 4, HORIZON, seed=5)
    state = simulator.reset()
    opening = market.terms.unit_cost * state.on_hand
    for period in range(HORIZON):
        assert not simulator.done(state).any()
        state, out = simulator.step(state, Decision(state.last_price, torch.full_like(state.on_hand, 9.0)))
        cash = (
            out.revenue
            - out.purchase
            - out.ordering
            - out.holding
            - out.shortage
            - out.price_change
            - out.waste
        )
        cash -= opening if period == 0 else 0
        if period == HORIZON - 1:
            cash += market.terms.unit_cost * (state.on_hand + state.pipeline.sum(1) - state.backorders)
        assert torch.allclose(out.profit, cash, atol=1e-4)
    assert simulator.done(state).all()


def test_doing_nothing_with_a_full_shop_costs_only_what_stock_costs_to_hold() -> None:
    """Whatever is held is worth its cost at the end: buying and keeping is no profit and no loss."""
    market = make_market(1, 1, mean=0.0, economics=Economics(lead_time=1, holding_rate=0))
    simulator = Simulator(market, 1, HORIZON, seed=0)
    state, profit = simulator.reset(), 0.0
    for _ in range(HORIZON):
        state, out = simulator.step(state, Decision(state.last_price, torch.full_like(state.on_hand, 8.0)))
        profit += out.profit.sum().item()
    assert profit == pytest.approx(0)


def test_starts_are_drawn_from_the_calendar_and_carried_by_the_episode() -> None:
    market = replace(make_market(weeks=30), first_start=10)
    starts = Simulator(market, 2000, 8, seed=0).reset().start
    assert set(starts.tolist()) == set(range(10, 23))
    again = Simulator(market, 500, 8, seed=0).reset().start
    assert torch.equal(again, starts[:500])


def test_the_calendar_index_runs_with_the_episode() -> None:
    market = make_market(1, 1, weeks=20)
    record = Replay(torch.arange(20.0).view(20, 1, 1), market.locations, market.items)
    simulator = Simulator(market.with_demand(record), 5, HORIZON, seed=0)
    state = simulator.reset()
    demand = play(simulator, state)[:, :, 0, 0]
    assert torch.equal(demand, state.start + torch.arange(float(HORIZON)).unsqueeze(1))


def test_a_given_stock_is_where_play_begins(market: Market) -> None:
    simulator = Simulator(market, 4, HORIZON, seed=0)
    held = torch.arange(6.0).view(2, 3)
    coming = torch.stack([held + 10, torch.zeros(2, 3)])
    start = torch.full((4,), market.demand.periods)
    state = simulator.initial_state(start, on_hand=held, pipeline=coming, last_price=torch.full((2, 3), 3.0))
    assert torch.equal(state.on_hand, held.expand(4, 2, 3))
    assert (state.last_price == 3).all()
    view = simulator.view(state)
    assert torch.equal(view.position(), (2 * held + 10).expand(4, 2, 3))
    after, _ = simulator.step(state, Decision(state.last_price, torch.zeros(4, 2, 3)))
    assert (after.on_hand >= coming[0]).all()


def test_an_opening_shop_holds_its_cover_at_its_last_logged_price() -> None:
    market = make_market(mean=10.0, economics=Economics(initial_cover=2.5))
    logged = torch.arange(1.0, 61.0).view(60, 1, 1).expand(60, *market.shape)
    simulator = Simulator(replace(market, logged_price=logged), 50, HORIZON, seed=0)
    state = simulator.reset()
    assert (state.on_hand == 25).all()
    before = (state.start - 1).clamp(min=0)
    assert torch.equal(state.last_price, logged[before])
    assert (Simulator(market, 2, HORIZON, seed=0).reset().last_price == 2.0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 5, 0), "at least one market"),
        ((2, 0, 0), "at least one market"),
        ((2, 5, -1), "seed"),
        ((2, 5, 2**60), "seed"),
    ],
)
def test_impossible_simulations_are_refused(
    market: Market, arguments: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Simulator(market, *arguments)


@pytest.mark.parametrize("what", ["price", "order"])
def test_what_is_no_number_is_named_by_period_location_and_item(what: str) -> None:
    simulator = Simulator(make_market(2, 2), 2, 5, seed=0)
    state = simulator.reset()
    fine = torch.ones_like(state.on_hand)
    state, _ = simulator.step(state, Decision(fine, fine))
    bad = fine.clone()
    bad[1, 0, 1] = torch.nan
    decision = Decision(bad, fine) if what == "price" else Decision(fine, bad)
    with pytest.raises(InputError, match=rf"{what}: .* period 2 of the episode, location \S+.*, item \S+"):
        simulator.step(state, decision)
