"""The options of the command line that say how a table is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from ..forecasters.errors import InputError
from ..forecasters.reading import Absent, Reading
from .report.words import count

if TYPE_CHECKING:
    from ..forecasters.events import Events, Records
    from ..forecasters.panel.sales_panel import Role, SalesPanel


IGNORED = "left out"  # in notes of what a table holds and a market does not use


def parse_reading(
    map: Sequence[str],
    freq: str | None,
    absent: str,
    role: Sequence[str],
    holidays: str | None = None,
    drop: Sequence[str] = (),
) -> Reading:
    """From ``--map units=qty --freq W --absent zero --role deal=decision``.

    Raises:
        InputError: an option is not of the form name=value, or a value is not among those allowed.
    """
    from ..forecasters.panel.sales_panel import ROLES

    roles = _pairs("--role", role)
    for column, value in roles.items():
        if value not in ROLES:
            raise InputError(f"--role {column}: expected one of {', '.join(ROLES)}, found {value!r}")
    if absent not in get_args(Absent):
        raise InputError(f"--absent: expected zero or unknown, found {absent!r}")
    return Reading(
        _pairs("--map", map),
        freq,
        cast(Absent, absent),
        cast("dict[str, Role]", roles),
        holidays=holidays,
        drop=tuple(drop),
    )


def account(path: Path, panel: SalesPanel) -> Iterator[str]:
    """What was read, and what was done about it, a line each; what plays no part comes first."""
    for note in sorted(panel.report.notes, key=lambda note: IGNORED not in note):
        yield f"{'ignored' if IGNORED in note else 'note'}: {note}"
    yield (
        f"{path}: {count(len(panel.locations), 'location')}, {count(len(panel.items), 'item')},"
        f" {len(panel.series)} series, {count(panel.periods, 'period')}"
        f" ({panel.frequency}) from {panel.dates[0]} to {panel.dates[-1]}"
    )


def account_events(events: Events) -> Iterator[str]:
    """As ``account``, of what customers did, whatever panel it stands beside."""
    for note in sorted(events.report.notes, key=lambda note: IGNORED not in note):
        yield f"{'ignored' if IGNORED in note else 'note'}: events: {note}"
    first, last = events.day[[0, -1]]
    yield f"note: events: {len(events):,} of {len(events.customers):,} customers, {first} to {last}"


def _pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, theirs = value.partition("=")
        if not (name and equals and theirs):
            raise InputError(f"{option}: expected name=value such as units=qty, found {value!r}")
        pairs[name.strip()] = theirs.strip()
    return pairs


@dataclass(frozen=True)
class Beside:
    """The tables beside a sales table, and how the names in that of events are read."""

    events: Path | None
    items: Path | None
    relations: Path | None
    map: dict[str, str]  # of the events: our columns and kinds -> theirs
    busy: float | None  # least share of periods in which a series of a table made of them sells

    def read(self) -> Events | None:
        """The events; None where there are none.

        Raises:
            InputError: they do not fit.
        """
        from ..forecasters.events import read_events

        return None if self.events is None else read_events(self.events, map=self.map)


def parse_beside(
    events: Path | None,
    items: Path | None,
    relations: Path | None,
    map: Sequence[str],
    busy: float | None = None,
) -> Beside:
    """From ``--events log.csv --map-events customer=card --items items.csv --relations pairs.csv``.

    Raises:
        InputError: a renaming is not of the form name=value, or there are no events to rename.
    """
    if map and events is None:
        raise InputError("--map-events: expected --events, whose names it gives, found none")
    return Beside(events, items, relations, _pairs("--map-events", map), busy)


def read_all(panel: Path | None, reading: Reading, beside: Beside) -> tuple[SalesPanel, Records | None]:
    """The sales table, or the one that the events make where there is none, and what is told beside it.

    Raises:
        InputError: a table does not fit, or there is none.
    """
    from ..forecasters.events import BUSY, panel_of, read_events, read_records

    if panel is not None:
        if beside.busy is not None:
            raise InputError("--busy: expected receipts alone, found a sales table")
        return reading.read(panel), read_records(beside.read(), beside.items, beside.relations)
    if beside.events is None:
        raise InputError("expected a sales table, or --events to make it of, found neither")
    if reading.roles:
        raise InputError("--role: expected a sales table, found receipts, which have no such columns")
    names = {**reading.map, **beside.map}
    events = read_events(beside.events, map=names, drop=reading.drop)
    records = read_records(events, beside.items, beside.relations)
    items = None if records is None else records.items
    busy = BUSY if beside.busy is None else beside.busy
    table = panel_of(events, reading.freq, items=items, holidays=reading.holidays, busy=busy)
    return replace(table, reading=replace(table.reading, map=names, drop=reading.drop)), records


def account_beside(panel: SalesPanel, records: Records | None) -> Iterator[str]:
    """As ``account``, of what is told beside a panel.

    Raises:
        InputError: no purchase is of the panel's items, locations and periods.
    """
    told = {f"events: {note}" for note in panel.report.notes}  # of a panel that the events made
    lines = () if records is None else records.account(panel)
    yield from (f"{'ignored' if IGNORED in line else 'note'}: {line}" for line in lines if line not in told)
