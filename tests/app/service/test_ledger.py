"""What becomes of proposals, in SQLite and in PostgreSQL."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from mercato.app.service import ledger, records
from mercato.app.service.database import Database
from mercato.app.service.records import HELD, OPEN, PROPOSED, REJECTED, RELEASED, SUPERSEDED, WITHDRAWN
from mercato.app.service.refusals import Conflict, Unknown
from mercato.app.service.treatment import on_ladder
from mercato.app.service.verification import verify
from mercato.forecasters.errors import InputError
from tests.app.service.rows import DATE, LATER, SERIES, about, empty, file, kept, refused, row

ONE = SERIES[:1]


def statuses(database: Database) -> dict[int, str]:
    with database.read() as connection:
        return {row["id"]: row["status"] for row in ledger.listed(connection, {}, 0, 1000)}


def releases(database: Database, date: str | None = None) -> list[tuple[Any, ...]]:
    """Date, location, item, price, order and source of what is released."""
    with database.read() as connection:
        rows = ledger.released(connection, date, 0, 1000)
    return [
        tuple(row[name] for name in ("date", "location", "item", "price", "order", "source")) for row in rows
    ]


def entries(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(records.head.c.seq)).scalar_one())


def test_what_is_approved_is_released_as_it_was_proposed(database: Database) -> None:
    with database.write() as connection:
        numbers = file(connection)
    with database.write() as connection:
        ledger.approve(connection, "bob", numbers[:2], "fine")
    assert list(statuses(database).values()) == [RELEASED] * 2 + [PROPOSED] * (len(SERIES) - 2)
    assert releases(database) == [(DATE, *series, 2.9, 24, "approved") for series in SERIES[:2]]


def test_a_later_round_takes_the_place_of_what_is_open_and_leaves_what_is_decided(database: Database) -> None:
    with database.write() as connection:
        first, second, third, *_ = file(connection)
        ledger.approve(connection, "bob", [first], "")
        ledger.reject(connection, "bob", [second], "too cheap")
    with database.write() as connection:
        sheet, filed, notes = ledger.file_sheet(connection, "ann", about(), [row(*one) for one in SERIES])
    found = statuses(database)
    assert (found[first], found[second], found[third]) == (RELEASED, REJECTED, SUPERSEDED)
    assert len(filed) == len(SERIES) - 2
    decided = f"2 series are decided for {DATE} already, first {', '.join(min(SERIES[:2]))}"
    assert notes == ["3 series have ended", decided]
    with database.read() as connection:
        assert ledger.listed(connection, {"status": PROPOSED, "date": DATE, "sheet": sheet}, 0, 1000) == filed


def test_another_date_is_another_decision(database: Database) -> None:
    with database.write() as connection:
        ledger.approve(connection, "bob", file(connection, DATE), "")
        ledger.approve(connection, "bob", file(connection, LATER), "")
    assert len(releases(database, DATE)) == len(releases(database, LATER)) == len(SERIES)


def test_the_database_itself_refuses_a_second_decision_of_a_date(database: Database) -> None:
    with database.write() as connection:
        ledger.approve(connection, "bob", file(connection, series=ONE), "")
        twice = dict(connection.execute(select(records.proposals)).mappings().one())
        again = dict(connection.execute(select(records.releases)).mappings().one())
    for table, kept_row in ((records.proposals, twice), (records.releases, again)):
        with pytest.raises(IntegrityError), database.write() as connection:
            connection.execute(insert(table), {**kept_row, "id": 1000})


def test_to_do_the_same_again_changes_nothing(database: Database) -> None:
    with database.write() as connection:
        first, second, third, fourth, *_ = file(connection)

    def act() -> None:
        with database.write() as connection:
            ledger.approve(connection, "bob", [first, second, first], "")
            ledger.change(connection, "bob", third, 3.1, None, "rounder")
            ledger.reject(connection, "bob", [fourth], "too cheap")

    act()
    before = entries(database)
    act()
    assert entries(database) == before
    with database.write() as connection:
        ledger.reject(connection, "bob", [fourth, *file(connection, LATER, ONE)], "nor this one")
    assert list(statuses(database).values()).count(REJECTED) == 2


def test_what_is_decided_cannot_be_decided_otherwise(database: Database) -> None:
    with database.write() as connection:
        approved, rejected, changed, *_ = file(connection)
        ledger.approve(connection, "bob", [approved], "")
        ledger.reject(connection, "bob", [rejected], "no")
        ledger.change(connection, "bob", changed, 3.5, 7, "a rounder one")
    before = releases(database)
    assert before[-1] == (DATE, *SERIES[2], 3.5, 7, "changed")
    acts = [
        lambda c: ledger.approve(c, "bob", [rejected], ""),
        lambda c: ledger.approve(c, "bob", [changed], ""),
        lambda c: ledger.change(c, "bob", approved, 3.5, None, "why not"),
        lambda c: ledger.change(c, "bob", changed, 3.6, None, "why not"),
        lambda c: ledger.reject(c, "bob", [approved], "why not"),
        lambda c: ledger.reject(c, "bob", [rejected, changed], "why not"),
    ]
    for act in acts:
        with refused(database, "expected one that waits for a decision, found it", Conflict) as connection:
            act(connection)
    assert releases(database) == before


def test_of_some_decisions_all_are_taken_or_none(database: Database) -> None:
    with database.write() as connection:
        first, second, *_ = file(connection)
        ledger.reject(connection, "bob", [second], "no")
    with pytest.raises(Conflict), database.write() as connection:
        ledger.approve(connection, "bob", [first, second], "")
    with refused(database, "expected the number of one that was proposed, found 999", Unknown) as connection:
        ledger.approve(connection, "bob", [first, 999], "")
    assert statuses(database)[first] == PROPOSED
    assert releases(database) == []


def test_what_is_held_back_needs_a_reason(database: Database) -> None:
    with database.write() as connection:
        held = file(connection, series=ONE, status=HELD, flags="outside support")
        sheet = connection.execute(select(records.sheets.c.id)).scalar_one()
    with refused(database, "reason: expected one .* held back: outside support") as connection:
        ledger.approve(connection, "bob", held, " ")
    with database.write() as connection:
        assert ledger.approve_sheet(connection, "bob", sheet, "all of it") == []
    assert releases(database) == []
    with database.write() as connection:
        ledger.approve(connection, "bob", held, "it is the season")
    assert releases(database) == [(DATE, *SERIES[0], 2.9, 24, "approved")]


def test_a_sheet_is_approved_but_for_what_is_held_back(database: Database) -> None:
    with database.write() as connection:
        rows = [row(*one) for one in SERIES[1:]] + [row(*SERIES[0], status=HELD, flags="large order")]
        sheet, _, _ = ledger.file_sheet(connection, "ann", about(), rows)
    with database.write() as connection:
        released = ledger.approve_sheet(connection, "bob", sheet, "")
    assert len(released) == len(releases(database)) == len(SERIES) - 1
    with database.write() as connection:
        assert ledger.approve_sheet(connection, "bob", sheet, "") == []
    with refused(
        database, "sheet: expected the number of one that was proposed, found 99", Unknown
    ) as connection:
        ledger.approve_sheet(connection, "bob", 99, "")


@pytest.mark.parametrize("price", [1.99, 4.01, 0.0, -3.0, float("nan"), float("inf")])
def test_a_change_keeps_the_price_rules(database: Database, price: float) -> None:
    with database.write() as connection:
        (number,) = file(connection, series=ONE)
    with refused(database, "price: expected 2 to 4, which the price rules leave corner, mocha") as connection:
        ledger.change(connection, "bob", number, price, None, "cheaper")
    assert statuses(database) == {number: PROPOSED}


def test_a_change_ends_as_prices_must(database: Database) -> None:
    ruled = partial(on_ladder, 0.99)
    with database.write() as connection:
        first, second, third, *_ = file(connection)
        assert ledger.change(connection, "bob", first, 3.2, None, "cheaper", ruled) == (2.99, 24)
        assert ledger.change(connection, "bob", second, 3.9, None, "dearer", ruled) == (3.99, 24)
        assert ledger.change(connection, "bob", third, None, 5, "less", ruled) == (2.9, 5)
    with refused(
        database, "price: expected one that ends in 0.99, found none between 2 and 2.5"
    ) as connection:
        (number,) = file(connection, LATER, ONE, most_price=2.5)
        ledger.change(connection, "bob", number, 2.2, None, "cheaper", ruled)


def test_a_change_may_be_of_the_price_or_of_the_order(database: Database) -> None:
    with database.write() as connection:
        first, second, third, *_ = file(connection, most_price=None)
        ledger.change(connection, "bob", first, 2.0, None, "at the limit")
        ledger.change(connection, "bob", second, None, 0, "enough is there")
        ledger.change(connection, "bob", third, 400.0, 10, "they set no limit")
    assert [found[3:5] for found in releases(database)] == [(2.0, 24), (2.9, 0), (400.0, 10)]
    for order in (-1, 10**9 + 1, 2**31, 10**30):
        with refused(database, "order: expected units of 0 to") as connection:
            (number,) = file(connection, LATER, ONE)
            ledger.change(connection, "bob", number, None, order, "more")


def test_whoever_changes_or_rejects_says_why(database: Database) -> None:
    with database.write() as connection:
        (number,) = file(connection, series=ONE)
    for act in (
        lambda c: ledger.change(c, "bob", number, 3.0, None, " "),
        lambda c: ledger.reject(c, "bob", [number], ""),
        lambda c: ledger.kill(c, "bob", ""),
    ):
        with refused(database, "reason: expected why") as connection:
            act(connection)
    with refused(database, "change: expected a price or an order, found neither") as connection:
        ledger.change(connection, "bob", number, None, None, "hm")


def test_the_kill_switch_releases_the_last_approved_prices(database: Database) -> None:
    with database.write() as connection:
        first, second, third, *_ = file(connection, DATE)
        ledger.approve(connection, "bob", [first], "")
        ledger.change(connection, "bob", second, 3.3, None, "rounder")
        ledger.reject(connection, "bob", [third], "no")
        file(connection, LATER)
    with database.write() as connection:
        assert ledger.kill(connection, "bob", "nonsense in the shop") == 2 * len(SERIES) - 3
    with database.write() as connection:
        assert ledger.release_last(connection, "bob", LATER) == 2
        assert ledger.release_last(connection, "bob", LATER) == 0
    last = [(LATER, *SERIES[0], 2.9, None, "kill switch"), (LATER, *SERIES[1], 3.3, None, "kill switch")]
    assert releases(database, LATER) == last
    assert not set(statuses(database).values()) & set(OPEN)


def test_while_the_switch_is_on_nothing_else_is_released(database: Database) -> None:
    with database.write() as connection:
        (first,) = file(connection, DATE, ONE)
        ledger.approve(connection, "bob", [first], "")
        (open_one,) = file(connection, LATER, ONE)
        ledger.kill(connection, "bob", "stop")
    for act in (
        lambda connection: file(connection, LATER, ONE),
        lambda connection: ledger.approve(connection, "bob", [open_one], ""),
    ):
        with refused(
            database, "kill switch: expected it to be off, found it on: stop", Conflict
        ) as connection:
            act(connection)
    with database.write() as connection:
        ledger.approve(connection, "bob", [first], "")  # it is: nothing is released
    with refused(database, "expected it to be off, found it on", Conflict) as connection:
        ledger.kill(connection, "bob", "stop again")
    with database.write() as connection:
        ledger.resume(connection, "bob", "mended")
    with refused(database, "expected it to be on, found it off", Conflict) as connection:
        ledger.resume(connection, "bob", "")
    with refused(database, "expected it to be on, found it off", Conflict) as connection:
        ledger.release_last(connection, "bob", LATER)
    with database.write() as connection:
        (number,) = file(connection, LATER, ONE)
        ledger.approve(connection, "bob", [number], "")
    assert len(releases(database, LATER)) == 1


def test_what_the_switch_released_is_not_proposed_again(database: Database) -> None:
    with database.write() as connection:
        ledger.approve(connection, "bob", file(connection, DATE, SERIES[:2]), "")
        ledger.kill(connection, "bob", "stop")
        ledger.release_last(connection, "bob", LATER)
        ledger.resume(connection, "bob", "mended")
    with database.write() as connection:
        numbers = file(connection, LATER)
        ledger.approve(connection, "bob", numbers, "")
    assert len(numbers) == len(SERIES) - 2
    assert len(releases(database, LATER)) == len(SERIES)


def test_the_last_approved_price_is_that_of_the_latest_date(database: Database) -> None:
    with database.write() as connection:
        later = file(connection, "2023-05-09", ONE, price=3.9)
        ledger.approve(connection, "bob", later, "")
        ledger.approve(connection, "bob", file(connection, DATE, ONE), "late")
        ledger.kill(connection, "bob", "stop")
        ledger.release_last(connection, "bob", "2023-05-16")
        ledger.release_last(connection, "bob", "2023-05-23")  # what a switch released is nobody's decision
    assert releases(database)[-2:] == [
        (date, *SERIES[0], 3.9, None, "kill switch") for date in ("2023-05-16", "2023-05-23")
    ]


def test_pages_go_on_where_the_last_one_ended(database: Database) -> None:
    with database.write() as connection:
        ledger.approve(connection, "bob", file(connection), "")
    with database.read() as connection:
        pages: list[int] = []
        while page := ledger.released(connection, None, pages[-1] if pages else 0, 4):
            pages += [found["id"] for found in page]
        assert len(pages) == len(set(pages)) == len(SERIES)
        assert ledger.released(connection, LATER, 0, 10) == []
        assert len(ledger.listed(connection, {"status": RELEASED, "date": DATE}, 0, 10)) == len(SERIES)
        assert len(ledger.listed(connection, {"status": RELEASED, "date": DATE}, 0, 4)) == 4


@pytest.mark.parametrize("strange", ["a\0b", "a\ud800b"])
def test_what_is_no_text_is_refused_whatever_the_database(database: Database, strange: str) -> None:
    with database.write() as connection:
        (number,) = file(connection, series=ONE)
    acts = [
        lambda c: ledger.approve(c, "bob", [number], strange),
        lambda c: ledger.approve(c, strange, [number], ""),
        lambda c: ledger.kill(c, "bob", strange),
        lambda c: file(c, series=[("corner", strange)]),
        lambda c: ledger.released(c, strange, 0, 10),
        lambda c: ledger.listed(c, {"status": strange}, 0, 10),
    ]
    for act in acts:
        with refused(database, "expected text, found") as connection:
            act(connection)
    assert statuses(database) == {number: PROPOSED}


def test_what_a_column_cannot_hold_is_refused_whatever_the_database(database: Database) -> None:
    with refused(database, "location: expected at most 500 characters, found 501") as connection:
        file(connection, series=[("x" * 501, "mocha")])
    with refused(database, "actor: expected at most 200 characters") as connection:
        ledger.approve(connection, "x" * 201, file(connection), "")
    for number in (2**31, 10**30, -(10**30)):
        with refused(database, "id: expected a whole number") as connection:
            ledger.approve(connection, "bob", [number], "")
        with pytest.raises(InputError, match="id: expected a whole number"), database.read() as connection:
            ledger.released(connection, None, number, 10)


class Shop(RuleBasedStateMachine):
    """Anybody does anything, in any order."""

    database: Database
    some = st.lists(st.sampled_from(SERIES), min_size=1, unique=True)
    dates = st.sampled_from([DATE, LATER, "2023-05-04"])
    numbers = st.lists(st.integers(1, 30), min_size=1, max_size=4)
    reasons = st.sampled_from(["", "because"])

    def __init__(self) -> None:
        super().__init__()
        empty(self.database)

    def act(self, do: Any, *given: Any) -> None:
        """Do it; what is refused leaves everything as it was."""
        with self.database.read() as connection:
            before = kept(connection)
        try:
            with self.database.write() as connection:
                do(connection, *given)
        except InputError:
            with self.database.read() as connection:
                assert kept(connection) == before

    def of(self, numbers: list[int]) -> list[int]:
        """Numbers of proposals that mostly are there."""
        found = list(statuses(self.database))
        return [found[number % len(found)] if found else number for number in numbers]

    @rule(date=dates, series=some, held=st.booleans())
    def propose(self, date: str, series: list[tuple[str, str]], held: bool) -> None:
        self.act(lambda connection: file(connection, date, series, status=HELD if held else PROPOSED))

    @rule(numbers=numbers, reason=reasons)
    def approve(self, numbers: list[int], reason: str) -> None:
        self.act(ledger.approve, "bob", self.of(numbers), reason)

    @rule(number=st.integers(0, 5))
    def approve_sheet(self, number: int) -> None:
        with self.database.read() as connection:
            found = list(connection.execute(select(records.sheets.c.id)).scalars()) or [1]
        self.act(ledger.approve_sheet, "bob", found[number % len(found)], "")

    @rule(number=numbers, price=st.none() | st.floats(1.5, 4.5), order=st.none() | st.integers(-1, 50))
    def change(self, number: list[int], price: float | None, order: int | None) -> None:
        self.act(ledger.change, "bob", self.of(number)[0], price, order, "because")

    @rule(numbers=numbers, reason=reasons)
    def reject(self, numbers: list[int], reason: str) -> None:
        self.act(ledger.reject, "bob", self.of(numbers), reason)

    @rule()
    def kill(self) -> None:
        self.act(ledger.kill, "bob", "because")

    @rule()
    def resume(self) -> None:
        self.act(ledger.resume, "bob", "because")

    @rule(date=dates)
    def release_last(self, date: str) -> None:
        self.act(ledger.release_last, "bob", date)

    @invariant()
    def holds(self) -> None:
        with self.database.read() as connection:
            assert verify(connection).fault == ""
            rows = ledger.listed(connection, {}, 0, 1000)
            done = ledger.released(connection, None, 0, 1000)
        told = [(found["date"], found["location"], found["item"]) for found in done]
        assert len(told) == len(set(told))
        stands = [
            (found["date"], found["location"], found["item"])
            for found in rows
            if found["status"] not in (SUPERSEDED, WITHDRAWN)
        ]
        assert len(stands) == len(set(stands))
        waits = {
            (found["date"], found["location"], found["item"]) for found in rows if found["status"] in OPEN
        }
        assert not waits & set(told)
        by_number = {found["id"]: found for found in rows}
        decided = {found["proposal"]: found for found in done if found["proposal"] is not None}
        assert set(decided) == {number for number, found in by_number.items() if found["status"] == RELEASED}
        for number, found in decided.items():
            proposed = by_number[number]
            assert all(found[name] == proposed[name] for name in ("date", "location", "item"))
            same = (found["price"], found["order"]) == (proposed["price"], proposed["order"])
            assert found["source"] == ("approved" if same else "changed")
            assert proposed["least_price"] <= found["price"] <= proposed["most_price"]


@pytest.mark.parametrize(
    ("examples", "steps"), [(4, 12), pytest.param(60, 30, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_whatever_the_order_nothing_is_released_twice_and_the_trail_holds(
    database: Database, examples: int, steps: int
) -> None:
    machine = type("Shop", (Shop,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
