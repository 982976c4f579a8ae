"""The true market of individuals: they leave as its law says, and their log is written beside the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from mercato.envs.structural import FAMILIES, Size, Truth, events_file, truth_folder
from mercato.envs.structural.draw import draw_log_linear
from mercato.envs.structural.leaving import LeavingDemand, with_leaving
from mercato.forecasters.events import read_events
from mercato.forecasters.simulation import Period
from mercato.forecasters.tensors import NoiseKey

MARKETS, PERIODS = 1500, 4


@pytest.fixture(scope="module")
def demand() -> LeavingDemand:
    return with_leaving(draw_log_linear(Size(2, 3, 30), 2), 2, places=40)


def key(markets: int, period: int = 0) -> NoiseKey:
    zeros = torch.zeros(markets, dtype=torch.int64)
    return NoiseKey(7, torch.arange(markets), zeros, zeros + period)


def opened(demand: LeavingDemand, markets: int = MARKETS):
    return demand.rows(torch.zeros(markets, dtype=torch.int64))


@pytest.mark.parametrize(("served", "multiple"), [(1.0, 1.0), (0.4, 1.0), (0.8, 1.2)])
def test_visitors_leave_as_often_as_the_law_says(demand, served: float, multiple: float) -> None:
    state = opened(demand)
    price = (multiple * demand.shop.reference_price).expand(MARKETS, -1, -1)
    wanted = torch.full_like(price, 10.0)
    came = demand.visitors(state, key(MARKETS))
    after = demand.advance(state, Period(price, wanted, served * wanted), key(MARKETS))
    left = (came & (after.present == 0)).sum() / came.sum()
    law = demand.parameters
    met = law.leaving + law.stock_out * (1 - served) + law.dear * torch.tensor(multiple).log()
    chance = met.sigmoid()
    assert abs(left - chance) < 4 * (chance * (1 - chance) / came.sum()).sqrt()
    assert (came <= (state.present > 0)).all()
    stayed_away = (state.present > 0) & ~came
    assert (after.present[stayed_away] == 1).all()


def test_places_are_taken_again(demand) -> None:
    state = replace(opened(demand), present=torch.zeros(MARKETS, 2, 40))
    price = demand.shop.reference_price.expand(MARKETS, -1, -1)
    after = demand.advance(state, Period(price, price, price), key(MARKETS))
    share, chance = after.present.mean(), demand.parameters.arrival
    assert abs(share - chance) < 4 * (chance / after.present.numel()) ** 0.5


def test_it_expects_of_later_weeks_what_they_bring_on_average(demand) -> None:
    for factor in (1.0, 0.8):
        price = (factor * demand.shop.reference_price).expand(MARKETS, -1, -1)
        told = demand.later(opened(demand, 1), price[:1], PERIODS)[0]
        state, total = opened(demand), torch.zeros_like(told)
        for period in range(PERIODS):
            total = total + demand.expected(state, price).mean(0)
            units = demand.sample(state, price, key(MARKETS, period))
            state = demand.advance(state, Period(price, units, units), key(MARKETS, period))
        torch.testing.assert_close(told, total, rtol=0.04, atol=0.0)


def test_demand_is_that_of_those_who_are_there(demand) -> None:
    state = opened(demand, 1)
    price = demand.shop.reference_price.unsqueeze(0)
    fewer = replace(state, present=state.present * (torch.arange(40) < 20))
    taste = demand.parameters.taste
    bought = (torch.einsum("bsc,sci->bsi", one.present, taste) for one in (fewer, state))
    torch.testing.assert_close(
        demand.expected(fewer, price) / demand.expected(state, price), next(bought) / next(bought)
    )
    usual = torch.einsum("sc,sci->si", demand.parameters.usual, taste)
    torch.testing.assert_close(usual, demand.level().exp())


def test_table_truth_and_events_are_written_together(tmp_path: Path) -> None:
    out = FAMILIES["leaving-customers"].write(tmp_path / "shop.parquet", 3, Size(2, 2, 12))
    events, panel = read_events(events_file(out)), pd.read_parquet(out)
    buys = events.of("buy")
    assert buys.units.sum() == pytest.approx(panel["units"].sum())
    assert not len(set(events.items) ^ set(panel["item"]))
    truth = Truth.load(truth_folder(out))
    told = truth.tables()["leaving"].set_index("name")["value"]
    assert told["stock_out"] == truth.demand.parameters.stock_out
    assert (truth_folder(out) / "leaving.csv").is_file()
