"""Whether the trail is whole, and whether the records are what it tells.

The entries are gone through in order and done once more, on paper: what comes of it must be what the tables
hold, row by row.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from . import audit
from .records import (
    HELD,
    PROPOSED,
    REJECTED,
    RELEASED,
    SUPERSEDED,
    WITHDRAWN,
    batches,
    head,
    proposals,
    releases,
    sheets,
    switch,
    tokens,
)
from .records import audit as trail

Series = tuple[str, str, str]
Entry = Mapping[Any, Any]


@dataclass(frozen=True)
class Verified:
    """How far a trail holds."""

    entries: int
    last: str  # hash of the last entry that holds
    fault: str  # what is wrong first; nothing where all holds


def verify(connection: Connection) -> Verified:
    """Whether the chain holds, and whether what it tells of is still what the tables hold."""
    before, seq, said = audit.START, 0, ""
    paper = _Paper(connection)
    for row in connection.execute(select(trail).order_by(trail.c.seq)).mappings():
        entry = {name: row[name] for name in ("seq", "at", "actor", "action", "body", "before")}
        if entry["seq"] != seq + 1:
            said = f"entry {seq + 1} is missing"
        elif entry["before"] != before:
            said = f"entry {entry['seq']} does not follow the one before it"
        elif audit.digest(entry) != row["hash"]:
            said = f"entry {entry['seq']} was changed"
        if said:
            return Verified(seq, before, said)
        paper.do(entry, json.loads(entry["body"]))
        seq, before = entry["seq"], row["hash"]
    end = connection.execute(select(head.c.seq, head.c.hash)).one_or_none()
    if end is None or (end.seq, end.hash) != (seq, before):
        told = "is lost" if end is None else f"is at {end.seq}"
        return Verified(seq, before, f"entries after {seq} are missing: the end of the chain {told}")
    return Verified(seq, before, paper.fault or paper.rest())


class _Paper:
    """The records as the entries make them, and the first that is not so in the tables."""

    def __init__(self, connection: Connection) -> None:
        self.fault = ""
        self._connection = connection
        self._sheets: set[int] = set()
        self._batches: set[int] = set()
        self._status: dict[int, str] = {}  # of proposals
        self._open: dict[Series, int] = {}
        self._series: dict[int, Series] = {}  # of those that are open
        self._released: dict[Series, tuple[Any, ...]] = {}
        self._tokens: dict[str, list[str | None]] = {}
        self._switch = (False, "")

    def do(self, entry: Entry, body: Mapping[str, Any]) -> None:
        """Do what an entry tells, until the first fault."""
        if not self.fault and (act := _ACTS.get(entry["action"])) is not None:
            self.fault = act(self, entry, body)

    def rest(self) -> str:
        """What the tables hold otherwise than the entries tell."""
        return (
            self._strangers("sheet", sheets, self._sheets)
            or self._strangers("batch", batches, self._batches)
            or self._statuses()
            or self._releases()
            or self._callers()
            or self._switched()
        )

    def _sales(self, entry: Entry, body: Mapping[str, Any]) -> str:
        number = body["batch"]
        self._batches.add(number)
        row = self._row(batches, number)
        if row is None:
            return f"batch {number} of sales is missing"
        told = {"accepted_at": entry["at"], "actor": entry["actor"]}
        told |= {name: body[name] for name in ("key", "digest", "rows", "first_date", "last_date")}
        same = all(row[name] == value for name, value in told.items())
        return (
            "" if same and _of_body(row["body"]) == body["digest"] else f"batch {number} of sales was changed"
        )

    def _propose(self, _: Entry, body: Mapping[str, Any]) -> str:
        number = body["sheet"]
        self._sheets.add(number)
        row = self._row(sheets, number)
        if row is None:
            return f"sheet {number} is missing"
        if audit.sheet_digest(row) != body["about"]:
            return f"sheet {number} was changed"
        found = self._connection.execute(select(proposals).where(proposals.c.sheet == number)).mappings()
        rows = found.all()
        if audit.rows_digest(rows) != body["rows"]:
            return f"proposals of sheet {number} were changed"
        held = set(body["held"])
        for row in rows:
            series = audit.series(row)
            if series in self._open:
                self._close(self._open[series], SUPERSEDED)
            self._status[row["id"]] = HELD if row["id"] in held else PROPOSED
            self._open[series], self._series[row["id"]] = row["id"], series
        return ""

    def _release(self, entry: Entry, body: Mapping[str, Any]) -> str:
        for told in body["released"]:
            series, number = audit.series(told), told["proposal"]
            if number is not None:
                if self._open.get(series) != number:
                    return f"decision {number} is not the one of {', '.join(series)} that was released"
                self._close(number, RELEASED)
            said = (told["price"], told["order"], told["source"], number)
            self._released[series] = (*said, body["reason"], entry["at"], entry["actor"])
        return ""

    def _reject(self, _: Entry, body: Mapping[str, Any]) -> str:
        for number in body["proposals"]:
            if number not in self._series:
                return f"decision {number} is not one that could be rejected"
            self._close(number, REJECTED)
        return ""

    def _kill(self, _: Entry, body: Mapping[str, Any]) -> str:
        for number in list(self._series):
            self._close(number, WITHDRAWN)
        self._switch = (True, body["reason"])
        return ""

    def _resume(self, _: Entry, __: Mapping[str, Any]) -> str:
        self._switch = (False, "")
        return ""

    def _token(self, entry: Entry, body: Mapping[str, Any]) -> str:
        self._tokens[body["name"]] = [body["role"], body["hash"], entry["at"], None]
        return ""

    def _revoke(self, entry: Entry, body: Mapping[str, Any]) -> str:
        self._tokens[body["name"]][-1] = entry["at"]
        return ""

    def _close(self, number: int, status: str) -> None:
        self._status[number] = status
        del self._open[self._series.pop(number)]

    def _row(self, table: Any, number: int) -> Mapping[Any, Any] | None:
        return self._connection.execute(select(table).where(table.c.id == number)).mappings().one_or_none()

    def _strangers(self, what: str, table: Any, told: set[int]) -> str:
        strange = set(self._connection.execute(select(table.c.id)).scalars()) - told
        return f"{what} {min(strange)} is not in the trail" if strange else ""

    def _statuses(self) -> str:
        asked = select(proposals.c.id, proposals.c.status).order_by(proposals.c.id)
        for number, status in self._connection.execute(asked):
            told = self._status.get(number)
            if told is None:
                return f"decision {number} is not in the trail"
            if told != status:
                return f"decision {number} is {status!r:.40}, where the trail tells that it is {told}"
        return ""

    def _releases(self) -> str:
        there = {
            audit.series(row): tuple(
                row[name]
                for name in ("price", "order", "source", "proposal", "reason", "released_at", "actor")
            )
            for row in self._connection.execute(select(releases)).mappings()
        }
        for series in sorted(there.keys() | self._released.keys()):
            if there.get(series) != self._released.get(series):
                return f"the release of {', '.join(series)} is not as it was told"
        return ""

    def _callers(self) -> str:
        columns = (tokens.c.name, tokens.c.role, tokens.c.hash, tokens.c.added_at, tokens.c.revoked_at)
        there = {name: told for name, *told in self._connection.execute(select(*columns))}
        for name in sorted(there.keys() | self._tokens.keys()):
            if there.get(name) != self._tokens.get(name):
                return f"the token of {name} is not as it was told"
        return ""

    def _switched(self) -> str:
        row = self._connection.execute(select(switch)).one_or_none()
        same = row is not None and (row.on, row.reason) == self._switch
        return "" if same else "the kill switch is not as it was told"


_ACTS: dict[str, Callable[[_Paper, Entry, Mapping[str, Any]], str]] = {
    "sales": _Paper._sales,
    "propose": _Paper._propose,
    **dict.fromkeys(("approve", "change", "release last"), _Paper._release),
    "reject": _Paper._reject,
    "kill": _Paper._kill,
    "resume": _Paper._resume,
    "token": _Paper._token,
    "revoke": _Paper._revoke,
}


def _of_body(body: bytes) -> str:
    """SHA-256 of a batch's table; nothing where it is damaged."""
    try:
        return hashlib.sha256(gzip.decompress(body)).hexdigest()
    except (OSError, EOFError, zlib.error):
        return ""
