"""The true market of a shop and its web site: customers choose as its law says, and their log tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mercato.envs.structural import (
    FAMILIES,
    ROLES,
    Retailer,
    Size,
    Truth,
    events_file,
    receipts,
    truth_folder,
    write_history,
)
from mercato.envs.structural.channels import ChannelDemand, with_channels
from mercato.envs.structural.draw import draw_log_linear
from mercato.envs.structural.leaving import with_leaving
from mercato.envs.structural.reference import panel_frame
from mercato.forecasters.customers import learn_population
from mercato.forecasters.events import read_events
from mercato.forecasters.panel import read_panel
from mercato.forecasters.simulation import Period
from mercato.forecasters.tensors import NoiseKey

MARKETS = 1500


def drawn(locations: int = 3, places: int = 40, size: Size | None = None, seed: int = 2) -> ChannelDemand:
    plain = draw_log_linear(size or Size(locations, 3, 30), seed)
    return with_channels(with_leaving(plain, seed, places=places), seed)


@pytest.fixture(scope="module")
def demand() -> ChannelDemand:
    return drawn()


def key(markets: int, period: int = 0) -> NoiseKey:
    zeros = torch.zeros(markets, dtype=torch.int64)
    return NoiseKey(7, torch.arange(markets), zeros, zeros + period)


def opened(demand: ChannelDemand, markets: int = MARKETS):
    return demand.rows(torch.zeros(markets, dtype=torch.int64))


def test_a_customer_comes_to_one_location_of_a_pair_as_often_as_its_law_says(demand) -> None:
    minded = torch.zeros_like(opened(demand).minded)
    minded[:, 0] = 1.2
    state = replace(opened(demand), minded=minded)
    came, chosen = demand.visitors(state, key(MARKETS)), demand.chosen(state)
    assert not (came[:, 0] & came[:, 1]).any()
    torch.testing.assert_close(chosen[:, 0] + chosen[:, 1], torch.ones_like(chosen[:, 0]))
    assert (chosen[:, 2] == 1).all()
    there = state.present[:, :2] > 0
    expected = (chosen * demand.parameters.visit)[:, :2][there]
    assert abs(came[:, :2][there].double().mean() - expected.double().mean()) < 0.01
    usual = demand.chosen(opened(demand))
    torch.testing.assert_close(usual, demand.parameters.share.expand_as(usual))
    assert (chosen[:, 0] < usual[:, 0]).all()


def test_both_places_of_a_customer_are_one_customer(demand) -> None:
    state = opened(demand)
    price = demand.shop.reference_price.expand(MARKETS, -1, -1)
    wanted = torch.full_like(price, 10.0)
    for period in range(3):
        state = demand.advance(state, Period(price, wanted, 0.2 * wanted), key(MARKETS, period))
        assert torch.equal(state.present[:, 0], state.present[:, 1])
    assert (state.present[:, 0] < opened(demand).present[:, 0]).any()
    assert (state.present[:, 0] > opened(demand).present[:, 0]).any()


def test_what_an_empty_shop_loses_its_web_site_gains(demand) -> None:
    state = opened(demand)
    price = demand.shop.reference_price.expand(MARKETS, -1, -1)
    minded = torch.zeros_like(state.minded)
    minded[:, 0] = 3.0
    before, after = (demand.expected(s, price) for s in (state, replace(state, minded=minded)))
    assert (after[:, 0] < before[:, 0]).all()
    assert (after[:, 1] > before[:, 1]).all()
    torch.testing.assert_close(after[:, 2], before[:, 2])


def test_who_found_nothing_minds_it_until_he_comes_again(demand) -> None:
    state = opened(demand)
    price = demand.shop.reference_price.expand(MARKETS, -1, -1)
    wanted = torch.full_like(price, 10.0)
    came = demand.visitors(state, key(MARKETS))
    after = demand.advance(state, Period(price, wanted, 0.5 * wanted), key(MARKETS))
    stayed = came & (after.present > 0)
    assert after.minded[stayed].allclose(torch.tensor(0.5 * demand.parameters.switch_stock_out))
    assert (after.minded[~came] == 0).all()


def test_a_location_alone_keeps_its_customers(demand) -> None:
    part = demand.select([demand.locations[0]])
    state = part.rows(torch.zeros(1, dtype=torch.int64))
    torch.testing.assert_close(part.chosen(state)[0], demand.parameters.share[:1])


def test_its_log_names_customers_once_and_tells_what_moved_them(tmp_path: Path) -> None:
    size, seed = Size(2, 4, 100), 4
    market = drawn(places=500, size=size, seed=seed)
    truth = Truth(*write_history(market, Retailer(safety=0.62, stock_noise=0.5), size.weeks, seed))
    frame = receipts(truth, seed)
    assert (frame.groupby("customer")["channel"].nunique() == 2).mean() > 0.5
    assert set(frame.groupby("location")["channel"].first()) == {"shop", "web"}
    learned = learn_population(read_events(frame), read_panel(panel_frame(truth), roles=ROLES))
    assert learned.switching is not None
    told, law = learned.switching, market.parameters
    assert told.moved_by.assumed == ()
    assert abs(told.moved_by.dear - law.switch_dear) < 3 * told.errors["dear"]
    assert 0.4 * law.switch_stock_out < told.moved_by.stock_out < 1.1 * law.switch_stock_out
    left = truth.demand.realised.present[-1, 0].sum()
    assert learned.population.weight.sum() == pytest.approx(float(left), rel=0.15)


def test_table_truth_and_events_are_written_together(tmp_path: Path) -> None:
    out = FAMILIES["switching-customers"].write(tmp_path / "shop.parquet", 3, Size(2, 2, 12))
    events = read_events(events_file(out))
    assert events.channels == ("shop", "web")
    truth = Truth.load(truth_folder(out))
    told = pd.read_csv(truth_folder(out) / "switching.csv").set_index("name")["value"]
    assert told["dear"] == truth.demand.parameters.switch_dear
    pairs = pd.read_csv(truth_folder(out) / "channels.csv")
    assert list(pairs["other"]) == list(np.array(truth.demand.locations)[::-1])
