"""Read a sales table: check it, put it on a regular calendar, give every covariate its role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ..errors import InputError
from ..reading import Reading
from .calendar import (
    Grid,
    check_cover,
    check_length,
    check_one_rhythm,
    check_parts,
    declared_grid,
    finest_grid,
    inferred_grid,
    partial_edges,
)
from .cells import Cells, cells_of
from .columns import Rows, typed_rows, without_unpriced
from .holidays import NAME as HOLIDAYS
from .holidays import holiday_days
from .implausible import ManySlips, refuse_new_currency, without_slips, without_spikes
from .out_of_stock import with_shares
from .roles import covariates_of
from .sales_panel import CleaningReport, Covariate, Role, SalesPanel, inside, last_known
from .tables import load_table


def read_panel(
    source: str | Path | pd.DataFrame,
    *,
    map: Mapping[str, str] | None = None,
    freq: str | None = None,
    absent: Literal["zero", "unknown"] = "unknown",
    roles: Mapping[str, Role] | None = None,
    traffic: Sequence[float] = (),
    holidays: str | None = None,
    otherwise: str | None = None,
    drop: Sequence[str] = (),
) -> SalesPanel:
    """Read a sales table: a CSV file, a parquet file or a data frame.

    Args:
        source: a path ending in .csv, .csv.gz or .parquet, or a data frame. Required columns: date, location,
            item, units, price (or revenue, from which price = revenue / units).
        map: column names, ours -> theirs (``{"units": "qty"}``); ``censored`` may have a unit
            (``{"censored": "empty:hours"}``: hours, minutes, hours/16, percent or hourmask).
        freq: D, W, MS or a multiple: aggregate rows to such periods (units summed with returns netted, price
            and cost weighted by units, the last stock, the mean of the rest). Inferred from the dates if not
            given.
        absent: whether a row missing between a series' first and last one means zero sales or unknown ones.
            Periods in which no series has a row stay unknown.
        roles: role of a covariate by column, if the one inferred from its name and variation is wrong.
        traffic: share of a day's demand in each of its 24 hours, which hours of an hourmask are weighted by;
            learned from the table if empty.
        holidays: ISO code of the country, or of the part of one (``US-NY``), whose public holidays become an
            exogenous column.
        otherwise: frequency of a table with a single date, from which it cannot be inferred.
        drop: columns of the table to leave out.

    Raises:
        InputError: one line that says what was expected, what was found and where.
    """
    if absent not in ("zero", "unknown"):
        raise InputError(f"absent: expected zero or unknown, found {absent!r}")
    _check_kinds(map, freq, roles, holidays, drop)
    table = load_table(source, map or {}, drop)
    notes = [*table.declared.get("notes", ()), *table.notes]
    rows = without_unpriced(typed_rows(table, notes), notes)
    days = np.unique(rows.day)
    grid = _grid(freq, table.declared.get("frequency") or (otherwise if len(days) < 2 else None), days)
    check_length(grid)
    notes += check_cover(grid, days, declared=freq is not None)
    if freq is None:
        check_one_rhythm(grid.period_of(rows.day), rows.location * len(rows.items) + rows.item, grid)
    lengths = _lengths(rows, grid, freq is not None)
    rows, traffic = with_shares(rows, table.unit, lengths, traffic, notes)
    if freq:
        rows = _whole_periods(rows, grid, days, notes)
    cells = cells_of(rows, grid, freq is not None, notes)
    _note_single_prices(cells, rows, notes)
    written = {name: role for name, role in table.declared.get("roles", {}).items() if name in cells.values}
    covariates = covariates_of(cells, {**written, **(roles or {})}, notes)
    country = table.declared.get("holidays") if holidays is None else holidays
    if country is not None:
        covariates = _with_holidays(covariates, country, cells, grid)
    units, price = _units_and_prices(cells, rows, absent, notes, ours=bool(table.declared))
    series, locations, items = _listed(cells.series)
    return SalesPanel(
        dates=cells.dates,
        frequency=grid.frequency,
        locations=tuple(rows.locations[place] for place in locations),
        items=tuple(rows.items[item] for item in items),
        series=series,
        units=units,
        price=price,
        censored=cells.spread(cells.values["censored"], fill=0),
        cost=cells.spread(cells.values["cost"]) if "cost" in cells.values else None,
        categories=tuple(rows.categories[item] for item in items),
        price_groups=tuple(rows.price_groups[place] for place in locations) if rows.price_groups else (),
        coordinates=None if rows.coordinates is None else rows.coordinates[locations],
        covariates=covariates,
        report=CleaningReport(len(table.frame), int(cells.merged.sum()), tuple(dict.fromkeys(notes))),
        reading=Reading(
            dict(map or {}), freq, absent, dict(roles or {}), tuple(traffic), holidays, tuple(drop)
        ),
    )


def _check_kinds(map: object, freq: object, roles: object, holidays: object, drop: object) -> None:
    """Raises InputError for an option of read_panel that is not of its kind."""
    for name, value, kind, expected in (
        ("map", map, Mapping, "a mapping of our names to the table's"),
        ("freq", freq, str, "text such as W"),
        ("roles", roles, Mapping, "a mapping of columns to roles"),
        ("holidays", holidays, str, "text such as DE"),
        ("drop", drop, list | tuple, "a list of columns"),
    ):
        if value is not None and not isinstance(value, kind):
            raise InputError(f"{name}: expected {expected}, found {type(value).__name__}")


def _with_holidays(
    covariates: tuple[Covariate, ...], country: str, cells: Cells, grid: Grid
) -> tuple[Covariate, ...]:
    """``covariates`` and the days of public holidays in each period, in place of what was written of them."""
    length = int(grid.lengths(grid.period_of(cells.dates[-1:]))[0])
    days = holiday_days(country, cells.dates, cells.dates[-1] + np.timedelta64(length, "D"))
    values = np.repeat(days[:, None], len(cells.series), axis=1)
    others = tuple(c for c in covariates if c.name != HOLIDAYS)
    return (*others, Covariate(HOLIDAYS, "exogenous", values, country))


def _grid(freq: str | None, written: str | None, days: np.ndarray) -> Grid:
    """The grid that the caller declares, else the one a panel was written with, else what the dates tell."""
    named = freq or written
    return declared_grid(named, days) if named else inferred_grid(days)


def _lengths(rows: Rows, grid: Grid, aggregate: bool) -> np.ndarray:
    """Days that each row speaks of, before any are added up: (R,)."""
    if aggregate:
        own = finest_grid(rows.day, rows.location * len(rows.items) + rows.item, otherwise=grid)
        check_parts(own, grid)
        grid = own
    return grid.lengths(grid.period_of(rows.day))


def _whole_periods(rows: Rows, grid: Grid, days: np.ndarray, notes: list[str]) -> Rows:
    """Leave out a first or last period that the dates cover only in part: its sum would be too small."""
    partial = partial_edges(grid, days)
    if not len(partial):
        return rows
    inside = ~np.isin(grid.period_of(rows.day), partial)
    shown = ", ".join(str(day) for day in grid.starts(partial))
    notes.append(f"date: {(~inside).sum()} rows of periods seen only in part left out, periods: {shown}")
    return rows.take(inside)


def _listed(series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series renumbered over the locations and items that still have one, and the indices of those."""
    locations, place = np.unique(series[:, 0], return_inverse=True)
    items, item = np.unique(series[:, 1], return_inverse=True)
    return np.stack([place, item], axis=1).astype(np.int64), locations, items


