"""Order rules and prices that look at the stock."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from shops import shop

from mercato.agents.baselines.fluid import FluidPrice, expected_sales
from mercato.agents.baselines.orders import (
    BaseStock,
    CanOrder,
    CappedBaseStock,
    ConstantOrder,
    ReorderPoint,
    WasteAware,
)
from mercato.agents.baselines.prices import CostPlus, Markdown
from mercato.agents.tuning import TuningSettings, tune_baselines
from mercato.envs.economics import Economics
from mercato.envs.engine.stock import fresh
from mercato.envs.engine.view import View, critical_ratio
from mercato.envs.market import Market
from mercato.envs.processes import Independent, Poisson
from mercato.envs.simulator import Simulator


def look(market: Market, on_hand: float) -> View:
    """One market at its start, with so many units in every series' stock."""
    simulator = Simulator(market, 1, 10, seed=0)
    units = torch.full(market.shape, on_hand)
    return simulator.view(simulator.initial_state(torch.tensor([5]), on_hand=units))


def at(view: View) -> torch.Tensor:
    return view.market.terms.reference_price.expand_as(view.state.on_hand)


def test_a_cap_binds_where_stock_is_short_and_not_where_it_is_long() -> None:
    market = shop(None, base=10.0, economics=Economics(lead_time=2))
    short, long = look(market, 0.0), look(market, 33.0)
    rule = CappedBaseStock(1.0, 1.5)
    assert float(rule.order(short, at(short))) == pytest.approx(15.0)
    assert float(rule.order(long, at(long))) == pytest.approx(float(BaseStock().order(long, at(long))))


def test_constant_orders_make_up_for_fractions() -> None:
    view = look(shop(None, base=3.0), 5.0)
    orders = [
        float(
            ConstantOrder(0.9).order(
                replace(view, state=replace(view.state, age=torch.tensor([age]))), at(view)
            )
        )
        for age in range(10)
    ]
    assert sum(orders) == 27.0
    assert set(orders) == {2.0, 3.0}


def test_a_reorder_point_waits_and_then_orders_a_batch() -> None:
    """S - s is the economic order quantity √(2·K·λ / h)."""
    economics = Economics(fixed_order_cost=8.0, holding_rate=0.1)
    market = shop(None, base=10.0, economics=economics)
    empty = look(market, 0.0)
    point = float(BaseStock().level(empty, at(empty)))
    full = look(market, point + 1.0)
    assert float(ReorderPoint().order(full, at(full))) == 0.0
    assert float(ReorderPoint().order(empty, at(empty))) == pytest.approx(point + 40.0, rel=1e-4)


def test_items_are_ordered_together_once_one_of_them_has_to_be() -> None:
    """Two items of 10 a week, holding 0.1: a shared cycle of √(2·16 / 2) = 4 weeks, 40 units of each."""
    economics = Economics(joint_order_cost=16.0, holding_rate=0.1)
    market = shop([[0.0, 0.0], [0.0, 0.0]], base=10.0, economics=economics)
    view = look(market, 0.0)
    point = float(BaseStock().level(view, at(view))[0, 0, 0])

    def ordered(first: float, second: float) -> list[float]:
        held = replace(view.state, on_hand=torch.tensor([[[point + first, point + second]]]))
        return CanOrder(share=0.5).order(View(market, held, view.outlook), at(view)).flatten().tolist()

    assert ordered(1.0, 1.0) == [0.0, 0.0]
    assert ordered(-1.0, 10.0) == pytest.approx([41.0, 30.0], rel=1e-4)
    assert ordered(-1.0, 21.0) == pytest.approx([41.0, 0.0], rel=1e-4)


