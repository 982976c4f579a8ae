"""Rows laid on the calendar: one cell a (period, series), several rows of a cell merged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import InputError
from ..tensors import room_for
from .calendar import Grid
from .columns import Rows

_CELL = 8  # bytes that a column takes of a period of a series, at most


@dataclass(frozen=True)
class Cells:
    """The C observed cells of a panel of T periods and N series."""

    dates: np.ndarray  # (T,) datetime64[D]
    series: np.ndarray  # (N, 2) int64: index of location, index of item
    period: np.ndarray  # (C,) int64
    owner: np.ndarray  # (C,) int64 index into ``series``
    values: dict[str, np.ndarray]  # (C,) float64 a column
    merged: np.ndarray  # (C,) int64 rows behind each cell

    def spread(self, values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """``values`` (C,) laid out as (T, N) float32, ``fill`` in cells without a row."""
        table = np.full((len(self.dates), len(self.series)), fill, dtype=np.float32)
        table[self.period, self.owner] = values
        return table


def cells_of(rows: Rows, grid: Grid, aggregate: bool, notes: list[str]) -> Cells:
    """Lay ``rows`` on ``grid``; where ``aggregate``, merge the rows of one cell and net returns.

    Raises:
        InputError: without ``aggregate``, two rows of one cell or negative units.
    """
    if not aggregate:
        _refuse_returns(rows)
    pair = rows.location * len(rows.items) + rows.item
    pairs, owner = np.unique(pair, return_inverse=True)
    period = grid.period_of(rows.day)
    first = int(period.min())
    key = (period - first) * len(pairs) + owner
    index, inverse, merged = np.unique(key, return_inverse=True, return_counts=True)
    if not aggregate:
        _refuse_duplicates(rows, key)
    spans = int(period.max()) - first + 1
    room_for(spans * len(pairs), _CELL * len(rows.numbers), "periods × series", torch.device("cpu"))
    cells = Cells(
        dates=grid.starts(np.arange(first, int(period.max()) + 1)),
        series=np.stack(np.divmod(pairs, len(rows.items)), axis=1),
        period=index // len(pairs),
        owner=index % len(pairs),
        values=_merge(rows.numbers, inverse, len(index)),
        merged=merged,
    )
    return _netted(cells, rows, notes) if aggregate else cells


def _refuse_returns(rows: Rows) -> None:
    if (bad := rows.numbers["units"] < 0).any():
        raise InputError(
            f"units: expected 0 or more, found {bad.sum()} negative rows, {rows.where(bad)}; "
            "if they are returns, --freq nets them within a period"
        )


def _refuse_duplicates(rows: Rows, key: np.ndarray) -> None:
    again = np.ones(len(key), dtype=bool)
    again[np.unique(key, return_index=True)[1]] = False
    if again.any():
        raise InputError(
            f"date, location, item: expected one row each, found {again.sum()} duplicates, "
            f"{rows.where(again)}; --freq adds rows of one period up"
        )


def _merge(numbers: dict[str, np.ndarray], cell: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Units are summed, price and cost weighted by units sold, stock is the last, the rest averaged.

    The share out of stock is the mean over rows of known units. Where a row that is out throughout sold
    something the share is 1: that row's flag says only that its sales are a lower bound, and so is the sum.

    A cell's value comes from its known rows and is NaN where none is known.
    """
    sold = np.maximum(np.nan_to_num(numbers["units"]), 0)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell, weights=values, minlength=size)

    def mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
        weight = np.where(np.isnan(values), 0, weight)
        below = total(weight)
        return np.divide(
            total(np.nan_to_num(values) * weight), below, out=np.full(size, np.nan), where=below > 0
        )

    def merged(name: str, values: np.ndarray) -> np.ndarray:
        plain = mean(values, np.ones_like(values))
        if name == "units":
            return np.where(np.isnan(plain), np.nan, total(np.nan_to_num(values)))
        if name in ("price", "cost"):
            by_units = mean(values, sold)
            return np.where(np.isnan(by_units), plain, by_units)
        if name == "censored":
            by_rows = mean(values, (~np.isnan(numbers["units"])).astype(np.float64))
            bound = total((values == 1) & (sold > 0)) > 0
            return np.where(bound, 1.0, np.where(np.isnan(by_rows), plain, by_rows))
        if name == "stock_on_hand":
            last = np.full(size, np.nan)
            known = ~np.isnan(values)
            last[cell[known]] = values[known]  # rows are in order of date, and the last assignment stays
            return last
        return plain

    return {name: merged(name, values) for name, values in numbers.items()}


def _netted(cells: Cells, rows: Rows, notes: list[str]) -> Cells:
    returns = rows.numbers["units"] < 0
    if returns.any():
        notes.append(
            f"units: {returns.sum()} rows of returns netted within their period, {rows.where(returns)}"
        )
    if (many := cells.merged > 1).any():
        notes.append(f"date: {cells.merged[many].sum()} rows added up into {many.sum()} periods of a series")
    units = cells.values["units"]
    if (below := units < 0).any():
        notes.append(f"units: {below.sum()} periods of a series with more returns than sales set to 0")
    return replace(cells, values={**cells.values, "units": np.where(below, 0, units)})
