"""What a shop does not sell is neither zero nor seen: nothing is expected, sold or learned of it."""

from __future__ import annotations

from dataclasses import replace

import torch
from untrained import untrained_market

from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.tensors.noise import NoiseKey

PLACES, GOODS, WEEKS = 3, 4, 40


def selling(listed: torch.Tensor) -> Market:
    """The untrained market with an assortment ``listed`` (T + A, S, I)."""
    market = untrained_market(PLACES, GOODS, weeks=WEEKS)
    demand = market.demand
    assert isinstance(demand, LearnedDemand)
    history = demand.history
    known = listed[: history.periods]
    history = replace(history, known=known, listed=listed, units=history.units * known, demand=history.demand)
    return market.with_demand(LearnedDemand(demand.model, history))


def everything() -> torch.Tensor:
    market = untrained_market(PLACES, GOODS, weeks=WEEKS)
    assert isinstance(market.demand, LearnedDemand)
    return market.demand.history.listed.clone()


def trajectory(market: Market, periods: int = 12, start: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Demand and what was ordered (periods, B, S, I) of markets that always order up to 40."""
    simulator = Simulator(market, 2, periods, seed=3, evaluation=True)
    state = simulator.initial_state(torch.full((2,), start))
    demand, ordered = [], []
    for _ in range(periods):
        price = market.terms.reference_price.expand_as(state.on_hand)
        view = simulator.view(state)
        level = 4 * view.expected(price)
        state, outcome = simulator.step(
            state, Decision(price, (level - view.position()).round().clamp(min=0))
        )
        demand.append(outcome.demand)
        ordered.append(outcome.ordered)
    return torch.stack(demand), torch.stack(ordered)


def test_a_market_without_an_item_is_the_market_that_does_not_list_it() -> None:
    listed = everything()
    listed[:, :, 2] = False
    market = selling(listed)
    others = [name for i, name in enumerate(market.items) if i != 2]
    among, alone = trajectory(market)[0], trajectory(market.select(items=others))[0]
    kept = torch.tensor([0, 1, 3])
    assert torch.equal(among[..., kept], alone)
    assert float(among[..., 2].sum()) == 0


def test_nothing_is_ordered_or_sold_before_a_launch_and_after_an_end() -> None:
    listed = everything()
    listed[:26, 0, 0] = False  # launched in period 26
    listed[24:, 1, 1] = False  # ended before period 24
    listed[:, 2, 3] = False  # never sold there
    demand, ordered = trajectory(selling(listed))
    for place, item, on in ((0, 0, slice(6, 12)), (1, 1, slice(0, 4)), (2, 3, slice(0, 0))):
        off = torch.ones(12, dtype=torch.bool)
        off[on] = False
        assert float(demand[off][..., place, item].sum()) == 0
        assert float(ordered[off][..., place, item].sum()) == 0
        assert bool((demand[~off][..., place, item].sum(1) > 0).all())
    assert bool(demand.isfinite().all())


def test_the_price_of_what_is_not_sold_moves_nothing() -> None:
    listed = everything()
    listed[:, :, 1] = False
    market = selling(listed)
    demand = market.demand
    zero = torch.zeros(1, dtype=torch.int64)
    state = demand.reset(zero + 25, NoiseKey(0, zero, zero, zero))
    price = market.terms.reference_price.expand(1, -1, -1).clone()
    before = demand.expected(state, price)
    price[..., 1] *= 0.5
    assert torch.equal(demand.expected(state, price), before)


def test_after_the_calendar_ends_it_repeats_the_year() -> None:
    market = selling(everything())
    assert isinstance(market.demand, LearnedDemand)
    history = market.demand.history
    end = len(history.listed)
    index = history.calendar_index(torch.arange(end + 200))
    assert index.tolist()[:end] == list(range(end))
    assert index.tolist()[end : end + 52] == list(range(end - 52, end))
    assert torch.equal(index[end + 52 :], index[end:-52])
