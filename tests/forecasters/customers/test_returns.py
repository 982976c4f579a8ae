"""Returns: which line they belong to, what is known of them before a day, and who brings back what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from mercato.forecasters.customers.model import CustomerModel, fit_customers
from mercato.forecasters.customers.purchases import WINDOW, Purchases, Queries, purchases
from mercato.forecasters.customers.returns import elapsed, log_likelihood, return_rates, watched
from mercato.forecasters.customers.scores import Calibration, score, scored
from mercato.forecasters.customers.sequence import HEADS
from mercato.forecasters.customers.training import TrainingSettings
from mercato.forecasters.events import KINDS, Events, read_events
from mercato.forecasters.network import TrunkSettings

Row = tuple[int, str, str, str]  # day, customer, event, item


def events(rows: list[Row]) -> Events:
    frame = pd.DataFrame(rows, columns=["day", "customer", "event", "item"])
    return read_events(frame.assign(time=pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.pop("day"), "D")))


BOUGHT: list[Row] = [
    *((0, "a", "buy", "x"), (0, "a", "buy", "y"), (5, "a", "buy", "x"), (60, "a", "buy", "x")),
    *((0, "b", "buy", "x"), (9, "b", "buy", "y")),
]


def returned(rows: list[Row]) -> list[int]:
    """Of a's x on days 0, 5 and 60 and y on day 0, as lines are sorted; then of b's x and y."""
    return purchases(events([*BOUGHT, *rows])).returned.tolist()


def test_a_return_belongs_to_the_latest_purchase_of_its_customer_and_item() -> None:
    assert returned([]) == [-1] * 6
    assert returned([(4, "a", "return", "x")]) == [4, -1, -1, -1, -1, -1]
    assert returned([(5, "a", "return", "x")]) == [-1, -1, 5, -1, -1, -1]
    assert returned([(7, "a", "return", "x"), (6, "a", "return", "x")]) == [-1, -1, 6, -1, -1, -1]
    assert returned([(4, "a", "return", "x"), (6, "a", "return", "x")]) == [4, -1, 6, -1, -1, -1]
    assert returned([(WINDOW, "a", "return", "y"), (9, "b", "return", "y")]) == [-1, WINDOW, -1, -1, -1, 9]


def test_what_belongs_to_no_purchase_or_comes_after_the_log_is_left_out() -> None:
    late, foreign, before = (WINDOW + 1, "a", "return", "y"), (8, "b", "return", "z"), (8, "b", "return", "y")
    assert returned([late, foreign, before, (61, "a", "return", "x"), (3, "", "return", "x")]) == [-1] * 6


def test_what_comes_after_a_day_changes_nothing_that_was_known_before_it() -> None:
    rows: list[Row] = [*BOUGHT, (4, "a", "return", "x")]
    later: list[Row] = [(6, "a", "buy", "x"), (6, "a", "return", "x"), (7, "b", "return", "x")]
    known, same = (purchases(events(log)).as_of(6) for log in (rows, [*rows, *later]))
    for name in ("customer", "day", "item", "units", "value", "returned"):
        assert np.array_equal(getattr(known, name), getattr(same, name))


RATES = np.array([0.02, 0.1, 0.3, 0.6])
FAST = 4.0  # days of a return, in the mean


def brought_back(
    customers: int, rate: np.ndarray, seed: int = 0, days: int = 90, factor: np.ndarray | None = None
) -> Purchases:
    """Lines on random days, brought back with their item's rate times their customer's factor."""
    rng = np.random.default_rng(seed)
    customer, day = rng.integers(customers, size=30 * customers), rng.integers(days, size=30 * customers)
    rows = np.unique(np.stack([customer, day, rng.integers(len(rate), size=len(day))]), axis=1)
    customer, day, item = rows
    chance = rate[item] * (1 if factor is None else factor[customer])
    back = day + np.minimum(rng.geometric(1 / FAST, len(day)), WINDOW)
    ones = np.ones(len(day))
    returned = np.where(rng.random(len(day)) < chance, back, -1)
    return Purchases(customers, len(rate), np.datetime64("2024-01-01"), *rows, ones, ones, returned)


def chances(log: Purchases, stop: int) -> np.ndarray:
    """(Q, I) of everybody known on a day."""
    queries = log.known(stop)
    row, item = np.ogrid[: len(queries), : log.items]
    return expit(return_rates(log.as_of(stop), stop).log_odds(queries, row, item))


def test_rates_of_items_are_found_though_many_windows_go_on() -> None:
    log = brought_back(1000, RATES)
    found = return_rates(log.as_of(45), 45).item
    assert found == pytest.approx(RATES, rel=0.1, abs=0.005)
    known = log.as_of(45)
    naive = np.bincount(known.item, known.returned >= 0) / np.bincount(known.item)
    assert (np.abs(naive - RATES)[1:] > 2 * np.abs(found - RATES)[1:]).all()


def test_the_delay_is_found_though_long_ones_are_seldom_seen() -> None:
    log = brought_back(300, RATES, days=40)
    age = np.arange(WINDOW + 1)
    share = elapsed(log.as_of(40), 40, 39 - age)
    assert share[:-1] == pytest.approx(1 - (1 - 1 / FAST) ** age[:-1], abs=0.03)
    assert share[-1] == 1
    nothing = elapsed(brought_back(20, 0 * RATES), 90, 89 - age)
    assert nothing == pytest.approx((age + 1) / (WINDOW + 1))


def test_who_brings_back_more_than_others_is_expected_to() -> None:
    factor = np.where(np.arange(1000) % 2, 0.5, 1.5)
    said = chances(brought_back(1000, RATES, factor=factor), 90) / RATES
    assert said[1::2, 2].mean() == pytest.approx(0.6, abs=0.1)  # shrunk to 1
    assert said[::2, 2].mean() == pytest.approx(1.4, abs=0.1)


def test_what_comes_later_changes_no_chance() -> None:
    log = brought_back(50, RATES)
    later = replace(log, returned=np.where(log.returned >= 40, -1, log.returned))
    assert np.array_equal(chances(log, 40), chances(later, 40))
    assert np.array_equal(chances(log, 40), chances(log.rows(log.day < 40), 40))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 2), st.integers(-1, WINDOW))))
def test_a_chance_is_one_whatever_comes_back(rows: list[tuple[int, int, int, int]]) -> None:
    rows = [(0, 0, 0, -1), *rows]
    lines = dict(sorted(((customer, day, item), delay) for customer, day, item, delay in rows))
    key, delay = np.array(list(lines)).T, np.array(list(lines.values()))
    ones = np.ones(len(delay))
    returned = np.where(delay < 0, -1, key[1] + delay)
    log = Purchases(4, 3, np.datetime64("2024-01-01"), *key, ones, ones, returned)
    said = chances(log, log.stop)
    assert ((said > 0) & (said < 1)).all()
    share = elapsed(log.as_of(log.stop), log.stop, log.day)
    assert ((share > 0) & (share <= 1)).all()


def test_a_line_not_back_yet_is_not_one_that_was_kept() -> None:
    rows = np.array([(0, 0, 0), (0, 50, 0), (0, 60, 0)]).T
    returned = np.array([3, 55, 65])
    log = Purchases(1, 1, np.datetime64("2024-01-01"), *rows, np.ones(3), np.ones(3), returned)
    queries = Queries(np.array([0, 0]), np.array([40, 58]))
    rates = return_rates(log.as_of(40), 40)
    early, late = (watched(log.as_of(end), queries, 28, rates, end) for end in (54, 66))
    assert (early.came.tolist(), late.came.tolist()) == ([False], [True, True])
    assert 0 < early.share[0] < late.share[0] <= 1
    odds = torch.tensor([0.5])
    nothing = (1 - odds.sigmoid() * early.share).log()
    torch.testing.assert_close(log_likelihood(odds, early), nothing)


def warned(customers: int, seed: int = 0) -> Events:
    """A message after a basket tells that most of the next one will be brought back; else little is."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for customer in (f"c{c:03}" for c in range(customers)):
        day, warns = int(rng.integers(14)), False
        while day < 120:
            for item in rng.permutation(5)[:2]:
                rows.append((day, customer, "buy", f"i{item}"))
                if rng.random() < (0.8 if warns else 0.05):
                    rows.append((day + int(rng.integers(1, 6)), customer, "return", f"i{item}"))
            warns = rng.random() < 0.5
            if warns:
                rows.append((day + 1, customer, "message", ""))
            day += int(rng.integers(7, 15))
    return events(rows)