def test_units_that_will_spoil_are_not_counted() -> None:
    keeps, spoils, dated = (
        shop(None, base=10.0, economics=Economics(lead_time=1, **more))
        for more in ({}, {"waste_rate": 0.5}, {"shelf_life": 1})
    )
    for market, lost in ((keeps, 0.0), (spoils, 2.5), (dated, 5.0)):
        view = look(market, 15.0)  # 5 are left after the period: none, half or all of them spoil
        more = WasteAware().order(view, at(view)) - BaseStock().order(view, at(view))
        assert float(more) == pytest.approx(lost)
    assert fresh(torch.ones(1, 1, 1), dated.economics).shape[1] == 1


def test_a_markdown_follows_the_cover() -> None:
    market = shop([[-3.0]], base=10.0)
    rule = Markdown(CostPlus(0.8), usual=3.0, depth=0.2)
    for on_hand, log_off in ((10.0, 0.0), (45.0, 0.1), (90.0, 0.2)):
        price = float(rule.price(look(market, on_hand)))
        assert price == pytest.approx(1.8 * float(torch.tensor(-log_off).exp()), rel=1e-4)


def test_the_fluid_price_sells_the_stock_by_the_end_of_the_season() -> None:
    """Demand 20·(p / 1.8)^-3 for 10 weeks: the price that just clears, but not below the salvage optimum."""
    economics = Economics(season=10, salvage_rate=0.5, unit_cost_share=1.0, decide="price")
    market = shop([[-3.0]], base=20.0, economics=economics)
    clearing = float(FluidPrice(40).price(look(market, 100.0)))
    assert clearing == pytest.approx(1.8 * 2 ** (1 / 3), rel=5e-3)
    plenty = float(FluidPrice(40).price(look(market, 50_000.0)))
    assert plenty == pytest.approx(0.9, rel=1e-3)  # 0.75 is below the supported range


def aged(market: Market, on_hand: float, age: int) -> View:
    view = look(market, on_hand)
    return View(market, replace(view.state, age=torch.tensor([age])), view.outlook)


def test_the_fluid_price_knows_how_demand_will_fall() -> None:
    """Means of 16, 8, 4 and 2 in turn: 30 units in all, of which 15 clear at twice demand's price."""
    market = shop([[-3.0]], economics=Economics(season=4, salvage_rate=0.5, decide="price"))
    reference, base = market.terms.reference_price, torch.tensor([16.0, 8.0, 4.0, 2.0])
    falling = Independent(
        Poisson(), base.view(-1, 1, 1), reference_price=reference, elasticity=torch.tensor([[-3.0]])
    )
    market = replace(market, demand=falling, dates=market.dates[:1], logged_price=None)
    simulator = Simulator(market, 1, 4, seed=0)
    view = simulator.view(simulator.initial_state(torch.tensor([0]), on_hand=torch.tensor([[15.0]])))
    assert float(FluidPrice(40).price(view)) == pytest.approx(1.8 * 2 ** (1 / 3), rel=5e-3)


def test_where_stock_is_filled_up_the_fluid_price_has_it_last_until_then() -> None:
    """Orders on their way for two weeks: 20 units last at twice demand's price; at the end no order comes."""
    economics = Economics(season=10, salvage_rate=0.0, lead_time=2, shortage_rate=0.0)
    market = shop([[-3.0]], base=20.0, economics=economics)
    assert float(FluidPrice(40).price(aged(market, 20.0, 0))) == pytest.approx(1.8 * 2 ** (1 / 3), rel=5e-3)
    assert float(FluidPrice(40).price(aged(market, 500.0, 0))) == pytest.approx(1.5, rel=1e-3)  # c·ε/(ε - 1)
    assert float(FluidPrice(40).price(aged(market, 500.0, 8))) == pytest.approx(
        0.9, rel=1e-3
    )  # worth nothing
    at_once = shop([[-3.0]], base=20.0, economics=Economics(season=10, lead_time=0))
    assert float(FluidPrice(40).price(aged(at_once, 0.0, 0))) == pytest.approx(1.5, rel=1e-3)


