"""The stock file of ``decide``: what lies in each shop, and what is on its way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..envs.market import Market
from ..forecasters.errors import InputError


def read_stock(path: Path, market: Market) -> tuple[np.ndarray, np.ndarray]:
    """On hand and on order, units (S, I) float32; NaN on hand where the file has no row.

    Raises:
        InputError: the file cannot be read, lacks a column, names what the market lacks, repeats a series, or
            has a number that is missing or negative.
    """
    try:
        frame = pd.read_csv(path, dtype={"location": str, "item": str})
    except OSError as error:
        raise InputError(f"stock file {path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, pd.errors.ParserError) as error:  # pandas' EmptyDataError is a ValueError
        raise InputError(f"stock file {path}: not a CSV table ({str(error).splitlines()[0]})") from None
    missing = [name for name in ("location", "item", "on_hand") if name not in frame]
    if missing:
        raise InputError(
            f"stock file {path}: expected columns location, item, on_hand and perhaps on_order, found"
            f" {', '.join(map(str, frame.columns))}"
        )
    place = _positions(frame, "location", market.locations, path)
    item = _positions(frame, "item", market.items, path)
    repeated = frame.duplicated(["location", "item"])
    if repeated.any():
        first = frame[repeated].iloc[0]
        raise InputError(
            f"stock file {path}: expected one row a series, found {int(repeated.sum())} repeated, first:"
            f" {first['location']}, {first['item']}"
        )
    on_hand, on_order = (np.full(market.shape, fill, dtype=np.float32) for fill in (np.nan, 0.0))
    on_hand[place, item] = _units(frame, "on_hand", path)
    if "on_order" in frame:
        on_order[place, item] = _units(frame, "on_order", path)
    return on_hand, on_order


def _positions(frame: pd.DataFrame, column: str, known: tuple[str, ...], path: Path) -> np.ndarray:
    index = pd.Index(known).get_indexer(pd.Index(frame[column]))
    if (index < 0).any():
        row = int(np.argmax(index < 0))
        raise InputError(
            f"stock file {path}: expected {column}s of the market, found {frame[column].iloc[row]!r} in row"
            f" {row + 2} of the file"
        )
    return index


def _units(frame: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float32)
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"stock file {path}: expected {column} in units, 0 or more, found {frame[column].iloc[row]!r}"
            f" in row {row + 2} of the file"
        )
    return values
