"""Sheets as a policy would propose them, made up."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select

from mercato.app.service import ledger, records
from mercato.app.service.audit import START
from mercato.app.service.database import Database
from mercato.app.service.records import PROPOSED
from mercato.forecasters.errors import InputError

LOCATIONS, ITEMS = ("corner", "007"), ("mocha", "flat white", "=1+1")
SERIES = tuple(itertools.product(LOCATIONS, ITEMS))
DATE, LATER = "2023-05-02", "2023-05-03"


def about(date: str = DATE) -> dict[str, Any]:
    """What a sheet says of itself."""
    return {
        "date": date,
        **{name: name[0] * 64 for name in ("market", "policy", "input")},
        "currency": "€",
        **{"gain": 1.5, "gain_lo": -0.0, "gain_hi": 2.0},
        "notes": ["3 series have ended"],
        "steps": {"dead band": 1},
    }


def row(location: str, item: str, **other: Any) -> dict[str, Any]:
    """What is proposed for a series."""
    return {
        **{"location": location, "item": item, "status": PROPOSED},
        **{"current_price": 3.0, "price": 2.9, "least_price": 2.0, "most_price": 4.0, "order": 24},
        **{"expected_units": 20.5, "expected_gain": 1.25, "gain_lo": 0.5, "gain_hi": 2.0},
        **{"outside_support": False, "why": "demand is elastic", "note": "stock assumed", "flags": ""},
        **{"would_change": "count the shelf"},
        **other,
    }


def file(
    connection: Connection, date: str = DATE, series: Sequence[tuple[str, str]] = SERIES, **other: Any
) -> list[int]:
    """File a sheet of some series; the numbers of its proposals."""
    sheet, _, _ = ledger.file_sheet(connection, "ann", about(date), [row(*one, **other) for one in series])
    asked = select(records.proposals.c.id).where(records.proposals.c.sheet == sheet)
    return list(connection.execute(asked.order_by(records.proposals.c.id)).scalars())


@contextmanager
def refused(database: Database, said: str, kind: type[InputError] = InputError) -> Iterator[Connection]:
    """A change that has to be refused, in these words."""
    with pytest.raises(kind, match=said), database.write() as connection:
        yield connection


def kept(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All that a database holds, by table."""
    return {
        table.name: sorted(tuple(row) for row in connection.execute(select(table)))
        for table in records.metadata.sorted_tables
    }


def empty(database: Database) -> None:
    """Make a database as a new one is, which is sooner done than a new one."""
    with database.write() as connection:
        if connection.dialect.name == "postgresql":  # numbers begin again, too
            names = ", ".join(table.name for table in records.metadata.sorted_tables)
            connection.exec_driver_sql(f"truncate {names} restart identity")
        for table in reversed(records.metadata.sorted_tables):
            connection.execute(delete(table))
        connection.execute(insert(records.head), {"id": 1, "seq": 0, "hash": START})
        connection.execute(insert(records.switch), {"id": 1, "on": False, "reason": ""})