def test_the_fluid_price_clears_what_perishes_first() -> None:
    """Units of which those of today's date would cost their waste; an order for tomorrow can still come.

    The fresh can wait, so that only the old ones are cleared, at (p - v - thrown) with v the unit cost.
    """
    economics = Economics(lead_time=1, shelf_life=3, waste_cost_rate=0.2, decide="price", shortage_rate=0.0)
    market = shop([[-3.0]], base=20.0, economics=economics)
    view = look(market, 500.0)
    fresh_price = float(FluidPrice(40).price(view))
    assert fresh_price == pytest.approx(1.5, rel=1e-3)  # c·ε / (ε - 1): what is left is worth its cost
    expiring = replace(view.state, cohorts=view.state.cohorts.flip(1))
    assert float(FluidPrice(40).price(View(market, expiring, view.outlook))) == pytest.approx(0.9, rel=1e-3)


def test_normal_sales() -> None:
    """Of demand 5 ± 1 and a stock of 5, all but σ·φ(0) are sold; of certain demand the smaller of the two."""
    mean, stock = torch.tensor([5.0, 3.0, 8.0]), torch.tensor([5.0, 5.0, 5.0])
    sold = expected_sales(mean, torch.tensor([1.0, 0.0, 0.0]), stock)
    assert sold.tolist() == pytest.approx([5.0 - 0.39894, 3.0, 5.0], rel=1e-4)


def test_a_unit_left_that_cannot_be_sold_tomorrow_is_the_newsvendors() -> None:
    """Sold on one day only: (p + goodwill - c) / (p + goodwill - c + c + thrown) of demand is met."""
    economics = Economics(shelf_life=1, holding_rate=0.0, waste_cost_rate=0.2, shortage_rate=0.1)
    view = look(shop(None, base=10.0, economics=economics), 0.0)
    assert float(critical_ratio(view, at(view))[0, 0, 0]) == pytest.approx(0.98 / (0.98 + 1.2))


def test_nothing_is_ordered_that_comes_too_late() -> None:
    economics = Economics(season=10, salvage_rate=0.0, lead_time=2)
    market = shop(None, base=10.0, economics=economics)
    rules = [BaseStock(), CappedBaseStock(), ConstantOrder(), ReorderPoint(), WasteAware()]
    for rule in rules:
        ordered = [
            float(rule.order(view, at(view))) for view in (aged(market, 0.0, age) for age in range(10))
        ]
        assert all(ordered[:8])
        assert not any(ordered[8:])


def test_the_last_order_minds_what_the_end_of_the_season_takes() -> None:
    """Lead time 1 and an order every period: of 10, the one of period 8 is the last that can be sold."""

    def level(salvage_rate: float, age: int) -> float:
        economics = Economics(season=10, salvage_rate=salvage_rate, lead_time=1)
        view = aged(shop(None, base=10.0, economics=economics), 0.0, age)
        return float(BaseStock().level(view, at(view)))

    assert level(0.0, 7) == level(1.0, 7)
    assert level(0.0, 8) < level(1.0, 8)


def test_markets_of_different_ages_each_see_their_own_end() -> None:
    market = shop(None, base=10.0, economics=Economics(season=10, lead_time=4))
    simulator = Simulator(market, 3, 10, seed=0)
    state = replace(simulator.reset(), age=torch.tensor([0, 7, 9]))
    view = simulator.view(state)
    assert view.expected_until_arrival(at(view)).flatten().tolist() == [50.0, 30.0, 10.0]


def test_where_stock_perishes_and_a_season_ends_there_are_rules_for_both() -> None:
    economics = Economics(season=8, salvage_rate=0.2, shelf_life=3)
    market = shop([[-3.0]], base=10.0, economics=economics)
    names = {policy.name.split(", ")[0] for policy in tune_baselines(market, 0, TuningSettings(volume=400))}
    assert {"markdown", "fluid price"} < names
