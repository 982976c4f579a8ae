"""From an event log to a population: customers counted, tastes and segments told apart, kept on disk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mercato.envs.structural import ROLES, Retailer, Size, Truth, receipts, write_history
from mercato.envs.structural.draw import draw_log_linear
from mercato.envs.structural.leaving import with_leaving
from mercato.envs.structural.reference import panel_frame
from mercato.forecasters.customers import learn_population, load_population, save_population
from mercato.forecasters.customers.histories import Histories
from mercato.forecasters.customers.sensitivity import price_deviations
from mercato.forecasters.customers.tastes import Tastes
from mercato.forecasters.errors import InputError
from mercato.forecasters.events import read_events
from mercato.forecasters.panel import read_panel


@pytest.fixture(scope="module")
def log():
    seed, size = 3, Size(3, 4, 80)
    market = with_leaving(draw_log_linear(size, seed), seed, places=300)
    truth = Truth(*write_history(market, Retailer(safety=0.62, stock_noise=0.5), size.weeks, seed))
    return truth, read_panel(panel_frame(truth), roles=ROLES), receipts(truth, seed)


@pytest.fixture(scope="module")
def learned(log):
    _, panel, frame = log
    return learn_population(read_events(frame), panel, particles=600)


def test_the_log_is_what_was_sold(log) -> None:
    truth, _, frame = log
    buys = frame[frame["event"] == "buy"]
    assert buys["units"].sum() == pytest.approx(float(truth.history.sales.sum()))
    visits = frame[frame["event"] == "visit"]
    assert set(buys["customer"]) <= set(visits["customer"])
    there = truth.demand.realised.present
    assert there.unique().tolist() == [0, 1]
    arrived = (there[1:] > there[:-1]).sum() + there[0].sum()
    assert 0.8 * float(arrived) < visits["customer"].nunique() <= float(arrived)


def test_as_many_customers_are_left_as_there_are(log, learned) -> None:
    truth, _, _ = log
    left = truth.demand.realised.present[-1].sum(-1)
    found = learned.population.weight.sum((1, 2))
    assert ((found / left - 1).abs() < 0.15).all()


def test_what_they_buy_is_what_is_sold(log, learned) -> None:
    truth, _, _ = log
    people = learned.population
    bought = (people.weight.unsqueeze(-1) * people.taste).sum((1, 2))
    usual = truth.history.sales.mean(0)
    assert ((bought / usual).log().abs() < 0.35).all()
    assert (people.basket > 0).all()
    torch.testing.assert_close(people.taste.sum(-1)[people.weight > 0], people.basket[people.weight > 0])


def test_nobody_minds_prices_more_where_nobody_does(learned) -> None:
    people = learned.population
    assert people.price.abs().max() < 0.4
    bought = (people.weight.unsqueeze(-1) * people.taste).sum(2)
    assert ((people.price * bought).sum(1) / bought.sum(1)).abs().max() < 1e-5


def test_what_nobody_known_buys_is_told_from_what_known_customers_do(log, learned) -> None:
    _, panel, frame = log
    assert learned.population.known.min() > 0.9
    half = frame.assign(customer=frame["customer"].where(frame["customer"].str[-3] != "1", ""))
    some = learn_population(read_events(half).identified, panel, particles=600).population.known
    assert 0.05 < float((learned.population.known - some).mean()) < 0.5
    assert ((some >= 0) & (some <= 1)).all()


def test_there_are_no_more_particles_than_a_segment_has_customers(log, learned) -> None:
    _, panel, frame = log
    many = learn_population(read_events(frame), panel, particles=10**6).population
    assert (many.weight[..., -1] > 0).any(), "the largest segment of a location fills its rows"


def test_the_draw_of_particles_keeps_what_is_bought(log, learned) -> None:
    _, panel, frame = log
    few = learn_population(read_events(frame), panel, particles=120).population
    many = learned.population
    bought = [(p.weight.unsqueeze(-1) * p.taste).sum((1, 2)) for p in (few, many)]
    assert (bought[0] / bought[1]).log().square().mean().sqrt() < 0.25
    assert few.weight.shape == (3, 4, 10)


def test_who_minds_prices_is_found() -> None:
    """Two segments of a series whose units answer to price by −1 and −3: a unit less and a unit more."""
    rng = np.random.default_rng(0)
    periods, goods = 200, 3
    dear = rng.normal(0, 0.15, (periods, 1, goods))
    units = rng.poisson(40 * np.exp(np.array([-1.0, -3.0])[:, None, None, None] * dear))  # (2, T, 1, I)
    who, when, where, item = (x.ravel() for x in np.indices(units.shape))
    visitor, period = (x.ravel() for x in np.indices((2, periods)))
    seen = Histories(
        customers=("calm", "keen"),
        visitor=visitor,
        period=period,
        place=np.zeros_like(period),
        trips=np.stack([visitor, period, np.zeros_like(period)], 1),
        home=np.zeros(2, dtype=np.int64),
        buyer=who,
        bought_in=when,
        bought_at=where,
        item=item,
        units=units.ravel().astype(float),
        missing=np.zeros((periods, 1, goods)),
        dear=dear,
        usual_price=np.ones((1, goods)),
        usual_missing=np.zeros((1, goods)),
    )
    found = price_deviations(seen, Tastes.of(seen), np.array([0, 1]), 2)
    np.testing.assert_allclose(found, [[1.0] * goods, [-1.0] * goods], atol=0.2)


def test_a_population_survives_the_disk(learned, tmp_path) -> None:
    save_population(learned.population, tmp_path)
    again = load_population(tmp_path)
    assert again.segments == learned.population.segments
    assert again.moved_by.assumed == learned.population.moved_by.assumed
    for name in ("weight", "visit", "taste", "basket", "leaving", "hazard", "price", "usual_stock_out"):
        assert torch.equal(getattr(again, name), getattr(learned.population, name))
    (tmp_path / "customers.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="expected the customers of a market"):
        load_population(tmp_path)


def test_events_of_another_time_are_refused(log) -> None:
    _, panel, frame = log
    late = read_events(frame.assign(time=frame["time"] + np.timedelta64(3650, "D")))
    with pytest.raises(InputError, match="expected some of the panel's periods"):
        learn_population(late, panel)


def test_a_flag_alone_says_how_much_was_likely_missing(log) -> None:
    """Of a share out of stock the expected missing share is near it; of a flag, more than nothing."""
    _, panel, frame = log
    told = Histories.of(read_events(frame), panel).missing
    flagged = replace(panel, censored=(panel.censored > 0).astype(np.float32))
    guessed = Histories.of(read_events(frame), flagged).missing
    out = panel.dense(panel.censored) > 0
    assert (told[~out] == 0).all()
    assert (guessed[~out] == 0).all()
    assert abs(told[out].mean() - panel.dense(panel.censored)[out].mean()) < 0.05
    assert 0.05 < guessed[out].mean() < 0.5
