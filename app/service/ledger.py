"""What becomes of proposals: filed, approved, changed, rejected, released, and what the kill switch releases.

Each function is one change within a transaction that its caller holds (``Database.write``). A series is
released at most once a date; what is released stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update

from ...forecasters.errors import InputError
from . import audit
from .lookups import Row, in_parts, numbered, released_of, series_of, standing_of
from .records import (
    HELD,
    OPEN,
    PROPOSED,
    REJECTED,
    RELEASED,
    SUPERSEDED,
    WITHDRAWN,
    proposals,
    releases,
    sheets,
    switch,
)
from .refusals import Conflict, Killed, Unknown

APPROVED, CHANGED, KILLED = "approved", "changed", "kill switch"
_LARGEST_ORDER = 10**9
_CENT = 1e-9  # of a price: what single and double precision differ by

# questions of every proposal, put together once
_SWITCH = select(switch.c.on, switch.c.reason)
_FILED = select(proposals.c.location, proposals.c.item, proposals.c.id).where(
    proposals.c.sheet == bindparam("number")
)
_MARK = (
    update(proposals)
    .where(proposals.c.id.in_(bindparam("numbers", expanding=True)))
    .values(status=bindparam("becomes"))
)
_SHEET = insert(sheets).returning(sheets.c.id)


def file_sheet(
    connection: Connection, actor: str, about: Row, rows: Sequence[Row]
) -> tuple[int, list[dict[str, Any]], list[str]]:
    """File proposals of one date; they take the place of open ones of the same series.

    Series that are decided for that date already stay so.

    Returns:
        The sheet's number, its proposals with theirs, and its notes: those given, and what was left out.

    Raises:
        Killed: the kill switch is on.
    """
    _refuse_killed(connection)
    date, notes, at = str(about["date"]), list(about["notes"]), audit.now()
    standing = standing_of(connection, date, rows)
    decided = {series for series, (_, status) in standing.items() if status not in OPEN}
    decided |= released_of(connection, date, [series_of(row) for row in rows])
    if decided:
        rows = [row for row in rows if series_of(row) not in decided]
        notes.append(f"{len(decided)} series are decided for {date} already, first {', '.join(min(decided))}")
    _mark(connection, [number for number, status in standing.values() if status in OPEN], SUPERSEDED)
    sheet = {**about, "notes": json.dumps(notes), "steps": json.dumps(about["steps"])}
    sheet |= {"proposed_at": at, "actor": actor}
    number = connection.execute(_SHEET, sheet).scalar_one()
    filed = _filed(connection, [{**row, "date": date, "sheet": number} for row in rows])
    body = {name: about[name] for name in ("date", "market", "policy", "input", "steps", "gain")}
    body |= {"sheet": number, "about": audit.sheet_digest({**sheet, "id": number})}
    body |= {"rows": audit.rows_digest(filed), "series": len(filed)}
    body |= {"held": sorted(row["id"] for row in filed if row["status"] == HELD)}
    audit.record(connection, actor, "propose", body, at)
    return number, [_told(row) for row in filed], notes


def approve_sheet(connection: Connection, actor: str, sheet: int, reason: str) -> list[int]:
    """Release every proposal of a sheet that is not held back; their numbers."""
    if connection.execute(select(sheets.c.id).where(sheets.c.id == sheet)).one_or_none() is None:
        raise Unknown(f"sheet: expected the number of one that was proposed, found {sheet}")
    asked = select(proposals.c.id).where(proposals.c.sheet == sheet, proposals.c.status == PROPOSED)
    numbers = list(connection.execute(asked.order_by(proposals.c.id)).scalars())
    if numbers:
        approve(connection, actor, numbers, reason)
    return numbers


def approve(connection: Connection, actor: str, numbers: Sequence[int], reason: str) -> None:
    """Release proposals as they are; what is held back needs a reason.

    Raises:
        Unknown: a number is none of a proposal.
        Conflict: one is decided otherwise; the kill switch is on.
        InputError: one is held back, and no reason is given.
    """
    rows = [
        row
        for row in numbered(connection, numbers)
        if not _released_at(connection, row, row["price"], row["order"])
    ]
    held = next((row for row in rows if row["status"] == HELD), None)
    if held is not None and not reason.strip():
        raise InputError(f"reason: expected one to release decision {held['id']}, held back: {held['flags']}")
    if rows:
        _release(connection, actor, "approve", [(row, row["price"], row["order"]) for row in rows], reason)


def change(
    connection: Connection,
    actor: str,
    number: int,
    price: float | None,
    order: int | None,
    reason: str,
    ruled: Callable[[float, float, float], float] | None = None,
) -> tuple[float, int]:
    """Release another price or order than was proposed; None leaves the proposed one.

    ``ruled`` is what is made of a price between the lowest and the highest that price rules leave.

    Returns:
        The price and the order that are released.

    Raises:
        Unknown, Conflict: as for ``approve``.
        InputError: no reason, neither a price nor an order, or a price that the price rules forbid.
    """
    (row,) = numbered(connection, [number])
    if not reason.strip():
        raise InputError("reason: expected why the decision is changed, found none")
    if price is None and order is None:
        raise InputError("change: expected a price or an order, found neither")
    least, most = row["least_price"], inf if row["most_price"] is None else row["most_price"]
    if price is None:
        price = float(row["price"])
    elif not (isfinite(price) and price > 0 and least * (1 - _CENT) <= price <= most * (1 + _CENT)):
        raise InputError(
            f"price: expected {least:g} to {most:g}, which the price rules leave {row['location']},"
            f" {row['item']}; found {price:g}"
        )
    elif ruled is not None:
        price = ruled(price, least * (1 - _CENT), most * (1 + _CENT))
    order = int(row["order"]) if order is None else order
    if not 0 <= order <= _LARGEST_ORDER:
        raise InputError(f"order: expected units of 0 to {_LARGEST_ORDER}, found {order}")
    if not _released_at(connection, row, price, order):
        _release(connection, actor, "change", [(row, price, order)], reason)
    return price, order


def reject(connection: Connection, actor: str, numbers: Sequence[int], reason: str) -> None:
    """Release nothing for these proposals: the current price stays.

    Raises:
        Unknown, Conflict: as for ``approve``.
        InputError: no reason is given.
    """
    if not reason.strip():
        raise InputError("reason: expected why decisions are rejected, found none")
    rows = [row for row in numbered(connection, numbers) if row["status"] != REJECTED]
    if not rows:
        return
    _refuse_decided(rows)
    rejected = sorted(row["id"] for row in rows)
    _mark(connection, rejected, REJECTED)
    audit.record(connection, actor, "reject", {"proposals": rejected, "reason": reason})


def killed(connection: Connection) -> str | None:
    """Why the kill switch is on; None while it is off."""
    row = connection.execute(_SWITCH).one()
    return row.reason if row.on else None


def kill(connection: Connection, actor: str, reason: str) -> int:
    """Withdraw all that is open; until ``resume`` only the last approved prices are released.

    Returns:
        How many proposals were withdrawn.
    """
    if not reason.strip():
        raise InputError("reason: expected why the kill switch is used, found none")
    if killed(connection) is not None:
        raise Conflict("kill switch: expected it to be off, found it on")
    withdrawn = connection.execute(
        update(proposals).where(proposals.c.status.in_(OPEN)).values(status=WITHDRAWN)
    ).rowcount
    connection.execute(update(switch).values(on=True, reason=reason))
    audit.record(connection, actor, "kill", {"reason": reason, "withdrawn": withdrawn})
    return withdrawn


def resume(connection: Connection, actor: str, reason: str) -> None:
    """Switch the kill switch off."""
    if killed(connection) is None:
        raise Conflict("kill switch: expected it to be on, found it off")
    connection.execute(update(switch).values(on=False, reason=""))
    audit.record(connection, actor, "resume", {"reason": reason})


def release_last(connection: Connection, actor: str, date: str) -> int:
    """Release, for a date, the last approved price of every series that has one and no release there yet.

    Orders are nobody's decision then, and are left empty.

    Raises:
        Conflict: the kill switch is off.
    """
    why = killed(connection)
    if why is None:
        raise Conflict("kill switch: expected it to be on, found it off")
    before = (releases.c.source != KILLED, releases.c.date < date)
    latest = (
        select(releases.c.location, releases.c.item, func.max(releases.c.date).label("date"))
        .where(*before)
        .group_by(releases.c.location, releases.c.item)
        .subquery()
    )
    same = (getattr(releases.c, name) == getattr(latest.c, name) for name in ("date", "location", "item"))
    asked = select(releases.c.location, releases.c.item, releases.c.price).join(latest, and_(*same))
    last = connection.execute(asked.where(*before).order_by(releases.c.id)).mappings().all()
    there = released_of(connection, date, [series_of(row) for row in last])
    rows = [
        {**row, "date": date, "order": None, "source": KILLED, "proposal": None}
        for row in last
        if series_of(row) not in there
    ]
    _write(connection, actor, "release last", rows, f"kill switch: {why}")
    return len(rows)


def released(connection: Connection, date: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """What is released, in order, after the release of a number; of one date where it is given."""
    asked = select(releases).where(releases.c.id > after).order_by(releases.c.id).limit(limit)
    if date is not None:
        asked = asked.where(releases.c.date == date)
    return [dict(row) for row in connection.execute(asked).mappings()]


def listed(connection: Connection, wanted: Row, after: int, limit: int) -> list[dict[str, Any]]:
    """Proposals in order, after the one of a number, whose columns have the ``wanted`` values; None: any."""
    asked = select(proposals).where(proposals.c.id > after).order_by(proposals.c.id).limit(limit)
    for name, value in wanted.items():
        if value is not None:
            asked = asked.where(proposals.c[name] == value)
    return [_told(row) for row in connection.execute(asked).mappings()]


def latest_sheets(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Rounds of proposals, the latest first."""
    rows = connection.execute(select(sheets).order_by(sheets.c.id.desc()).limit(limit)).mappings()
    return [{**row, "steps": json.loads(row["steps"]), "notes": json.loads(row["notes"])} for row in rows]


