"""Action maps: what a learner's numbers mean in prices and units."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_markets import make_market

from mercato.envs.economics import Economics
from mercato.envs.engine.actions import BoxActions, GridActions, RawActions
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator


def opening(market: Market, n_markets: int = 2) -> View:
    simulator = Simulator(market, n_markets, horizon=10, seed=0)
    return simulator.view(simulator.reset())


@pytest.fixture
def market() -> Market:
    """Reference price 2, supported from 1 to 4; mean 10 at reference, elasticity -2; nothing in stock."""
    return make_market(elasticity=-2 * torch.eye(3), economics=Economics(initial_cover=0))


@pytest.mark.parametrize(("action", "price"), [(-1.0, 1.0), (0.0, 2.0), (1.0, 4.0), (7.0, 4.0)])
def test_the_first_number_spans_the_supported_prices_in_logs(
    market: Market, action: float, price: float
) -> None:
    view = opening(market)
    numbers = torch.full((2, 6, 2), action)
    decision = BoxActions(market, max_cover=4).to_decision(numbers, view)
    assert decision.price.numpy() == pytest.approx(price, rel=1e-6)


@pytest.mark.parametrize(
    ("price", "cover", "order"), [(0.0, 0.0, 20), (1.0, 0.0, 5), (0.0, 1.0, 40), (0, -1, 0)]
)
def test_the_second_number_orders_up_to_periods_of_demand_at_that_price(
    market: Market, price: float, cover: float, order: int
) -> None:
    numbers = torch.tensor([price, cover]).expand(2, 6, 2)
    assert (BoxActions(market, max_cover=4).to_decision(numbers, opening(market)).order == order).all()


def test_stock_and_pipeline_count_against_the_order(market: Market) -> None:
    view = opening(market)
    stocked = replace(view.state, on_hand=torch.full_like(view.state.on_hand, 13.0))
    stocked = replace(stocked, pipeline=torch.full_like(stocked.pipeline, 4.0))
    decision = BoxActions(market, max_cover=4).to_decision(torch.zeros(2, 6, 2), replace(view, state=stocked))
    assert (decision.order == 3).all()


def test_a_unit_prices_its_group_and_stocks_each_location() -> None:
    market = make_market(
        3, 2, groups=("north", "south", "north"), mean=torch.tensor([[10.0], [10.0], [30.0]]),
        economics=Economics(initial_cover=0),
    )  # fmt: skip
    numbers = torch.rand((2, 4, 2), generator=torch.Generator().manual_seed(0)) * 2 - 1
    numbers[..., 1] = 0.0
    decision = BoxActions(market, max_cover=4).to_decision(numbers, opening(market))
    assert torch.equal(decision.price[:, 0], decision.price[:, 2])
    assert not torch.equal(decision.price[:, 0], decision.price[:, 1])
    assert decision.order[0, :, 0].tolist() == [20, 20, 60]


def test_unit_numbers_run_items_fastest() -> None:
    market = make_market(2, 3)
    numbers = torch.linspace(-1, 1, 6).view(1, 6, 1).expand(2, 6, 2)
    price = BoxActions(market).to_decision(numbers, opening(market)).price
    assert (price[0].flatten().diff() > 0).all()


def test_the_lattice_holds_the_corners_and_every_index_is_a_box_action(market: Market) -> None:
    view, grid = opening(market), GridActions(market, prices=5, covers=3, max_cover=4)
    assert grid.space.n == 15
    box = BoxActions(market, max_cover=4)
    for index, numbers in {
        0: (-1.0, -1.0),
        2: (-1.0, 1.0),
        7: (0.0, 0.0),
        12: (1.0, -1.0),
        14: (1.0, 1.0),
    }.items():
        chosen = grid.to_decision(torch.full((2, 6), index), view)
        same = box.to_decision(torch.tensor(numbers).expand(2, 6, 2), view)
        assert torch.equal(chosen.price, same.price)
        assert torch.equal(chosen.order, same.order)


def test_raw_actions_order_units(market: Market) -> None:
    numbers = torch.tensor([0.0, 0.5]).expand(2, 6, 2)
    decision = RawActions(market, max_units=100).to_decision(numbers, opening(market))
    assert (decision.order == 75).all()
    assert decision.price.numpy() == pytest.approx(2.0)
