"""Whatever is done to the records behind the service's back is found, and named."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    LargeBinary,
    Table,
    delete,
    event,
    func,
    insert,
    select,
    update,
)

from mercato.app.service import access, audit, ledger, records, sales
from mercato.app.service.database import Database
from mercato.app.service.kept import Whole
from mercato.app.service.records import HELD, WITHDRAWN
from mercato.app.service.verification import verify
from tests.app.service.rows import LATER, SERIES, about, file, row

TABLES: dict[str, Table] = {table.name: table for table in records.metadata.sorted_tables}
SILENT = ("audit_head.id", "kill_switch.id", "token.id", "release.id")  # numbers that nothing tells of
COLUMNS = [column for table in TABLES.values() for column in table.columns if str(column) not in SILENT]
NAMED = {  # what a fault says of a table's row
    "sales_batch": "batch",
    "sheet": "sheet",
    "proposal": "sheet|decision|release",
    "release": "release of",
    "token": "token of",
    "kill_switch": "kill switch",
    "audit": "entry|entries",
    "audit_head": "entries after",
}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database in which all has happened that can."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('full') / 'service.sqlite'}")
    event.listen(database.engine, "connect", lambda kept, _: kept.execute("pragma foreign_keys = off"))
    database.engine.dispose()
    with database.write() as connection:
        batch = pd.DataFrame({"date": ["2023-05-01", "2023-04-30"], "units": [3, 4]})
        assert sales.take(connection, "till", "monday", batch, 0, sales.Batch(0, 2, 0, False, []), "date")
        access.add_token(connection, "root", "ann", "approver")
        access.add_token(connection, "root", "bob", "viewer")
        access.revoke_token(connection, "root", "bob")
        first, second, third, *_ = file(connection)
        ledger.approve(connection, "ann", [first], "fine")
        ledger.change(connection, "ann", second, 3.3, 7, "rounder")
        ledger.reject(connection, "ann", [third], "no")
        file(connection, series=SERIES[3:])
        rows = [row(*SERIES[0], status=HELD, flags="large order"), row(*SERIES[1])]
        ledger.file_sheet(connection, "ann", about(LATER), rows)
        ledger.kill(connection, "ann", "stop")
        ledger.release_last(connection, "ann", LATER)
        ledger.resume(connection, "ann", "mended")
        file(connection, LATER, SERIES[2:])
    yield database
    database.close()


def fault(database: Database, tamper: Callable[[Connection], Any]) -> str:
    """What verify says after something was done, which is then undone."""
    with database.engine.connect() as connection:
        connection = connection.execution_options(writes=True)
        turn = connection.begin()
        tamper(connection)
        said = verify(connection).fault
        turn.rollback()
    return said


def other(column: Column[Any], value: Any) -> Any:
    """Another value of a column."""
    if isinstance(column.type, Boolean):
        return not value
    if isinstance(column.type, Float):
        return 1.0 if value is None else value + 0.01
    if isinstance(column.type, LargeBinary):
        return gzip.compress(gzip.decompress(value).replace(b"3", b"5"))
    if isinstance(column.type, Whole):
        return 1000 if value is None else value + 1000
    return "x" if value is None else f"{value[:-1]}{'x' if value[-1:] != 'x' else 'y'}"


def test_a_trail_as_it_was_written_holds(full: Database) -> None:
    with full.read() as connection:
        found = verify(connection)
        last = connection.execute(select(records.head.c.hash)).scalar_one()
    assert (found.entries, found.last, found.fault) == (14, last, "")


def test_every_table_holds_something(full: Database) -> None:
    with full.read() as connection:
        for table in TABLES.values():
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() > 0


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_a_value_that_was_changed_is_found(full: Database, column: Column[Any]) -> None:
    table: Table = column.table  # type: ignore[assignment]
    key = next(iter(table.primary_key))
    with full.read() as connection:
        rows = connection.execute(select(key, column).order_by(key)).all()
    for number, value in rows:
        changed = other(column, value)
        tampered = update(table).where(key == number).values({column: changed})
        said = fault(full, lambda c, do=tampered: c.execute(do))
        assert any(word in said for word in NAMED[table.name].split("|")), f"row {number}: {said!r}"
        if table.name == "audit" and column.name != "seq":
            assert said.startswith(f"entry {number} ")


@pytest.mark.parametrize("name", TABLES)
def test_a_row_that_was_deleted_is_found(full: Database, name: str) -> None:
    table = TABLES[name]
    key = next(iter(table.primary_key))
    with full.read() as connection:
        numbers = list(connection.execute(select(key).order_by(key)).scalars())
    for number in numbers:
        said = fault(full, lambda c, n=number: c.execute(delete(table).where(key == n)))
        assert any(word in said for word in NAMED[name].split("|")), f"row {number}: {said!r}"
    said = fault(full, lambda c: c.execute(delete(table)))
    assert said


@pytest.mark.parametrize("name", ["audit", "proposal", "release", "sales_batch", "sheet", "token"])
def test_a_row_that_was_put_in_is_found(full: Database, name: str) -> None:
    table = TABLES[name]

    def put(connection: Connection) -> None:
        kept = dict(connection.execute(select(table)).mappings().first() or {})
        fresh = {"seq": kept["seq"] + 1000} if name == "audit" else {"id": kept["id"] + 1000}
        fresh |= {"date": "2024-01-01"} if name in ("proposal", "release") else {}
        fresh |= {"key": "new"} if name == "sales_batch" else {}
        fresh |= {"name": "mallory", "hash": "0" * 64} if name == "token" else {}
        connection.execute(insert(table), {**kept, **fresh})

    said = fault(full, put)
    assert any(word in said for word in NAMED[name].split("|")), said


def test_a_decision_cannot_be_taken_back_behind_the_trail(full: Database) -> None:
    table = records.proposals
    for status, back in (("released", "proposed"), ("rejected", "proposed"), (WITHDRAWN, "released")):
        where = table.c.id == select(func.min(table.c.id)).where(table.c.status == status).scalar_subquery()
        said = fault(full, lambda c, w=where, b=back: c.execute(update(table).where(w).values(status=b)))
        assert f"is '{back}', where the trail tells that it is {status}" in said


def test_an_end_that_was_cut_off_with_care_is_found(full: Database) -> None:
    """Entries after one are deleted and the chain's end is set back; what they told of is still there."""

    def cut(connection: Connection, keep: int) -> None:
        connection.execute(delete(records.audit).where(records.audit.c.seq > keep))
        last = select(records.audit.c.hash).where(records.audit.c.seq == keep)
        hash_ = connection.execute(last).scalar() or audit.START
        connection.execute(update(records.head).values(seq=keep, hash=hash_))

    with full.read() as connection:
        count = verify(connection).entries
    said = [fault(full, lambda c, n=keep: cut(c, n)) for keep in range(count)]
    assert all(said), said