def counts(connection: Connection) -> dict[str, int]:
    """How many proposals became what."""
    asked = select(proposals.c.status, func.count()).group_by(proposals.c.status)
    return {row[0]: row[1] for row in connection.execute(asked)}


def _filed(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write proposals of a sheet; them with their numbers."""
    if not rows:
        return []
    rows = [{**row, "drivers": _kept(row.get("drivers"))} for row in rows]
    connection.execute(insert(proposals), rows)
    found = connection.execute(_FILED, {"number": rows[0]["sheet"]})
    numbers = {(place, item): number for place, item, number in found}
    return [{**row, "id": numbers[series_of(row)]} for row in rows]


def _kept(drivers: Mapping[str, float] | None) -> str | None:
    return None if drivers is None else json.dumps(drivers)


def _told(row: Row) -> dict[str, Any]:
    """A proposal as it is told."""
    return {**row, "drivers": None if row["drivers"] is None else json.loads(row["drivers"])}


def _released_at(connection: Connection, row: Row, price: float, order: int) -> bool:
    """Whether a proposal is released at that price and order: to do it again changes nothing."""
    if row["status"] != RELEASED:
        return False
    asked = select(releases.c.price, releases.c.order).where(releases.c.proposal == row["id"])
    return tuple(connection.execute(asked).one()) == (price, order)


def _refuse_killed(connection: Connection) -> None:
    if (why := killed(connection)) is not None:
        raise Killed(f"kill switch: expected it to be off, found it on: {why}")


def _refuse_decided(rows: Sequence[Row]) -> None:
    for row in rows:
        if row["status"] not in OPEN:
            raise Conflict(
                f"decision {row['id']}: expected one that waits for a decision, found it {row['status']}"
            )


def _release(
    connection: Connection,
    actor: str,
    action: str,
    decided: Sequence[tuple[Row, float, int]],
    reason: str,
) -> None:
    """Release proposals at a price and an order each."""
    _refuse_killed(connection)
    _refuse_decided([row for row, _, _ in decided])
    rows = [
        {
            **{name: row[name] for name in ("date", "location", "item")},
            "price": price,
            "order": order,
            "source": APPROVED if (price, order) == (row["price"], row["order"]) else CHANGED,
            "proposal": row["id"],
        }
        for row, price, order in decided
    ]
    _write(connection, actor, action, rows, reason)
    _mark(connection, [row["id"] for row, _, _ in decided], RELEASED)


def _write(connection: Connection, actor: str, action: str, rows: Sequence[Row], reason: str) -> None:
    at = audit.now()
    if rows:
        common = {"reason": reason, "released_at": at, "actor": actor}
        connection.execute(insert(releases), [{**row, **common} for row in rows])
    audit.record(connection, actor, action, {"released": rows, "reason": reason}, at)


def _mark(connection: Connection, numbers: Sequence[int], status: str) -> None:
    for part in in_parts(list(numbers)):
        connection.execute(_MARK, {"numbers": part, "becomes": status})
