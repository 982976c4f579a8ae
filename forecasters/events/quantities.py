"""What is counted, paid and drawn in each event: units, price, cost, propensity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import InputError
from ..panel.columns import SMALLEST, numbers_of
from .events import KINDS

BUY, RETURN = KINDS.index("buy"), KINDS.index("return")


@dataclass(frozen=True)
class Quantities:
    """Of R rows of a table."""

    kind: np.ndarray  # (R,) int8 index into KINDS; a purchase of less than nothing is a return
    units: np.ndarray  # (R,) float64, 0 or more; NaN of what is neither purchase nor return and tells none
    price: np.ndarray  # (R,) float64 a unit, above 0, NaN unknown
    cost: np.ndarray  # (R,) float64 a unit, above 0, NaN unknown
    propensity: np.ndarray  # (R,) float64 above 0, at most 1, NaN unknown

    def take(self, which: np.ndarray) -> Quantities:
        """The rows of a mask or in an order."""
        return Quantities(
            *(part[which] for part in (self.kind, self.units, self.price, self.cost, self.propensity))
        )


def quantities_of(frame: pd.DataFrame, kind: np.ndarray, notes: list[str]) -> Quantities:
    """Of the rows of a table, whose kinds are ``kind`` (R,); what is not an error is noted.

    Raises:
        InputError: what is no number, or a propensity outside 0 to 1.
    """
    told = _column(frame, "units")
    kind, units = _units(frame, told, kind, notes)
    price = _price(frame, told, notes)
    return Quantities(
        kind, units, price, _above_0(frame, "cost", _column(frame, "cost"), notes), _propensity(frame, notes)
    )


def rows(frame: pd.DataFrame, which: np.ndarray) -> str:
    """The first rows of a mask (R,), as they are counted in the file."""
    first = [str(label + 1) for label in frame.index[which][:3]]
    return f"first: row{'s' if len(first) > 1 else ''} {', '.join(first)}"


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    return numbers_of(frame[name]) if name in frame else np.full(len(frame), np.nan)


def _units(
    frame: pd.DataFrame, told: np.ndarray, kind: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Kinds and units, both (R,): no purchase is negative, and one that tells no units is of one."""
    bought = np.isin(kind, (BUY, RETURN))
    if (back := (kind == BUY) & (told < 0)).any():
        notes.append(f"units: {back.sum()} purchases of less than 0 taken as returns, {rows(frame, back)}")
        kind = np.where(back, RETURN, kind).astype(np.int8)
    if "units" not in frame:
        notes.append(f"units: no such column, {bought.sum()} purchases and returns taken as of one unit each")
    elif (empty := bought & np.isnan(told)).any():
        notes.append(f"units: {empty.sum()} purchases are empty, taken as of one unit, {rows(frame, empty)}")
    if (nothing := bought & (told == 0)).any():
        notes.append(f"units: {nothing.sum()} purchases of 0 left out, {rows(frame, nothing)}")
    units = np.abs(told)
    return kind, np.where(bought & np.isnan(units), 1.0, units)


def _price(frame: pd.DataFrame, told: np.ndarray, notes: list[str]) -> np.ndarray:
    """(R,) price a unit, from the revenue where no price is told; a return's is told with either sign."""
    if "price" in frame:
        if "revenue" in frame:
            notes.append("revenue: left out, since price is given")
        return _above_0(frame, "price", _column(frame, "price"), notes)
    revenue, sold = _column(frame, "revenue"), np.where(np.isnan(told), 1.0, told)
    price = np.divide(revenue, sold, out=np.full(len(frame), np.nan), where=sold != 0)
    return _above_0(frame, "revenue", price, notes)


def _above_0(frame: pd.DataFrame, name: str, values: np.ndarray, notes: list[str]) -> np.ndarray:
    if (bad := values < SMALLEST).any():
        notes.append(f"{name}: {bad.sum()} rows at or below 0 taken as unknown, {rows(frame, bad)}")
    return np.where(bad, np.nan, values)


def _propensity(frame: pd.DataFrame, notes: list[str]) -> np.ndarray:
    chance = _column(frame, "propensity")
    if (bad := (chance < 0) | (chance > 1)).any():
        shown = f"{bad.sum()} rows outside, such as {chance[bad][0]:g}, {rows(frame, bad)}"
        raise InputError(f"propensity: expected chances, 0 to 1, found {shown}")
    if (never := chance == 0).any():
        notes.append(
            f"propensity: {never.sum()} rows of 0 taken as unknown, since what they tell of happened,"
            f" {rows(frame, never)}"
        )
    return np.where(never, np.nan, chance)
