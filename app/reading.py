"""How a user's table is read: the options that every command which takes a panel shares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from ..forecasters.errors import InputError
from .output import to_json
from .report.words import count

if TYPE_CHECKING:
    from ..forecasters.panel.sales_panel import Role, SalesPanel

Absent = Literal["zero", "unknown"]
_FILE = "reading.json"


@dataclass(frozen=True)
class Reading:
    """Column names, frequency and declarations; a fitted market remembers those it was fitted with."""

    map: dict[str, str] = field(default_factory=dict)  # our column -> the file's
    freq: str | None = None
    absent: Absent = "unknown"
    roles: dict[str, Role] = field(default_factory=dict)
    traffic: tuple[
        float, ...
    ] = ()  # by hour of the day, as learned from the table that the market was fitted to
    holidays: str | None = None  # country whose public holidays are a column
    drop: tuple[str, ...] = ()  # columns of the table that are left out

    @classmethod
    def parse(
        cls,
        map: Sequence[str],
        freq: str | None,
        absent: str,
        role: Sequence[str],
        holidays: str | None = None,
        drop: Sequence[str] = (),
    ) -> Reading:
        """From the command line's ``--map units=qty --freq W --absent zero --role deal=decision``.

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
        return cls(
            _pairs("--map", map),
            freq,
            cast(Absent, absent),
            cast("dict[str, Role]", roles),
            holidays=holidays,
            drop=tuple(drop),
        )

    def read(self, path: Path, otherwise: str | None = None) -> SalesPanel:
        """The panel in ``path``, read this way; ``otherwise`` its frequency, where too few dates tell it."""
        from ..forecasters.panel.reader import read_panel

        return read_panel(
            path,
            map=self.map,
            freq=self.freq,
            absent=self.absent,
            roles=self.roles,
            traffic=self.traffic,
            holidays=self.holidays,
            otherwise=otherwise,
            drop=self.drop,
        )

    def file(self, panel: SalesPanel) -> dict[str, str]:
        """Name and text of the file that tells, in a market's folder, how its panel was read."""
        return {_FILE: to_json(asdict(replace(self, traffic=panel.report.traffic))) + "\n"}

    @classmethod
    def of_market(cls, market: Path) -> Reading:
        """How the panel of a market's folder was read; the defaults where the folder does not say."""
        path = market / _FILE
        if not path.is_file():
            return cls()
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            lists = {name: tuple(known.get(name, ())) for name in ("traffic", "drop")}
            found = cls(**{**known, **lists})
            text = [*found.map.items(), *found.roles.items()]
            if all(isinstance(word, str) for pair in text for word in pair):
                return found
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            pass
        raise InputError(f"{path}: expected how a market's table was read, found it damaged; fit it again")


def account(path: Path, panel: SalesPanel) -> Iterator[str]:
    """What was read, and what was done about it, a line each."""
    for note in panel.report.notes:
        yield f"note: {note}"
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
