"""What a shop tells of its customers beside its sales table, together: events, items, what relates items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..panel import SalesPanel
from .coverage import reconciled
from .events import KINDS, Events
from .items import Items, read_items, write_items
from .reader import read_events
from .relations import Relations, read_relations, write_relations
from .writer import write_events

EVENTS, ITEMS, _RELATIONS = "events.parquet", "items.parquet", "relations.parquet"


@dataclass(frozen=True)
class Records:
    """Events of customers, and what is known of the items that they buy."""

    events: Events
    items: Items | None = None
    relations: Relations | None = None

    def account(self, panel: SalesPanel) -> tuple[str, ...]:
        """What was read, what was done about it, and what it says beside a panel, a line each.

        Raises:
            InputError: no purchase is of the panel's items, locations and periods.
        """
        told = {"events": self.events, "items": self.items, "relations": self.relations}
        lines = [f"{name}: {note}" for name, one in told.items() if one for note in one.report.notes]
        count = dict(zip(*np.unique(self.events.kind, return_counts=True), strict=True))
        kinds = ", ".join(f"{count[k]:,} {KINDS[k]}" for k in sorted(count, key=lambda kind: -count[kind]))
        lines.append(f"events: {len(self.events):,} of {len(self.events.customers):,} customers: {kinds}")
        lines += reconciled(self.events, panel).summary()
        if self.items is not None:
            known = len(set(self.items.names) & set(panel.items))
            lines.append(f"items: {known} of the panel's {len(panel.items)} items are described")
        if self.relations is not None:
            ours = self.relations.among(panel.items, panel.categories)
            lines += [f"relations: {note}" for note in ours.report.notes[len(self.relations.report.notes) :]]
            lines.append(f"relations: {len(ours.relations)} pairs of items, {len(ours.rules)} bounds")
        return tuple(lines)

    def save(self, folder: Path) -> None:
        """Write what there is into an existing folder."""
        write_events(self.events, folder / EVENTS)
        if self.items is not None:
            write_items(self.items, folder / ITEMS)
        if self.relations is not None:
            write_relations(self.relations, folder / _RELATIONS)

    @classmethod
    def load(cls, folder: Path) -> Records:
        """What ``save`` wrote.

        Raises:
            InputError: it holds no events, or a file is damaged.
        """
        items = folder / ITEMS
        return cls(
            read_events(folder / EVENTS),
            read_items(items) if items.exists() else None,
            cls.relations_in(folder),
        )

    @staticmethod
    def relations_in(folder: Path) -> Relations | None:
        """The relations alone; None where there are none.

        Raises:
            InputError: the file is damaged.
        """
        relations = folder / _RELATIONS
        return read_relations(relations) if relations.exists() else None


def read_records(
    events: Events | pd.DataFrame | str | Path | None,
    items: Items | pd.DataFrame | str | Path | None = None,
    relations: Relations | pd.DataFrame | str | Path | None = None,
) -> Records | None:
    """Records of tables that are read or to be read; None where there are no events.

    Raises:
        InputError: a table does not fit, or there are items or relations without events.
    """
    if events is None:
        for name, one in (("items", items), ("relations", relations)):
            if one is not None:
                raise InputError(f"{name}: expected events that they explain, found none")
        return None
    return Records(
        events if isinstance(events, Events) else read_events(events),
        items if items is None or isinstance(items, Items) else read_items(items),
        relations if relations is None or isinstance(relations, Relations) else read_relations(relations),
    )
