"""The customer model: the network begins as the classical answer, reads no future, and is kept if better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mercato.forecasters.customers.lesson import Ground, Lesson
from mercato.forecasters.customers.model import CustomerModel, fit_customers, past_stops
from mercato.forecasters.customers.purchases import Queries, purchases
from mercato.forecasters.customers.quantity import usual_units
from mercato.forecasters.customers.scores import Calibration, score, scored
from mercato.forecasters.customers.sequence import HEADS, CustomerNetwork, heard, losses
from mercato.forecasters.customers.tokens import item_vectors, text_vectors, tokens
from mercato.forecasters.customers.training import TrainingSettings, fit_beneath
from mercato.forecasters.customers.visits import fit_visits
from mercato.forecasters.errors import InputError
from mercato.forecasters.network import TrunkSettings

from .shop import events_of, shop

EVENTS = events_of(shop(80))
LOG = purchases(EVENTS)
SMALL = TrunkSettings(width=8, blocks=1, heads=2, window=64, dropout=0.0)
QUICK = TrainingSettings(trunk=SMALL, epochs=1)


@pytest.fixture(scope="module")
def ground() -> Ground:
    vectors = item_vectors(LOG, 4)
    base = fit_visits(LOG.counts(LOG.known(LOG.stop)))
    return Ground(LOG, tokens(EVENTS, LOG.origin, vectors), base, None, 28)


@pytest.fixture(scope="module")
def lesson(ground: Ground) -> Lesson:
    return ground.lessons(80, LOG.stop, 100, 0)[0]


@pytest.fixture(scope="module")
def model() -> CustomerModel:
    return fit_customers(EVENTS, settings=QUICK)


def network(ground: Ground) -> CustomerNetwork:
    torch.manual_seed(0)
    found = CustomerNetwork(ground.tokens.width, ground.tokens.vectors[:-1], 9, SMALL).eval()
    return found


def test_a_new_network_is_the_classical_answer(ground: Ground, lesson: Lesson) -> None:
    beneath = fit_beneath([lesson])
    said = heard(network(ground), ground.tokens, lesson.queries, lesson.asked)
    classical, _ = losses(lesson, beneath, None)
    torch.testing.assert_close(losses(lesson, beneath, said)[0], classical, rtol=1e-5, atol=1e-3)


def test_stepping_event_by_event_is_reading_them_all(ground: Ground) -> None:
    queries = LOG.known(60)
    events, length = ground.tokens.read(Queries(queries.customer[:9], queries.stop[:9]), SMALL.window)
    net = network(ground)
    with torch.no_grad():
        whole = net.read(events, length)
        memory = net.begin(len(events))
        for step in range(events.shape[1]):
            hidden, memory = net.step(events[:, step], memory)
            done = length == step + 1
            torch.testing.assert_close(hidden[done], whole[done], rtol=0, atol=1e-5)


def test_tokens_end_where_the_question_begins(ground: Ground) -> None:
    queries = LOG.known(60)
    cut = tokens(
        EVENTS.between(None, LOG.origin + np.timedelta64(60, "D")), LOG.origin, ground.tokens.vectors[:-1]
    )
    whole, length = ground.tokens.read(queries, 500)
    part, same = cut.read(queries, 500)
    assert length.tolist() == same.tolist()
    kept = [c for c in range(whole.shape[2]) if not torch.equal(whole[..., c], part[..., c])]
    assert kept in ([], [ground.tokens.known.shape[1] - 2])  # but for an item's mean price, over all days


def test_what_was_written_is_read_alike_where_it_is_alike() -> None:
    texts = np.array(["my parcel is late", "", "the parcel is late", "thank you so much"], dtype=object)
    vectors = text_vectors(replace(EVENTS.rows(np.arange(4)), text=texts), 16)
    assert vectors is not None
    near, far = (vectors[0] - vectors[2]).norm(), (vectors[0] - vectors[3]).norm()
    assert near < far
    assert vectors[1].abs().sum() == 0
    assert text_vectors(EVENTS, 16) is None


def test_units_are_the_customer_s_own_where_there_are_any() -> None:
    queries = Queries(np.array([0, 0]), np.array([LOG.stop, LOG.stop]))
    mine = LOG.rows(LOG.customer == 0)
    often = np.bincount(mine.item).argmax()
    usual = usual_units(LOG, queries, LOG.stop, np.array([0]), np.array([often]))[0]
    own, item = mine.units[mine.item == often].mean(), LOG.units[LOG.item == often].mean()
    assert abs(usual - own) < abs(item - own)
    more = replace(LOG, units=np.where((LOG.customer == 0) & (LOG.item == often), 2 * LOG.units, LOG.units))
    assert usual_units(more, queries, LOG.stop, np.array([0]), np.array([often]))[0] > 1.5 * usual


def test_scores_are_chances_in_order_and_the_same_again(model: CustomerModel) -> None:
    table = score(model, EVENTS.customers, EVENTS.items, top=3)
    assert list(table) == [
        *("customer", "visit", "churn", "left"),
        *("item_1", "chance_1", "item_2", "chance_2", "item_3", "chance_3"),
    ]
    assert set(table["customer"]) == set(EVENTS.customers)
    assert table["visit"].is_monotonic_decreasing
    chances = table[["visit", "churn", "left", "chance_1", "chance_2", "chance_3"]].to_numpy(float)
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (table["chance_1"] >= table["chance_2"]).all()
    assert (table["chance_1"] <= table["visit"]).all()
    again = fit_customers(EVENTS, settings=QUICK)
    pd.testing.assert_frame_equal(score(again, EVENTS.customers, EVENTS.items, top=3), table)


def test_what_is_checked_has_not_seen_the_days_it_is_checked_on() -> None:
    """Other purchases on the last days move what is said in the end, and not what is checked on them."""
    stop = EVENTS.time[-1] - np.timedelta64(27, "D")
    other = EVENTS.rows((EVENTS.time < stop) | (EVENTS.customer % 2 == 0))
    classical = TrainingSettings(epochs=0)
    one, two = (fit_customers(log, settings=classical, most=40) for log in (EVENTS, other))
    queries = LOG.known(LOG.stop - 28)
    for model, alike in (("rehearsal", True), ("itself", False)):
        ours, theirs = (m.rehearsal if model == "rehearsal" else m for m in (one, two))
        assert ours is not None
        assert theirs is not None
        said = [np.concatenate([a.visit for a in m.answers(queries)]) for m in (ours, theirs)]
        assert np.allclose(*said, rtol=1e-6) == alike


def test_chances_said_come_about_as_often(model: CustomerModel) -> None:
    queries = LOG.known(LOG.stop - 28)
    found = Calibration.of(model, queries, LOG)
    assert sum(one.count for one in found.visit) == len(queries)
    said = sum(one.count * one.said for one in found.visit) / len(queries)
    came = sum(one.count * one.came for one in found.visit) / len(queries)
    assert said == pytest.approx(came, abs=0.12)


def test_each_head_says_what_answers(model: CustomerModel) -> None:
    assert [line.split(":")[0] for line in model.summary()] == ["visit", "basket", "units"]
    assert (model.networks[HEADS.index("return")], model.held[HEADS.index("return")]) == (None, (0, 0))
    for network, (classical, best) in zip(model.networks, model.held, strict=True):
        assert best <= classical if network is None else best < classical


def test_without_a_network_the_classical_answer_is_kept_and_said() -> None:
    found = scored(EVENTS, top=2, quick=True)
    assert all("classical answer" in line for line in found.heads)
    assert len(found.table) == len(EVENTS.customers)


def test_the_log_is_cut_on_one_day_of_the_week() -> None:
    stops = past_stops(92, 28)
    assert stops == [15, 22, 29, 36, 43, 50, 57, 64]
    with pytest.raises(InputError, match=r"expected days enough to learn from before the last 28.*found 30"):
        past_stops(30, 28)
