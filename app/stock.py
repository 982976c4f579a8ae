"""The stock table of ``decide``: what lies in each shop, and what is on its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from ..envs.market import Market
from ..forecasters.errors import InputError
from ..forecasters.names import positions
from ..forecasters.panel.columns import LARGEST, key_codes
from ..forecasters.panel.sales_panel import SalesPanel
from ..forecasters.panel.tables import load_table

_KEYS = ("location", "item")


class StockRow(Protocol):
    """What lies in a shop of an item, and what is on its way, in units of 0 or more."""

    @property
    def location(self) -> str: ...

    @property
    def item(self) -> str: ...

    @property
    def on_hand(self) -> float: ...

    @property
    def on_order(self) -> float: ...


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
    on_hand = _units(frame, "on_hand", name)
    on_order = _units(frame, "on_order", name) if "on_order" in frame else np.zeros_like(on_hand)
    return _laid_out(market, place, item, on_hand, on_order, name)


def stock_of(rows: Sequence[StockRow], market: Market | SalesPanel) -> tuple[np.ndarray, np.ndarray]:
    """The same of rows whose numbers have been checked.

    Raises:
        InputError: a row names what the market lacks, or repeats a series.
    """
    place = _known([row.location for row in rows], "location", market.locations, "stock")
    item = _known([row.item for row in rows], "item", market.items, "stock")
    units = np.array([(row.on_hand, row.on_order) for row in rows], dtype=np.float32)
    return _laid_out(market, place, item, units[:, 0], units[:, 1], "stock")


def _laid_out(
    market: Market | SalesPanel,
    place: np.ndarray,
    item: np.ndarray,
    on_hand: np.ndarray,
    on_order: np.ndarray,
    name: str,
) -> tuple[np.ndarray, np.ndarray]:
    """(S, I) each of rows (R,)."""
    shape = len(market.locations), len(market.items)
    _, first, count = np.unique(place * shape[1] + item, return_index=True, return_counts=True)
    if (count > 1).any():
        row = np.setdiff1d(np.arange(len(place)), first)[0]
        raise InputError(
            f"{name}: expected one row a series, found {int((count - 1).sum())} repeated, first:"
            f" {market.locations[place[row]]}, {market.items[item[row]]}"
        )
    out = np.full(shape, np.nan, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    for whole, part in zip(out, (on_hand, on_order), strict=True):
        whole[place, item] = part
    return out


def _positions(frame: pd.DataFrame, column: str, known: tuple[str, ...], name: str) -> np.ndarray:
    try:
        codes, names = key_codes(frame[column])
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    return _known(names, column, known, name)[codes]


def _known(names: Sequence[str], column: str, known: tuple[str, ...], name: str) -> np.ndarray:
    try:
        return positions(names, known, f"{column}s of the market")
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
