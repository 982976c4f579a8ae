"""Events are read as they were meant, and whatever is changed is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mercato.forecasters.errors import InputError
from mercato.forecasters.events import KINDS, Events, read_events, write_events


def log() -> pd.DataFrame:
    """A day of three customers: a visit, a recommendation, purchases, a message, a return."""
    rows = [
        ("2024-03-01 09:00:00", "ann", "recommend", "tea", None, None, 0.25, None),
        ("2024-03-01 09:05:00", "ann", "buy", "tea", 2, 3.5, None, None),
        ("2024-03-01 09:05:00", "ann", "buy", "milk", 1, 1.2, None, None),
        ("2024-03-01 08:00:00", "bob", "visit", None, None, None, None, "ann"),
        ("2024-03-01 10:00:00", "bob", "message", None, None, None, None, None),
        ("2024-03-02 10:00:00", "ann", "return", "tea", 1, 3.5, None, None),
        ("2024-03-02 11:00:00", None, "buy", "milk", 4, 1.0, None, None),
    ]
    names = ["time", "customer", "event", "item", "units", "price", "propensity", "referrer"]
    return pd.DataFrame(rows, columns=names).assign(text=[""] * 4 + ["where is my tea?"] + [""] * 2)


def notes(events: Events, column: str) -> list[str]:
    return [note for note in events.report.notes if note.startswith(f"{column}:")]


def test_events_are_sorted_and_meant_by_their_names() -> None:
    events = read_events(log())
    assert events.customers == ("ann", "bob")
    assert events.items == ("milk", "tea")
    assert [KINDS[kind] for kind in events.kind] == [
        *("visit", "recommend", "buy", "buy", "message", "return", "buy")
    ]
    np.testing.assert_array_equal(events.customer, [1, 0, 0, 0, 1, 0, -1])
    np.testing.assert_array_equal(events.item, [-1, 1, 1, 0, -1, 1, 0])
    np.testing.assert_array_equal(events.units, [np.nan, np.nan, 2, 1, np.nan, 1, 4])
    np.testing.assert_array_equal(events.referrer, [0, -1, -1, -1, -1, -1, -1])
    assert events.propensity[1] == 0.25
    assert events.text is not None
    assert events.text[4] == "where is my tea?"
    assert str(events.time[0]) == "2024-03-01T08:00:00"
    assert len(events.identified) == 6
    assert len(events.of("buy", "return")) == 4
    assert notes(events, "customer") == [
        "customer: 1 of 7 rows tell none: they count in sums alone, first: row 7"
    ]


def test_receipts_alone_are_purchases(tmp_path: Path) -> None:
    path = tmp_path / "receipts.csv"
    path.write_text("day,card,article,qty,paid\n01/31/2024,007,0042,3,6.00\n02/01/2024,NA,0042,1,2.50\n")
    events = read_events(
        path, map={"time": "day", "customer": "card", "item": "article", "units": "qty", "revenue": "paid"}
    )
    assert events.customers == ("007", "NA")
    assert events.items == ("0042",)
    assert set(events.kind) == {KINDS.index("buy")}
    np.testing.assert_allclose(events.price, [2.0, 2.5])
    assert notes(events, "event") == ["event: no such column, 2 rows taken as purchases"]


def test_no_purchase_is_negative_or_of_nothing() -> None:
    frame = log().assign(units=[None, -2, 0, None, None, -1, None])
    events = read_events(frame)
    kinds = [KINDS[kind] for kind in events.of("buy", "return").kind]
    assert kinds == ["return", "return", "buy"]
    np.testing.assert_array_equal(events.of("buy", "return").units, [2, 1, 1])
    assert notes(events, "units") == [
        "units: 1 purchases of less than 0 taken as returns, first: row 2",
        "units: 1 purchases are empty, taken as of one unit, first: row 7",
        "units: 1 purchases of 0 left out, first: row 3",
    ]
    assert (events.report.rows_read, events.report.rows_kept) == (7, 6)


def test_kinds_are_known_by_other_names_and_unknown_ones_are_counted() -> None:
    frame = log().assign(event=["recommend", "Purchase", "kauf", "visit", "wish", "refund", None])
    events = read_events(frame, map={"buy": "kauf"})
    assert [KINDS[kind] for kind in events.kind] == ["visit", "recommend", "buy", "buy", "return"]
    (note,) = notes(events, "event")
    assert note.startswith("event: 2 rows left out that are none of visit, view,")
    assert note.endswith(": wish, first: rows 5, 7; to keep them, name them: buy=wish")


def test_what_happens_twice_in_a_second_is_one_event_and_on_a_day_two() -> None:
    frame = pd.concat([log(), log().iloc[[1, 2]]])
    events = read_events(frame)
    assert len(events) == 7
    assert notes(events, "time") == [
        "time: 2 rows repeat another in every column, left out, first: rows 8, 9"
    ]
    by_day = read_events(frame.assign(time=frame["time"].str[:10]))
    assert len(by_day) == 9
    assert "kept, since a date, or nobody known, tells no event from another" in notes(by_day, "time")[0]
    assert len(read_events(frame.assign(line=range(9)))) == 9, "a line's own number tells it from another"
    assert len(read_events(frame.assign(customer=None))) == 9, "two strangers may do the same in a second"


def test_nobody_is_told_by_himself_or_by_a_stranger() -> None:
    events = read_events(log().assign(referrer=["ann", "bob", "zoe", None, None, None, None]))
    np.testing.assert_array_equal(events.referrer[events.customer == 0], [-1, 1, -1, -1])
    assert notes(events, "referrer") == [
        "referrer: 1 rows name a customer without events, such as zoe, left out, first: row 3",
        "referrer: 1 rows name the customer, left out, first: row 1",
    ]


def test_attributes_are_of_customers() -> None:
    frame = log().assign(
        age=["35-39"] * 3 + ["60+"] * 2 + [None, None],
        mood=range(7),
        tags=[[]] * 7,
        shop="one",
        cost=[2.0] * 6 + [0.0],
    )
    events = read_events(frame)
    assert {name: values.tolist() for name, values in events.attributes.items()} == {"age": ["35-39", "60+"]}
    assert events.cost is not None
    np.testing.assert_array_equal(events.cost, [2] * 6 + [np.nan])
    assert notes(events, "tags") == ["tags: expected one value a cell, found []; left out"]
    assert notes(events, "mood") == ["mood: left out, since it differs within customers, such as 0"]
    assert notes(events, "shop") == ["shop: left out, expected 2 to 50 values, found 1"]
    assert notes(events, "cost") == ["cost: 1 rows at or below 0 taken as unknown, first: row 7"]


def test_one_customer_who_is_everybody_is_flagged() -> None:
    cards = [f"c{n}" for n in range(200)] + ["0"] * 50
    frame = pd.DataFrame({"time": "2024-01-01", "customer": cards, "item": [f"i{n}" for n in range(250)]})
    (note,) = notes(read_events(frame), "customer")
    assert note == "customer: 0 has 20% of all rows; if it stands for whoever is not known, leave it empty"


@pytest.mark.parametrize(("unit", "name"), [(1, "s"), (1000, "ms")])
def test_a_databases_seconds_are_times(unit: int, name: str) -> None:
    since = pd.to_datetime(log()["time"]).to_numpy().astype("datetime64[s]").astype(np.int64)
    events = read_events(log().assign(time=since * unit))
    np.testing.assert_array_equal(events.time, read_events(log()).time)
    assert notes(events, "time") == [f"time: read as time since 1970 in {name}, UTC"]


BAD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "no customer": (
        lambda f: f.drop(columns="customer"),
        "events: expected the columns time and customer; customer not found among time, event, item, units,"
        " price, propensity, referrer, text; name it: customer=THEIRS",
    ),
    "no time": (lambda f: f.assign(time=None), "time: expected ISO dates such as 2024-01-31, found 7 rows"),
    "a time that is none": (
        lambda f: f.assign(time=["soon", *f["time"][1:]]),
        "time: expected ISO dates such as 2024-01-31, found 1 row with 'soon' (row 1)",
    ),
    "units in words": (
        lambda f: f.assign(units="two"),
        "units: expected finite numbers up to 1e+12, found 7 rows with 'two' (row 1)",
    ),
    "a chance above 1": (
        lambda f: f.assign(propensity=[0.2, 25, -1, None, None, None, None]),
        "propensity: expected chances, 0 to 1, found 2 rows outside, such as 25, first: rows 2, 3",
    ),
    "no kind known": (
        lambda f: f.assign(event="wish"),
        "event: expected some of visit, view, click, cart, buy, return, message, recommend, coupon, found"
        " none in 7 rows but wish; name what a purchase is called: buy=wish",
    ),
    "lists for a customer": (
        lambda f: f.assign(customer=[["ann"]] * 7),
        "customer: expected one value a cell, found ['ann']",
    ),
    "no rows": (lambda f: f.iloc[:0], "the data frame: expected at least one row, found none"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_events_are_refused_in_one_line(case: str) -> None:
    change, expected = BAD[case]
    with pytest.raises(InputError) as caught:
        read_events(change(log()))
    assert expected in str(caught.value)


def test_a_map_names_columns_and_kinds_of_events() -> None:
    with pytest.raises(InputError, match=r"map: expected one of time, customer, event, .*found buyer"):
        read_events(log(), map={"buyer": "customer"})
    with pytest.raises(InputError, match="expected the column card that the map names"):
        read_events(log(), map={"customer": "card"})


def same(one: Events, other: Events) -> None:
    for field in fields(Events):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "attributes":
            assert {k: v.tolist() for k, v in ours.items()} == {k: v.tolist() for k, v in theirs.items()}
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=field.name)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    frame = log().assign(session=[1, 2, 2, 3, 4, None, 5], location="shop", channel=["web"] * 6 + [None])
    frame = frame.assign(age=["35-39"] * 3 + ["60+"] * 2 + [None, None], cost=2.0)
    events = read_events(frame)
    write_events(events, tmp_path / "events.parquet")
    back = read_events(tmp_path / "events.parquet")
    same(events, back)
    same(events.of("visit", "buy"), back.of("visit", "buy"))


WORDS = st.sampled_from(["ann", "bob", "", None, "0", "NA"])
ROW = st.tuples(
    st.sampled_from(["2024-01-01", "2024-01-02 10:00", "2024-02-29T23:59:59"]),
    WORDS,
    st.sampled_from([*KINDS, "refund", "?", None]),
    WORDS,
    st.one_of(st.none(), st.integers(-3, 3)),
    st.one_of(st.none(), st.floats(-1, 5)),
    WORDS,
)


@settings(max_examples=40)
@given(st.lists(ROW, min_size=1, max_size=12))
def test_whatever_is_read_keeps_to_the_contract(rows: list[tuple]) -> None:
    names = ["time", "customer", "event", "item", "units", "price", "referrer"]
    visit = ("2024-01-01", "ann", "visit", None, None, None, None)
    frame = pd.DataFrame([visit, *rows], columns=names)
    events = read_events(frame)
    assert events.report.rows_kept == len(events) <= events.report.rows_read == len(frame)
    assert (np.diff(events.time) >= np.timedelta64(0, "s")).all()
    moved = events.of("buy", "return")
    assert (moved.units > 0).all()
    assert not (events.price <= 0).any()
    assert ((events.referrer < 0) | (events.referrer != events.customer)).all()
    for index, known in ((events.customer, events.customers), (events.item, events.items)):
        assert index.min() >= -1
        assert index.max() < len(known)
        assert "" not in known


def test_what_was_held_back_is_kept_and_a_purchase_of_nothing_is_not() -> None:
    frame = pd.DataFrame(
        {
            "time": ["2024-03-01 10:00:01", "2024-03-01 10:00:02", "2024-03-01 10:00:03"],
            "customer": "c",
            "event": ["recommend", "recommend", "buy"],
            "item": ["a", "b", "a"],
            "units": [1, 0, 0],
            "propensity": [0.5, 0.5, None],
        }
    )
    events = read_events(frame)
    assert events.of("recommend").units.tolist() == [1, 0]
    assert not len(events.of("buy"))


def test_a_word_for_a_kind_that_no_row_has_is_refused() -> None:
    frame = pd.DataFrame({"time": ["2024-03-01"], "customer": "c", "event": "checkout", "item": "a"})
    assert len(read_events(frame, map={"buy": "checkout"}).of("buy")) == 1
    with pytest.raises(InputError, match="expected words of the column event, checkout, found chekout"):
        read_events(frame, map={"buy": "chekout"})
    with pytest.raises(InputError, match="expected the column event"):
        read_events(frame.drop(columns="event"), map={"buy": "checkout"})


def test_seconds_since_1970_are_read_from_text_as_from_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": [1704067200, 1704153600], "customer": "c", "item": "a"})
    frame.to_csv(tmp_path / "log.csv", index=False)
    for source in (frame, tmp_path / "log.csv"):
        assert read_events(source).day.astype(str).tolist() == ["2024-01-01", "2024-01-02"]
