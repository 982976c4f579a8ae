"""The options of the command line that say how a table is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from ..forecasters.errors import InputError
from ..forecasters.reading import Absent, Reading
from .report.words import count

if TYPE_CHECKING:
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


def _pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, theirs = value.partition("=")
        if not (name and equals and theirs):
            raise InputError(f"{option}: expected name=value such as units=qty, found {value!r}")
        pairs[name.strip()] = theirs.strip()
    return pairs
