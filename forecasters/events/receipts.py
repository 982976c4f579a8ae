"""A sales panel made from receipts: what was bought, summed by period, location and item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import InputError
from ..panel import SalesPanel, read_panel
from ..panel.calendar import declared_grid
from .events import KINDS, Events
from .items import Items

USUAL = "W"  # by day, most items of a shop sell nothing
BUSY = 0.25
_ANYWHERE = "all"  # the location, where no receipt names one


def panel_of(
    events: Events,
    freq: str | None = None,
    *,
    items: Items | None = None,
    holidays: str | None = None,
    busy: float = BUSY,
) -> SalesPanel:
    """The sales panel that receipts make, whether their customers are known or not.

    Units are summed, less what came back; the price is the mean that was paid a unit. Nothing bought between
    a series' first and last purchase is zero sales.

    Args:
        events: purchases and returns of items; the others play no part.
        freq: D, W, MS or a multiple; weeks if not given.
        items: whose categories the panel takes.
        holidays: as for ``read_panel``.
        busy: least share of all periods in which a series sells something; those below are left out.

    Raises:
        InputError: no purchase tells its item, no series sells that often, or the panel is none.
    """
    freq, notes = freq or USUAL, list(events.report.notes)
    lines = _placed(events.of("buy", "return"), notes)
    if not len(lines):
        raise InputError("events: expected purchases of items, to make a sales panel of, found none")
    lines = lines.rows(_busy(lines, freq, busy, notes))
    if not len(lines):
        told = f"expected series that sell in {busy:.0%} of periods ({freq}), found none"
        raise InputError(f"events: {told}")
    frame = pd.concat([_by_day(lines.of("buy")), _by_day(lines.of("return"), sign=-1)])
    if items is not None:
        category = dict(zip(lines.items, items.of(lines.items).categories, strict=True))
        frame["category"] = frame["item"].map(category)
    panel = read_panel(frame, freq=freq, absent="zero", holidays=holidays)
    report = replace(events.report, notes=(*notes, *panel.report.notes))
    return replace(panel, report=report, reading=replace(panel.reading, busy=busy))


def _placed(lines: Events, notes: list[str]) -> Events:
    """Those of an item and a location; of the only location where none is ever told."""
    if not lines.locations:
        lines = replace(lines, locations=(_ANYWHERE,), location=np.zeros(len(lines), dtype=np.int32))
    for name, index in (("item", lines.item), ("location", lines.location)):
        if lost := int((index < 0).sum()):
            notes.append(f"{name}: {lost} of {len(lines)} purchases and returns tell none, not in the panel")
    return lines.rows((lines.item >= 0) & (lines.location >= 0))


def _busy(lines: Events, freq: str, least: float, notes: list[str]) -> np.ndarray:
    """(N,) bool, which are of series that sell in a share ``least`` of all periods."""
    days = np.unique(lines.day)
    grid = declared_grid(freq, days)
    period = grid.period_of(lines.day) - grid.period_of(days[:1])
    periods = int(period.max()) + 1
    series, owner = np.unique(_series(lines), return_inverse=True)
    bought = lines.kind == KINDS.index("buy")
    sold = np.unique(owner[bought] * periods + period[bought]) // periods
    often = np.bincount(sold, minlength=len(series)) >= least * periods
    if not often.all():
        units = np.bincount(owner, weights=lines.units * bought)
        notes.append(
            f"item: {(~often).sum()} of {len(series)} series sell in less than {least:.0%} of periods, left"
            f" out of the panel with {units[~often].sum() / units.sum():.1%} of all units"
        )
    return often[owner]


def _series(lines: Events) -> np.ndarray:
    return lines.location.astype(np.int64) * len(lines.items) + lines.item


def _by_day(lines: Events, sign: int = 1) -> pd.DataFrame:
    """One row a day, location and item in the columns of a sales table."""
    series = _series(lines)
    day = lines.day.astype(np.int64)
    key, row = np.unique(day * (len(lines.locations) * len(lines.items)) + series, return_inverse=True)
    day, series = np.divmod(key, len(lines.locations) * len(lines.items))
    place, item = np.divmod(series, len(lines.items))

    def mean(values: np.ndarray) -> np.ndarray:
        """A unit's, over the lines that tell it."""
        weight = np.where(np.isnan(values), 0, lines.units)
        total, below = (np.bincount(row, w, len(key)) for w in (np.nan_to_num(values) * weight, weight))
        return np.divide(total, below, out=np.full(len(key), np.nan), where=below > 0)

    columns = {
        "date": day.astype("datetime64[D]").astype("datetime64[s]"),
        "location": np.array(lines.locations, dtype=object)[place],
        "item": np.array(lines.items, dtype=object)[item],
        "units": sign * np.bincount(row, lines.units, len(key)),
        "price": mean(lines.price) if sign > 0 else np.nan,
    }
    if lines.cost is not None and sign > 0:
        columns["cost"] = mean(lines.cost)
    return pd.DataFrame(columns)
