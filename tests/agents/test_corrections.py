"""What a learner's number means for an order."""

from __future__ import annotations

import pytest
import torch
from shops import shop

from mercato.agents.baselines.orders import BaseStock, ConstantOrder
from mercato.agents.baselines.prices import LastPrice, StaticPrice
from mercato.agents.corrections import InUnits, OfLevel, OrderCorrection
from mercato.agents.policy import Pair, within
from mercato.agents.residual import Residual, ResidualGrid, from_spec, to_spec
from mercato.envs.economics import Economics
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator


def look(market: Market) -> View:
    simulator = Simulator(market, 3, 8, seed=0)
    return simulator.view(simulator.reset())


BASE = Pair("base", LastPrice(), ConstantOrder(1.0))


@pytest.mark.parametrize("orders", [OfLevel(0.5), InUnits(1.0)])
def test_no_correction_is_the_baseline(orders: OrderCorrection) -> None:
    base, view = Pair("base", LastPrice(), BaseStock(1.1)), look(shop([[-3.0]], locations=3))
    decision = Residual.of(base, 0.2, orders).to_decision(torch.zeros(3, 3, 2), view)
    assert torch.allclose(decision.order, base.decide(view).order)
    assert 0.0 in orders.lattice(view.market)


@pytest.mark.parametrize("together", [1, 7])
@pytest.mark.parametrize("orders", [OfLevel(0.5), InUnits(1.0)])
def test_a_policy_that_corrects_nothing_earns_to_the_last_digit_what_its_base_does(
    orders: OrderCorrection, together: int
) -> None:
    count = 21_000
    groups = tuple(f"group {k // together}" for k in range(count))
    market = shop([[-3.0]], locations=count, groups=groups)
    low, high = market.terms.price_low, market.terms.price_high
    share = torch.linspace(0, 1, count).unsqueeze(1)  # from one end of the range to the other
    prices = within(low * (high / low) ** share, market)
    base = Pair("base", StaticPrice(prices, market.locations, market.items), BaseStock(1.1))
    view = look(market)
    decision = Residual.of(base, 0.2, orders).to_decision(torch.zeros(3, count // together, 2), view)
    assert torch.equal(decision.price, base.decide(view).price)
    assert torch.equal(decision.order, base.decide(view).order)


def test_orders_in_units_are_all_orders_up_to_twice_the_usual_one() -> None:
    market = shop(None, base=5.0)
    view, orders = look(market), InUnits(1.0)
    grid = ResidualGrid(Residual.of(BASE, 0.0, orders), (0.0,), orders.lattice(market))
    every = torch.arange(len(grid.covers)).view(-1, 1)
    placed = torch.cat([grid.to_decision(one.expand(3, 1), view).order[0, 0] for one in every])
    assert placed.tolist() == pytest.approx(list(range(11)), abs=1e-4)


@pytest.mark.parametrize(("mean", "numbers"), [(0.3, 3), (2.6, 7), (5.0, 11), (400.0, 13)])
def test_a_lattice_has_a_step_a_unit_of_the_typical_series(mean: float, numbers: int) -> None:
    lattice = InUnits(1.0).lattice(shop(None, base=mean))
    assert len(lattice) == numbers
    assert (lattice[0], lattice[numbers // 2], lattice[-1]) == (-1.0, 0.0, 1.0)


def test_a_slow_mover_s_order_is_corrected_by_a_unit_and_never_below_none() -> None:
    view = look(shop(None, base=0.2))
    usual = BASE.decide(view).order
    for number, order in ((1.0, usual + 1.0), (-1.0, 0.0 * usual)):
        numbers = torch.tensor([0.0, number]).expand(3, 1, 2)
        decision = Residual.of(BASE, 0.0, InUnits(1.0)).to_decision(numbers, view)
        assert torch.allclose(decision.order, order)


def test_units_that_come_too_late_for_a_season_are_not_ordered() -> None:
    view = look(shop(None, economics=Economics(season=1, lead_time=1)))
    decision = Residual.of(BASE, 0.0, InUnits(1.0)).to_decision(torch.ones(3, 1, 2), view)
    assert decision.order.sum() == 0


@pytest.mark.parametrize("orders", [OfLevel(0.5), InUnits(1.5)])
def test_a_policy_s_file_says_what_its_numbers_mean(orders: OrderCorrection) -> None:
    grid = ResidualGrid(Residual.of(BASE, 0.2, orders))
    assert from_spec(to_spec(grid)) == grid
