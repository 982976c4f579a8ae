"""What a person is told of customers: the sheets of a card, and answers to what they ask."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mercato.app.report.customers import sheets
from mercato.forecasters.customers import Account, Lift, Segment
from mercato.forecasters.customers.messages import Signal
from mercato.forecasters.customers.text import HashedTerms
from tests.app.command_line import mercato as command
from tests.app.command_line import refused

ACCOUNT = Account(
    leaving={
        "own": -3.0,
        "visit": [1.0, 2.0],
        "stock_out": 2.0,
        "dear": 0.5,
        "back": 0.01,
        "voice": {},
        "errors": {"own": 0.1, "stock_out": 0.5, "dear": 2.0},
        "assumed": ["dear", "back"],
        "customers": 1200,
        "leavers": 300.0,
    },
    segments=(Segment("high value, calm", 90.0, 0.5, 0.4, 0.04, 0.2, 0.6, 0.3),),
    coverage=("known customers buy 40% of the panel's units",),
    exposure=Lift(0.3, 0.1, naive=0.8, rows=5000),
    coupon=Lift(0.1, 0.1, because="no coupon row has a propensity"),
    word_of_mouth=Lift(0.0, 0.1, because="nobody was addressed by a coin"),
    told=0.5,
    messages=("a return followed 10% of 400 messages",),
    signals=(Signal("mocha", 12.0, 2.0, 1e-6),),
    new_items="attributes: dropped",
)


def test_what_is_estimated_and_what_is_assumed_are_told_apart() -> None:
    who, why, caused = sheets(ACCOUNT.plain())
    assert who.rows[0] == ["high value, calm", "90", "50%", "0.40", "4.0%", "60%", "+0.30"]
    assert [row[-1] for row in why.rows] == ["estimated", "assumed", "assumed"]
    assert why.rows[0][1:3] == ["× 7.4", "3.2 … 16.8"]
    showing, sending, telling = caused.rows
    assert sending[-1] == "assumed: no coupon row has a propensity"
    assert showing[1:] == ["× 1.35", "1.15 … 1.59", "× 2.23", "5,000 rows"]
    assert telling[-1] == "assumed: nobody was addressed by a coin"
    assert "mocha: 12 messages" in caused.note


def test_what_customers_do_before_they_leave_is_told_where_it_is_known() -> None:
    leaving = ACCOUNT.leaving | {"voice": {"message": {"effect": 1.0, "error": 0.2}}}
    _, why, _ = sheets(replace(ACCOUNT, leaving=leaving).plain())
    what, *found = why.rows[2]
    assert what.startswith("a message")
    assert found == ["× 2.7", "2.0 … 3.8", "estimated"]


def test_who_goes_to_another_location_is_told_where_somebody_does() -> None:
    law = {"stock_out": 3.0, "dear": 1.0, "errors": {"stock_out": 0.1, "dear": 0.9}, "assumed": ["dear"]}
    found = law | {"customers": 40, "visits": 900, "elsewhere": 0.25}
    told = replace(ACCOUNT, switching=found)
    where = list(sheets(told.plain()))[2]
    assert where.rows[0][1:] == ["× 20.1", "17.0 … 23.7", "estimated"]
    assert where.rows[1][-1] == "assumed"
    assert "40 customers come to several locations" in where.said[0]
    assert "× 20.1" not in " ".join(ACCOUNT.text())
    assert any("by 20.1" in line for line in told.text())
    assert Account.of_plain(json.loads(json.dumps(told.plain()))) == told


def test_an_account_goes_to_json_and_back() -> None:
    assert Account.of_plain(json.loads(json.dumps(ACCOUNT.plain()))) == ACCOUNT


def test_how_true_chances_are_is_told_or_why_it_is_not_known() -> None:
    bins = {"count": 1200, "said": 0.101, "came": 0.098}
    scores = {"horizon": 28, "visit": [bins], "item": [bins], "returns": []}
    *_, true = sheets({**ACCOUNT.plain(), "scores": scores})
    assert true.rows[0] == ["a visit in 28 days", "10.1%", "9.8%", "1,200"]
    assert len(true.rows) == 2
    *_, true = sheets({**ACCOUNT.plain(), "scores": {"horizon": 28, "because": "events: too few days"}})
    assert true.rows == []
    assert true.said == ("Not known: events: too few days.",)


def test_too_few_customers_are_said_in_words() -> None:
    (sheet,) = sheets({"unknown": "events: expected at least 50 customers"})
    assert "not simulated one by one: events: expected at least 50 customers" in sheet.said[0]


def test_questions_get_the_shops_own_answers_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercato.forecasters.customers.answers.encoder", HashedTerms.of)
    table = tmp_path / "answers.csv"
    table.write_text(
        "question,answer\nWhere is my parcel?,Follow it.\nHow do I return shoes?,Send them back.\n"
    )
    asked = command("customers", "answer", table, "where's my parcel", "zzzz qqqq", "--json")
    parcel, peru = json.loads(asked.stdout)
    assert parcel["found"] == "Follow it."
    assert peru["found"] is None
    assert peru["score"] <= peru["needed"]
    assert "no answer" in command("customers", "answer", table, "zzzz qqqq").stdout
    table.write_text("question,reply\na,b\n")
    assert "expected the columns question and answer" in refused("customers", "answer", table, "a")
