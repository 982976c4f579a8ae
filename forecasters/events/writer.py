"""Write events as a table that ``read_events`` reads back as the same events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..panel.tables import write_table
from .events import KINDS, Events
from .reader import CONTRACT


def to_frame(events: Events) -> pd.DataFrame:
    """One row an event, with the columns that any event has."""

    def named(index: np.ndarray, names: tuple[str, ...]) -> pd.Categorical:
        return pd.Categorical.from_codes(index, categories=pd.Index(names, dtype=object))

    columns: dict[str, np.ndarray | pd.Categorical | pd.Series] = {
        "time": events.time,
        "customer": named(events.customer, events.customers),
        "event": named(events.kind, KINDS),
    }
    for name, index, names in (
        ("item", events.item, events.items),
        ("location", events.location, events.locations),
        ("channel", events.channel, events.channels),
        ("referrer", events.referrer, events.customers),
    ):
        if (index >= 0).any():
            columns[name] = named(index, names)
    if (events.session >= 0).any():
        columns["session"] = pd.Series(events.session, dtype="Int32").where(events.session >= 0)
    for name, values in (("units", events.units), ("price", events.price), ("propensity", events.propensity)):
        if np.isfinite(values).any():
            columns[name] = values
    if events.cost is not None:
        columns["cost"] = events.cost
    if events.text is not None:
        columns["text"] = events.text
    for name, values in events.attributes.items():
        columns[name] = _attribute(values, events.customer)
    return pd.DataFrame(columns)


def _attribute(values: np.ndarray, customer: np.ndarray) -> pd.Categorical:
    """(N,) of the customer of each event, from (C,) of all customers."""
    known = sorted(set(values) - {""})
    code = pd.Index(known).get_indexer(pd.Index(values))
    return pd.Categorical.from_codes(np.append(code, -1)[customer], categories=pd.Index(known))


def write_events(events: Events, path: str | Path) -> None:
    """Write ``path`` (parquet) whole or not at all, with the cleaning report in its metadata.

    Raises:
        InputError: the path does not end in .parquet or cannot be written.
    """
    report = events.report
    write_table(to_frame(events), path, CONTRACT, {"rows_read": report.rows_read, "notes": report.notes})