def test_a_chain_that_was_written_anew_ends_otherwise(full: Database) -> None:
    """Whoever rewrites all is found by who kept the last hash."""

    def rewrite(connection: Connection) -> str:
        kept = connection.execute(select(records.audit).order_by(records.audit.c.seq)).mappings().all()
        connection.execute(delete(records.audit))
        connection.execute(update(records.head).values(seq=0, hash=audit.START))
        for entry in kept:
            body = entry["body"].replace("2.9", "2.8")
            fresh = {
                **entry,
                "body": body,
                "before": connection.execute(select(records.head.c.hash)).scalar_one(),
            }
            del fresh["hash"]
            fresh["hash"] = audit.digest(fresh)
            connection.execute(insert(records.audit), fresh)
            connection.execute(update(records.head).values(seq=fresh["seq"], hash=fresh["hash"]))
        connection.execute(update(records.releases).where(records.releases.c.price == 2.9).values(price=2.8))
        return ""

    with full.read() as connection:
        last = verify(connection).last
    with full.engine.connect() as connection:
        connection = connection.execution_options(writes=True)
        turn = connection.begin()
        rewrite(connection)
        found = verify(connection)
        turn.rollback()
    assert found.fault == ""
    assert found.last != last


def test_a_damaged_batch_of_sales_is_found(full: Database) -> None:
    for body in (b"", b"no gzip", gzip.compress(b"date,units\n"), gzip.compress(b"x" * 100)[:-9]):
        said = fault(full, lambda c, b=body: c.execute(update(records.batches).values(body=b)))
        assert said == "batch 1 of sales was changed"


def test_a_trail_is_read_while_others_write(tmp_path: Path, address: str) -> None:
    reader, writer = Database(address), Database(address)
    with writer.write() as connection:
        ledger.approve(connection, "ann", file(connection), "")
    with reader.read() as connection:
        before = verify(connection)
        with writer.write() as another:
            ledger.approve(another, "ann", file(another, LATER), "")
        assert verify(connection) == before
        assert before.fault == ""
    with reader.read() as connection:
        assert verify(connection).entries == 4
    reader.close()
    writer.close()


def test_a_number_reads_as_it_was_written(database: Database) -> None:
    """A whole number in a column of others, and nothing with a sign, in which databases differ."""
    with database.write() as connection:
        odd: dict[str, Any] = {"price": 3, "expected_gain": -0.0, "gain_lo": 0.1 + 0.2, "gain_hi": 1e300}
        file(connection, **odd)
        assert verify(connection).fault == ""
