"""The stock table of ``decide``: what lies in each shop, and what is on its way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..envs.market import Market
from ..forecasters.errors import InputError
from ..forecasters.names import positions
from ..forecasters.panel.columns import LARGEST, key_codes
from ..forecasters.panel.sales_panel import SalesPanel
from ..forecasters.panel.tables import load_table

_KEYS = ("location", "item")


def read_stock(
    source: str | Path | pd.DataFrame, market: Market | SalesPanel, renames: Mapping[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """On hand and on order, units (S, I) float32; NaN on hand where the table has no row.

    Args:
        source: a CSV or parquet file or a data frame.
        market: whose locations and items it names, or the panel that one is to be fitted on.
        renames: ours -> theirs, as the sales table has them: a stock table may call its columns alike.

    Raises:
        InputError: the table cannot be read, lacks a column, names what the market lacks, repeats a series,
            or has a number that is missing or negative.
    """
    if not isinstance(source, str | Path | pd.DataFrame):
        raise InputError(f"stock: expected a path or a data frame, found {type(source).__name__}")
    in_memory = isinstance(source, pd.DataFrame)
    name = "stock" if in_memory else f"stock file {source}"
    try:
        frame = load_table(source, {}).frame
        columns = set(frame.columns)
        alike = {
            ours: renames[ours] for ours in _KEYS if ours not in columns and renames.get(ours) in columns
        }
        if alike:
            frame = load_table(source, alike).frame
    except InputError as error:
        raise InputError(f"stock: {error}" if in_memory else f"stock file {error}") from None
    missing = [name for name in (*_KEYS, "on_hand") if name not in frame]
    if missing:
        raise InputError(
            f"{name}: expected columns location, item, on_hand and perhaps on_order, found"
            f" {', '.join(map(str, frame.columns))}"
        )
    place = _positions(frame, "location", market.locations, name)
    item = _positions(frame, "item", market.items, name)
    repeated = pd.DataFrame({"location": place, "item": item}).duplicated().to_numpy()
    if repeated.any():
        row = int(np.argmax(repeated))
        raise InputError(
            f"{name}: expected one row a series, found {int(repeated.sum())} repeated, first:"
            f" {market.locations[place[row]]}, {market.items[item[row]]}"
        )
    shape = len(market.locations), len(market.items)
    on_hand, on_order = (np.full(shape, fill, dtype=np.float32) for fill in (np.nan, 0.0))
    on_hand[place, item] = _units(frame, "on_hand", name)
    if "on_order" in frame:
        on_order[place, item] = _units(frame, "on_order", name)
    return on_hand, on_order


def _positions(frame: pd.DataFrame, column: str, known: tuple[str, ...], name: str) -> np.ndarray:
    try:
        codes, names = key_codes(frame[column])
        return positions(names, known, f"{column}s of the market")[codes]
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _units(frame: pd.DataFrame, column: str, name: str) -> np.ndarray:
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~((values >= 0) & (values <= LARGEST))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{name}: expected {column} in units, 0 to {LARGEST:g}, found"
            f" {str(frame[column].iloc[row])!r:.40} in row {row + 2}, the header being row 1"
        )
    return values.astype(np.float32)
