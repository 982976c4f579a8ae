"""The trail of what was done: entries in a chain, each holding the hash of the one before.

An entry that is changed, left out or put in between breaks the chain from there on (Haber and Stornetta 1991,
"How to time-stamp a digital document", Journal of Cryptology 3), which ``verification`` finds. Whoever can
rewrite the whole database can rewrite the whole chain, too: so the last hash is printed, and belongs in
somebody else's hands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Float, Table, bindparam, insert, select, update

from ..output import plain
from .kept import text
from .records import audit, head, proposals, sheets

START = "0" * 64
_CHANGES = "status"  # of a proposal, as it is decided
_LATER = ("would_change", "drivers")  # columns that older proposals lack
_HEAD = select(head.c.seq, head.c.hash)
_MOVE = update(head).values(seq=bindparam("to"), hash=bindparam("told"))


def now() -> str:
    """The time, in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def canonical(value: Any) -> str:
    """One text for one value."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def record(connection: Connection, actor: str, action: str, body: Mapping[str, Any], at: str = "") -> None:
    """Add an entry, in a transaction that holds the end of the chain (``Database.write``).

    Args:
        connection: of that transaction.
        actor: who.
        action: did what.
        body: … to what.
        at: ``now()``, as the records have it that the entry tells of.

    Raises:
        Unkept: the actor or the body holds what is no text.
    """
    last = connection.execute(_HEAD).one()
    entry = {
        "seq": last.seq + 1,
        "at": at or now(),
        "actor": text("actor", actor),
        "action": action,
        "body": text(action, canonical(body)),
        "before": last.hash,
    }
    entry["hash"] = digest(entry)
    connection.execute(insert(audit), entry)
    connection.execute(_MOVE, {"to": entry["seq"], "told": entry["hash"]})


def entries(connection: Connection, after: int, limit: int) -> list[dict[str, Any]]:
    """Entries of the trail after one of that number, in order."""
    rows = connection.execute(select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit))
    return [{**row._mapping, "body": json.loads(row.body)} for row in rows]


def last_entries(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The last entries of the trail, the latest first."""
    rows = connection.execute(select(audit).order_by(audit.c.seq.desc()).limit(limit))
    return [{**row._mapping, "body": json.loads(row.body)} for row in rows]


def sheet_digest(row: Mapping[Any, Any]) -> str:
    """SHA-256 of a sheet, its number among it, the same as it is written and as it is read."""
    return digest(_as_read(sheets, row))


def rows_digest(rows: Iterable[Mapping[Any, Any]]) -> str:
    """SHA-256 of proposals, their numbers among it, whatever became of them since."""
    return digest(sorted((_as_read(proposals, row) for row in rows), key=itemgetter("id")))


def series(row: Mapping[Any, Any]) -> tuple[str, str, str]:
    """Date, location and item of a proposal or a release."""
    return row["date"], row["location"], row["item"]


def _as_read(table: Table, row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as the database gives it back: numbers of a column of one kind, and no sign before nothing."""
    return {
        name: row[name] + 0.0 if isinstance(column.type, Float) and row[name] is not None else row[name]
        for name, column in table.columns.items()
        if name != _CHANGES and not (name in _LATER and row.get(name) is None)
    }