@pytest.fixture(scope="module")
def model() -> CustomerModel:
    small = TrunkSettings(width=8, blocks=1, heads=2, window=64, dropout=0.0)
    return fit_customers(warned(200), settings=TrainingSettings(trunk=small, epochs=8, rate=3e-2))


def test_a_network_learns_what_a_message_says_of_the_next_basket(model: CustomerModel) -> None:
    classical, best = model.held[HEADS.index("return")]
    assert best < 0.9 * classical
    assert any(line.startswith("return: a network above") for line in model.summary())
    log = warned(200)
    table = score(model, log.customers, log.items, 2).set_index("customer")
    told = log.of("buy", "message").between(None, model.ground.log.origin + model.ground.log.stop)
    last = dict(zip(told.customer, told.kind, strict=True))
    warns = np.array([KINDS[last[log.customers.index(name)]] == "message" for name in table.index])
    assert table["return"].between(0, 1).all()
    assert table["return"][warns].mean() > 0.5 > 0.3 > table["return"][~warns].mean()


def test_returns_said_come_about_as_often(model: CustomerModel) -> None:
    log = model.ground.log
    queries = log.known(log.stop - 28)
    bins = Calibration.of(model, queries, log).returns
    assert sum(one.count for one in bins) == len(log.first_basket(queries, 28)[0])
    said = sum(one.count * one.said for one in bins)
    assert said == pytest.approx(sum(one.count * one.came for one in bins), rel=0.15)


