"""How a table is read: what a panel remembers of it, so that the latest table is read alike."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from .panel.sales_panel import Role, SalesPanel

Absent = Literal["zero", "unknown"]


@dataclass(frozen=True)
class Reading:
    """Column names, frequency and declarations, as ``read_panel`` takes them."""

    map: dict[str, str] = field(default_factory=dict)  # our column -> the file's
    freq: str | None = None
    absent: Absent = "unknown"
    roles: dict[str, Role] = field(default_factory=dict)
    traffic: tuple[float, ...] = ()  # (24,) share of a day's demand by hour; () until one is learned
    holidays: str | None = None  # country whose public holidays are a column
    drop: tuple[str, ...] = ()  # columns of the table that are left out
    busy: float | None = None  # of receipts, least share of periods in which a series sells; None: sales

    def read(self, source: str | Path | pd.DataFrame, otherwise: str | None = None) -> SalesPanel:
        """The panel in ``source``, read this way; ``otherwise`` its frequency where too few dates tell it."""
        from .panel.reader import read_panel

        if self.busy is not None:
            from .events import panel_of, read_events

            events = read_events(source, map=self.map, drop=self.drop)
            made = panel_of(events, self.freq, holidays=self.holidays, busy=self.busy)
            return replace(made, reading=self)
        return read_panel(
            source,
            map=self.map,
            freq=self.freq,
            absent=self.absent,
            roles=self.roles,
            traffic=self.traffic,
            holidays=self.holidays,
            otherwise=otherwise,
            drop=self.drop,
        )

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Reading:
        """What ``save`` wrote; the defaults where there is no such file.

        Raises:
            InputError: the file is damaged.
        """
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
