"""The trail of what was done: entries in a chain, each holding the hash of the one before.

An entry that is changed, left out or put in between breaks the chain from there on (Haber and Stornetta 1991,
"How to time-stamp a digital document", Journal of Cryptology 3). Whoever can rewrite the whole database can
rewrite the whole chain, too: so the last hash is printed, and belongs in somebody else's hands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ..output import plain
from .records import audit, head, proposals, releases, sheets

_START = "0" * 64
_SAID = tuple(column.name for column in proposals.columns if column.name not in ("id", "status"))


@dataclass(frozen=True)
class Verified:
    """How far a trail holds."""

    entries: int
    last: str  # hash of the last entry that holds
    fault: str  # what is wrong first; nothing where all holds


def now() -> str:
    """The time, in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def canonical(value: Any) -> str:
    """One text for one value."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def record(connection: Connection, actor: str, action: str, body: Mapping[str, Any]) -> None:
    """Add an entry, in a transaction that holds the end of the chain (``Database.write``)."""
    last = connection.execute(select(head.c.seq, head.c.hash)).one()
    entry = {"seq": last.seq + 1, "at": now(), "actor": actor, "action": action, "body": canonical(body)}
    entry |= {"before": last.hash}
    entry["hash"] = digest(entry)
    connection.execute(insert(audit), entry)
    connection.execute(update(head).values(seq=entry["seq"], hash=entry["hash"]))


def entries(connection: Connection, after: int, limit: int) -> list[dict[str, Any]]:
    """Entries of the trail after one of that number, in order."""
    rows = connection.execute(select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit))
    return [{**row._mapping, "body": json.loads(row.body)} for row in rows]


def verify(connection: Connection) -> Verified:
    """Whether the chain holds, and whether what it tells of is still what the tables hold."""
    before, seq, said = _START, 0, ""
    sheets_told: dict[int, str] = {}
    released: dict[tuple[str, str, str], tuple[float, int | None]] = {}
    for row in connection.execute(select(audit).order_by(audit.c.seq)).mappings():
        entry = {name: row[name] for name in ("seq", "at", "actor", "action", "body", "before")}
        if entry["seq"] != seq + 1:
            said = f"entry {seq + 1} is missing"
        elif entry["before"] != before:
            said = f"entry {entry['seq']} does not follow the one before it"
        elif digest(entry) != row["hash"]:
            said = f"entry {entry['seq']} was changed"
        if said:
            return Verified(seq, before, said)
        body = json.loads(entry["body"])
        if "sheet" in body:
            sheets_told[body["sheet"]] = body["rows"]
        released |= {_series(told): (told["price"], told["order"]) for told in body.get("released", ())}
        seq, before = entry["seq"], row["hash"]
    end = connection.execute(select(head.c.seq, head.c.hash)).one()
    if (end.seq, end.hash) != (seq, before):
        return Verified(seq, before, f"entries after {seq} are missing: the chain ends at {end.seq}")
    return Verified(seq, before, _changed(connection, sheets_told, released))


def rows_digest(rows: Iterable[Mapping[Any, Any]]) -> str:
    """SHA-256 of what proposals say, whatever became of them since."""
    told = [{name: row[name] for name in _SAID} for row in rows]
    return digest(sorted(told, key=_series))


def _series(row: Mapping[Any, Any]) -> tuple[str, str, str]:
    return row["date"], row["location"], row["item"]


def _changed(
    connection: Connection,
    told: Mapping[int, str],
    released: Mapping[tuple[str, str, str], tuple[float, int | None]],
) -> str:
    """The first record that is not what the entries told."""
    kept = {row.id for row in connection.execute(select(sheets.c.id))}
    if strange := kept ^ set(told):
        return f"sheet {min(strange)} is {'not in the trail' if min(strange) in kept else 'missing'}"
    for sheet, rows in told.items():
        found = connection.execute(select(proposals).where(proposals.c.sheet == sheet)).mappings()
        if rows_digest(found) != rows:
            return f"proposals of sheet {sheet} were changed"
    there = {
        _series(row): (row["price"], row["order"]) for row in connection.execute(select(releases)).mappings()
    }
    for key in sorted(there.keys() | released.keys()):
        if there.get(key) != released.get(key):
            return f"the release of {', '.join(key)} is not as it was told"
    return ""