def test_returns_change_no_other_classical_answer_and_a_log_without_has_none() -> None:
    log = warned(60)
    without = log.rows(log.kind != KINDS.index("return"))
    whole, bare = (scored(one, top=2, quick=True) for one in (log, without))
    assert [line.split(":")[0] for line in whole.heads] == list(HEADS)
    assert [line.split("(")[0] for line in bare.heads] == [line.split("(")[0] for line in whole.heads[:-1]]
    assert list(whole.table)[:5] == ["customer", "visit", "churn", "left", "return"]
    assert list(bare.table) == [name for name in whole.table if name != "return"]
    numbers = ["visit", "churn", "left", "chance_1"]
    one, other = (found.table.set_index("customer")[numbers].sort_index() for found in (whole, bare))
    pd.testing.assert_frame_equal(one, other, rtol=1e-2)
    assert whole.calibration.returns
    assert not bare.calibration.returns


def test_answers_and_lessons_read_no_return_from_after_their_end(model: CustomerModel) -> None:
    log = model.ground.log
    stop = log.stop - 28
    later = replace(log, returned=np.where(log.returned >= stop, -1, log.returned))
    other = replace(model.ground, log=later)
    for one, same in zip(*(g.lessons(50, stop, 100, 0) for g in (model.ground, other)), strict=True):
        assert one.returns.came.any()
        assert all(torch.equal(getattr(one.returns, f), getattr(same.returns, f)) for f in ("usual", "came"))
    for said, again in zip(*(model.answers(log.known(stop), seen) for seen in (log, later)), strict=True):
        assert said.returned is not None
        assert again.returned is not None
        assert np.array_equal(said.returned, again.returned)
