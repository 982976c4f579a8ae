"""What is there already of some series or numbers, asked in parts that every database takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Connection, bindparam, select

from .records import SUPERSEDED, WITHDRAWN, proposals, releases
from .refusals import Unknown

T = TypeVar("T")
Row = Mapping[Any, Any]

_AT_ONCE = 500  # names or numbers in one question
_THERE: BindParameter[Any] = bindparam("places", expanding=True)
_STANDING = select(proposals.c.id, proposals.c.location, proposals.c.item, proposals.c.status).where(
    proposals.c.date == bindparam("on"),
    proposals.c.location.in_(_THERE),
    proposals.c.status.not_in((SUPERSEDED, WITHDRAWN)),
)
_RELEASED = select(releases.c.location, releases.c.item).where(
    releases.c.date == bindparam("on"), releases.c.location.in_(_THERE)
)
_NUMBERED = select(proposals).where(proposals.c.id.in_(bindparam("numbers", expanding=True)))


def standing_of(
    connection: Connection, date: str, rows: Sequence[Row]
) -> dict[tuple[str, str], tuple[int, str]]:
    """Number and status of what stands for a date, by series."""
    found: dict[tuple[str, str], tuple[int, str]] = {}
    wanted = {series_of(row) for row in rows}
    for places in in_parts(sorted({place for place, _ in wanted})):
        there = connection.execute(_STANDING, {"on": date, "places": places})
        found |= {(place, item): (number, status) for number, place, item, status in there}
    return {series: told for series, told in found.items() if series in wanted}


def released_of(connection: Connection, date: str, wanted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of some series that have a release for a date."""
    found: set[tuple[str, str]] = set()
    for places in in_parts(sorted({place for place, _ in wanted})):
        found |= {
            (place, item) for place, item in connection.execute(_RELEASED, {"on": date, "places": places})
        }
    return found & set(wanted)


def numbered(connection: Connection, numbers: Sequence[int]) -> list[Row]:
    """Proposals of those numbers, in that order.

    Raises:
        Unknown: a number is none of a proposal.
    """
    rows: dict[int, Row] = {}
    for part in in_parts(list(numbers)):
        found = connection.execute(_NUMBERED, {"numbers": part}).mappings()
        rows |= {row["id"]: row for row in found}
    lost = [number for number in numbers if number not in rows]
    if lost:
        raise Unknown(f"decision: expected the number of one that was proposed, found {lost[0]}")
    return [rows[number] for number in dict.fromkeys(numbers)]


def series_of(row: Row) -> tuple[str, str]:
    """Location and item of a row."""
    return row["location"], row["item"]


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Values as many at a time as one question may have."""
    return (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))
