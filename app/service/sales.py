"""The sales that a service has taken in: batches, each whole or not at all, each once.

A batch is a table as ``mercato fit`` reads one. A row of a later batch takes the place of the same date,
location and item of an earlier one, and of the market's own table; how many do is counted.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, bindparam, func, insert, select

from ...forecasters.errors import InputError
from ...forecasters.panel import SalesPanel
from ...forecasters.panel.columns import key_codes
from ...forecasters.panel.dates import days_of
from ...forecasters.panel.extend import extended
from ...forecasters.panel.tables import read_csv
from . import audit
from .kept import text
from .lookups import in_parts
from .records import batches
from .refusals import Conflict

_KEYS = ("date", "location", "item")
_LONGEST_KEY = 200
_DIGESTS = select(batches.c.id, batches.c.digest).order_by(batches.c.id)
_BODIES = select(batches.c.id, batches.c.body).where(batches.c.id.in_(bindparam("numbers", expanding=True)))
_LATEST = select(func.coalesce(func.max(batches.c.id), 0))


@dataclass(frozen=True)
class Batch:
    """A table that came in, and how often it had come before."""

    number: int
    rows: int
    replaced: int  # rows that earlier batches had
    repeated: bool  # it had come before, and nothing was done
    notes: list[str]  # what cleaning did, and what was left out


def version(connection: Connection) -> int:
    """The number of the latest batch, 0 where there is none."""
    return int(connection.execute(_LATEST).scalar_one())


class History:
    """The tables of all batches, each read once: a batch is never changed.

    Args:
        renames: names of columns, ours -> theirs.
    """

    def __init__(self, renames: Mapping[str, str]) -> None:
        self._renames = renames
        self._tables: dict[tuple[int, str], pd.DataFrame] = {}

    def read(self, connection: Connection) -> tuple[int, str, list[pd.DataFrame]]:
        """The latest batch's number, one digest of all, and their tables, in order."""
        there = [tuple(row) for row in connection.execute(_DIGESTS)]
        tables = {one: self._tables[one] for one in there if one in self._tables}
        for part in in_parts([one for one in there if one not in tables]):
            bodies = dict(
                tuple(row) for row in connection.execute(_BODIES, {"numbers": [n for n, _ in part]})
            )
            tables |= {one: parse(gzip.decompress(bodies[one[0]]), self._renames) for one in part}
        self._tables = tables
        told = audit.digest([digest for _, digest in there])
        return (there[-1][0] if there else 0), told, [tables[one] for one in there]


def parse(body: bytes, renames: Mapping[str, str]) -> pd.DataFrame:
    """The table in the bytes of a CSV file, under its own names (``renames``: ours -> theirs).

    Raises:
        InputError: it is none.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sales.csv"
        path.write_bytes(body)
        if not body.strip():
            raise InputError("sales: expected a table, found nothing")
        try:
            return read_csv(path, renames)[0]
        except InputError as error:
            raise InputError(str(error).replace(str(path), "sales")) from None


def settled(own: SalesPanel, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A table as it is kept, whatever wrote it: dates as days, names as text; and how the dates were read.

    Raises:
        InputError: a date, location or item is missing or unreadable.
    """
    names = _names(own)
    if lost := [name for name in names if name not in table]:
        raise InputError(
            f"sales: expected a column {lost[0]}, found {', '.join(map(str, table.columns))[:200]}"
        )
    date, *keys = names
    notes: list[str] = []
    out = table.assign(**{date: days_of(table[date], notes).astype(str)})
    for name in keys:
        codes, known = key_codes(table[name])
        out[name] = np.array(known, dtype=object)[codes]
    return out, notes


def latest(own: SalesPanel, tables: Sequence[pd.DataFrame]) -> tuple[SalesPanel | None, int]:
    """The panel of all batches together, and how many dates of series the last one replaced.

    Raises:
        InputError: the last one is no sales table that carries the market's own on.
    """
    if not tables:
        return None, 0
    names, whole = _names(own), pd.concat(tables, ignore_index=True)
    batch = pd.Series(np.repeat(np.arange(len(tables)), [len(table) for table in tables]))
    last = batch.groupby([whole[name] for name in names]).transform("max")
    panel = own.reading.read(whole[batch == last], otherwise=own.frequency)
    fresh = batch == len(tables) - 1
    before, after = (whole.loc[which, names].drop_duplicates() for which in (~fresh, fresh))
    return panel, len(before.merge(after))


def _names(own: SalesPanel) -> list[str]:
    """Of the columns that tell one row from another, in the tables that come in."""
    return [own.reading.map.get(name, name) for name in _KEYS]


def take(
    connection: Connection, actor: str, key: str, table: pd.DataFrame, seen: int, about: Batch, date: str
) -> Batch | None:
    """Keep a batch that was read after batch ``seen``; None where another has come in between."""
    body, told, at = as_csv(table), digest_of(table), audit.now()
    if (known := known_batch(connection, key, told)) is not None:
        return known
    if version(connection) != seen:
        return None
    row = {
        "key": key,
        "digest": told,
        "rows": len(table),
        "first_date": str(table[date].min()),
        "last_date": str(table[date].max()),
    }
    kept = {**row, "accepted_at": at, "actor": actor, "body": gzip.compress(body, mtime=0)}
    number = connection.execute(insert(batches).returning(batches.c.id), kept).scalar_one()
    audit.record(connection, actor, "sales", {"batch": number, **row}, at)
    return Batch(number, about.rows, about.replaced, False, about.notes)


def known_batch(connection: Connection, key: str, told: str) -> Batch | None:
    """The batch of a key, if it has come before.

    Raises:
        Conflict: it came with other rows.
    """
    if not 0 < len(key) <= _LONGEST_KEY:
        raise InputError(f"key: expected 1 to {_LONGEST_KEY} characters, found {len(key)}")
    row = connection.execute(
        select(batches.c.id, batches.c.digest, batches.c.rows).where(batches.c.key == key)
    ).one_or_none()
    if row is None:
        return None
    if row.digest != told:
        raise Conflict(f"key: expected a new one for new rows, found {key!r:.60} used for others")
    return Batch(row.id, row.rows, 0, True, [])


def as_csv(table: pd.DataFrame) -> bytes:
    """One text of a table, however it came and in whatever order its columns stand."""
    ordered = table[sorted(table.columns)]
    return ordered.to_csv(index=False, lineterminator="\n").encode("utf-8", "backslashreplace")


def digest_of(table: pd.DataFrame) -> str:
    """SHA-256 of a table."""
    return hashlib.sha256(as_csv(table)).hexdigest()


def of_rows(rows: Any, renames: Mapping[str, str]) -> pd.DataFrame:
    """A table of JSON objects.

    Raises:
        InputError: they are none.
    """
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError("rows: expected a list of objects, one a row, found something else or none")
    for name, value in (field for row in rows for field in row.items()):
        text("rows", name)
        if isinstance(value, str):
            text("rows", value)
        elif isinstance(value, list | dict):
            said = f"expected text, a number or nothing for {name!r:.60}, found {value!r:.60}"
            raise InputError(f"rows: {said}")
    return parse(as_csv(pd.DataFrame(rows)), renames)


def check(own: SalesPanel, tables: Sequence[pd.DataFrame]) -> Batch:
    """What the last of some tables would do.

    Raises:
        InputError: it does not fit.
    """
    panel, replaced = latest(own, tables)
    assert panel is not None  # there is a last one
    _, notes = extended(own, panel)
    return Batch(0, len(tables[-1]), replaced, False, [*map(str, panel.report.notes), *notes])
