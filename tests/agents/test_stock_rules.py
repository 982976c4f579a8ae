"""Order rules and prices that look at the stock."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from shops import shop

from mercato.agents.baselines.fluid import FluidPrice
from mercato.agents.baselines.orders import (
    BaseStock,
    CappedBaseStock,
    ConstantOrder,
    ReorderPoint,
    WasteAware,
)
from mercato.agents.baselines.prices import CostPlus, Markdown
from mercato.agents.tuning import TuningSettings, tune_baselines
from mercato.envs.economics import Economics
from mercato.envs.engine.stock import fresh
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError


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


def test_units_that_will_spoil_are_not_counted() -> None:
    keeps, spoils, dated = (
        shop(None, base=10.0, economics=Economics(lead_time=1, **more))
        for more in ({}, {"waste_rate": 0.5}, {"shelf_life": 1})
    )
    for market, lost in ((keeps, 0.0), (spoils, 5.0), (dated, 10.0)):
        view = look(market, 20.0)  # 10 are left after the period: none, half or all of them spoil
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
    economics = Economics(season=10, salvage_rate=0.5, unit_cost_share=1.0)
    market = shop([[-3.0]], base=20.0, economics=economics)
    clearing = float(FluidPrice(40).price(look(market, 100.0)))
    assert clearing == pytest.approx(1.8 * 2 ** (1 / 3), rel=5e-3)
    plenty = float(FluidPrice(40).price(look(market, 50_000.0)))
    assert plenty == pytest.approx(0.9, rel=1e-3)  # 0.75 is below the supported range
    with pytest.raises(InputError, match="season"):
        FluidPrice().price(look(shop([[-3.0]]), 10.0))


def test_where_stock_perishes_and_a_season_ends_there_are_rules_for_both() -> None:
    economics = Economics(season=8, salvage_rate=0.2, shelf_life=3)
    market = shop([[-3.0]], base=10.0, economics=economics)
    names = {policy.name.split(", ")[0] for policy in tune_baselines(market, 0, TuningSettings(volume=400))}
    assert {"markdown", "fluid price"} < names
