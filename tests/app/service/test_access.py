"""Tokens, roles and rates."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from mercato.app.service import access, records
from mercato.app.service.access import ADMIN, APPROVER, VIEWER, Caller, Rates
from mercato.app.service.database import Database
from mercato.app.service.refusals import Conflict, Unknown
from tests.app.service.rows import refused


def test_a_token_is_known_by_its_hash_and_kept_nowhere(database: Database) -> None:
    with database.write() as connection:
        token = access.add_token(connection, "root", " ann ", APPROVER)
        other = access.add_token(connection, "root", "bob", VIEWER)
    assert token != other
    assert len(token) >= 43  # 32 random bytes
    with database.read() as connection:
        assert access.caller_of(connection, token) == Caller("ann", APPROVER)
        assert access.caller_of(connection, other) == Caller("bob", VIEWER)
        for table in records.metadata.sorted_tables:
            assert token not in str(connection.execute(select(table)).all())
        for guess in ("", "ann", token[:-1], token.swapcase(), token + "\0", "\ud800", "x" * 10_000):
            assert access.caller_of(connection, guess) is None
        hashed = connection.execute(select(records.tokens.c.hash)).scalars().first()
        assert hashed is not None
        assert access.caller_of(connection, hashed) is None


def test_a_token_that_was_ended_is_nobodys(database: Database) -> None:
    with database.write() as connection:
        assert not access.any_token(connection)
        token = access.add_token(connection, "root", "ann", ADMIN)
        assert access.any_token(connection)
        access.revoke_token(connection, "root", "ann")
        assert access.caller_of(connection, token) is None
        assert not access.any_token(connection)
    with refused(database, "expected the name of one that holds", Unknown) as connection:
        access.revoke_token(connection, "root", "ann")
    with refused(database, "'ann' has had a token", Conflict) as connection:
        access.add_token(connection, "root", "ann", VIEWER)


@pytest.mark.parametrize(
    ("name", "role"), [("", VIEWER), ("  ", VIEWER), ("x" * 101, VIEWER), ("a\0", VIEWER), ("ann", "root")]
)
def test_a_token_needs_a_name_and_a_role(database: Database, name: str, role: str) -> None:
    with refused(database, "(name|role): expected") as connection:
        access.add_token(connection, "root", name, role)


def test_each_role_may_do_what_those_before_it_may() -> None:
    may = {
        role: [Caller("x", role).may(needed) for needed in (VIEWER, APPROVER, ADMIN)] for role in access.ROLES
    }
    assert may == {VIEWER: [True, False, False], APPROVER: [True, True, False], ADMIN: [True, True, True]}


def test_a_bucket_empties_and_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(access.time, "monotonic", lambda: now[0])
    rates = Rates(each_second=2.0, burst=3)
    assert [rates.allow("ann") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert rates.allow("bob") == 0.0
    now[0] = 0.5
    assert [rates.allow("ann") > 0 for _ in range(2)] == [False, True]
    now[0] = 1000.0
    assert [rates.allow("ann") > 0 for _ in range(4)] == [False, False, False, True]


def test_only_so_many_callers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_CALLERS", 3)
    rates = Rates(each_second=1e-9, burst=1)
    for caller in "abcd":
        assert rates.allow(caller) == 0.0
    assert rates.allow("d") > 0
    assert rates.allow("a") == 0.0  # it was heard of longest ago, and forgotten


def test_callers_in_many_threads_share_a_bucket() -> None:
    rates = Rates(each_second=1e-9, burst=100)
    heard: list[float] = []

    def ask() -> None:
        heard.extend(rates.allow("ann") for _ in range(500))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard.count(0.0) == 100