def _units_and_prices(
    cells: Cells, rows: Rows, absent: str, notes: list[str], ours: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(T, N) units, with absent rows as declared, and prices filled between a series' first and last row."""
    units, price = (cells.spread(cells.values[name]) for name in ("units", "price"))
    if not ours:  # what we wrote ourselves has been looked at
        units, price = _plausible(units, price, cells, rows, notes)
    seen = cells.spread(np.ones(len(cells.period)), fill=0).astype(bool)
    between = inside(seen)
    missing = between & ~seen
    if absent == "zero":
        units[missing & seen.any(axis=1, keepdims=True)] = 0
    filled = np.isnan(price) & seen
    if filled.any():
        notes.append(
            f"price: {filled.sum()} rows are empty, filled with the last known price, "
            f"first: {_first(filled, cells)}"
        )
    if missing.any():
        meaning = "zero sales" if absent == "zero" else "unknown sales"
        notes.append(
            f"units: {missing.sum()} of {between.sum()} periods between a series' first and last row "
            f"have no row, taken as {meaning} at the last known price, first: {_first(missing, cells)}"
        )
    return units, np.where(between, last_known(price), np.nan).astype(np.float32)


def _plausible(
    observed: np.ndarray, price: np.ndarray, cells: Cells, rows: Rows, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """(T, N) units and prices as they were observed, without what cannot be meant."""

    def name(series: int) -> str:
        place, item = cells.series[series]
        return f"{rows.locations[place]} {rows.items[item]}"

    def first(mask: np.ndarray) -> str:
        period, series = np.argwhere(mask)[0]
        return f"first: {cells.dates[period]} {name(series)}"

    units, spikes = without_spikes(observed, price, cells.series[:, 1])
    if spikes.any():
        notes.append(
            f"units: {spikes.sum()} rows far above all others of their series and item, such as"
            f" {observed[spikes][0]:g}, taken as unknown, {first(spikes)}"
        )
    try:
        price, slips = without_slips(price)
    except ManySlips as error:
        one = price[:, error.series]
        raise InputError(
            f"price: expected prices of one unit within a series, found {np.nanmin(one):g} to"
            f" {np.nanmax(one):g} around {np.nanmedian(one):g} of {name(error.series)}"
        ) from None
    if slips.any():
        notes.append(
            f"price: {slips.sum()} rows far from all others of their series, as if of another unit, taken as"
            f" unknown, {first(slips)}"
        )
    refuse_new_currency(last_known(price), cells.dates)
    return units, price


def _first(mask: np.ndarray, cells: Cells) -> str:
    return str(cells.dates[np.argmax(mask.any(axis=1))])


def _note_single_prices(cells: Cells, rows: Rows, notes: list[str]) -> None:
    """Items whose price never moves anywhere: their price response cannot be read from this table."""
    item = cells.series[cells.owner, 1]
    low, high = np.full(len(rows.items), np.inf), np.full(len(rows.items), -np.inf)
    known = ~np.isnan(cells.values["price"])
    np.minimum.at(low, item[known], cells.values["price"][known])
    np.maximum.at(high, item[known], cells.values["price"][known])
    fixed = np.flatnonzero(low == high)
    if len(fixed):
        shown = ", ".join(rows.items[index] for index in fixed[:3])
        notes.append(
            f"price: {len(fixed)} of {len(np.unique(item))} items have a single price throughout, so that "
            f"their price response cannot be learned from them, first: {shown}"
        )
