"""Checks on a raw table: every column gets its type, or one clear error naming the first offending rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from unicodedata import category

import numpy as np
import pandas as pd

from ..errors import InputError
from .dates import days_of, unreadable
from .tables import FIELDS, RawTable, some

REQUIRED = ("date", "location", "item", "units")
COUNTED = ("units", "price", "revenue", "cost", "stock_on_hand", "competitor_price")  # flags are none of them
_YES_OR_NO = {
    **dict.fromkeys(("true", "t", "yes", "y", "ja", "j", "oui", "si", "sí", "1"), 1.0),
    **dict.fromkeys(("false", "f", "no", "n", "nein", "non", "0"), 0.0),
}
_LONGEST_NAME = 200
LARGEST = 1e12  # of any number: what is beyond is a mistake, and would not survive single precision
SMALLEST = 1e-6  # of a price or a cost
NUMERIC = ("units", "price", "revenue", "cost", "censored", "promo", "stock_on_hand", "competitor_price")


@dataclass(frozen=True)
class Rows:
    """The R rows of a table, checked and typed, in order of date."""

    day: np.ndarray  # (R,) datetime64[D]
    location: np.ndarray  # (R,) int64 index into ``locations``
    item: np.ndarray  # (R,) int64 index into ``items``
    locations: tuple[str, ...]  # sorted
    items: tuple[str, ...]  # sorted
    numbers: dict[str, np.ndarray]  # units, price and every other numeric column: (R,) float64, NaN unknown
    categories: tuple[str, ...]  # (I,)
    price_groups: tuple[str, ...]  # (S,) empty where the table has none
    coordinates: np.ndarray | None  # (S, 2)

    def where(self, bad: np.ndarray) -> str:
        """The first rows of the mask ``bad`` (R,), by their keys."""
        return "first: " + "; ".join(
            f"{self.day[row]} {self.locations[self.location[row]]} {self.items[self.item[row]]}"
            for row in np.flatnonzero(bad)[:3]
        )

    def take(self, keep: np.ndarray) -> Rows:
        """The rows of a mask or in an order, with all names kept."""
        return replace(
            self,
            day=self.day[keep],
            location=self.location[keep],
            item=self.item[keep],
            numbers={name: values[keep] for name, values in self.numbers.items()},
        )


def typed_rows(table: RawTable, notes: list[str]) -> Rows:
    """Check and type every column of ``table``; what is not an error is noted in ``notes``.

    Raises:
        InputError: a required column is missing, a key is empty, dates or numbers cannot be read, or a column
            that belongs to a location or an item differs within it.
    """
    frame = table.frame
    _require(frame)
    day = days_of(frame["date"], notes)
    location, locations = key_codes(frame["location"])
    item, items = key_codes(frame["item"])
    if (day[1:] < day[:-1]).any() and _unsorted(day, location, item):
        notes.append("date: rows of one series were not in order of date; sorted")
    order = np.argsort(day, kind="stable")
    rows = Rows(
        day=day,
        location=location,
        item=item,
        locations=locations,
        items=items,
        numbers=_numbers(frame, notes),
        categories=_names(frame, "category", item, items) or ("all",) * len(items),
        price_groups=_names(frame, "price_group", location, locations),
        coordinates=_coordinates(frame, location, locations),
    )
    return _checked(rows.take(order), notes)


def _require(frame: pd.DataFrame) -> None:
    missing = [name for name in REQUIRED if name not in frame]
    if "price" not in frame and "revenue" not in frame:
        missing.append("price (or revenue)")
    if missing:
        raise InputError(
            f"expected the columns date, location, item, units, price (or revenue); {', '.join(missing)} "
            f"not found among {some(list(frame.columns))}; rename with --map {missing[0].split()[0]}=THEIRS"
        )


def key_codes(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """The index (R,) of each row of a key column among its names, and the names, sorted."""
    empty = column.isna().to_numpy()
    if empty.any():
        raise InputError(f"{column.name}: expected a name in every row, found {unreadable(column, empty)}")
    if pd.api.types.is_float_dtype(column) and (column % 1 == 0).all():
        column = column.astype(np.int64)
    first_codes, values = factorized(column)
    if odd := next((name for name in map(str, values) if not _is_name(name)), None):
        raise InputError(
            f"{column.name}: expected names of at most {_LONGEST_NAME} letters and no control characters,"
            f" found {odd!r:.60}"
        )
    names, codes = np.unique(np.array([str(value) for value in values], dtype=object), return_inverse=True)
    return codes[first_codes].astype(np.int64), tuple(names.tolist())


def factorized(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """(R,) place of each cell among the distinct ones, -1 where it is empty, and those.

    Raises:
        InputError: cells that are no single value.
    """
    try:
        codes, values = pd.factorize(column)
    except TypeError:
        raise InputError(f"{column.name}: expected one value a cell, found {column.iloc[0]!r:.60}") from None
    return codes, pd.Index(values)


def _unsorted(day: np.ndarray, location: np.ndarray, item: np.ndarray) -> bool:
    order = np.lexsort((item, location))  # stable: keeps the order of the rows within each series
    same = (np.diff(location[order]) == 0) & (np.diff(item[order]) == 0)
    return bool((same & (np.diff(day[order]) < np.timedelta64(0, "D"))).any())


def _numbers(frame: pd.DataFrame, notes: list[str]) -> dict[str, np.ndarray]:
    """Every numeric column as float64; a text column outside the contract is left out and noted."""
    numbers = {}
    for name in frame.columns:
        column = frame[name]
        if name in FIELDS and name not in NUMERIC:
            continue
        if _says_yes_or_no(column) and name in COUNTED:
            raise InputError(
                f"{name}: expected numbers, found truth values such as {column.dropna().iloc[0]}"
            )
        if _says_yes_or_no(column):
            column = column.map(lambda word: _YES_OR_NO.get(str(word).strip().lower(), np.nan))
        if name not in NUMERIC and not _is_number(column):
            example = column.dropna()
            shown = f", such as {example.iloc[0]!s:.40}" if len(example) else ""
            notes.append(f"{name}: left out, {len(frame)} rows that are not numbers{shown}")
            continue
        numbers[name] = numbers_of(column)
    return numbers


def _is_name(text: str) -> bool:
    """Whether a name can be shown in a table, a picture and a page."""
    shown = text.isprintable() or not any(category(letter) in ("Cc", "Cs") for letter in text)
    return len(text) <= _LONGEST_NAME and shown


def _says_yes_or_no(column: pd.Series) -> bool:
    """Whether a column of text or of truth values holds nothing but such words."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return False
    words = {str(word).strip().lower() for word in column.dropna().unique()}
    return bool(words) and words <= _YES_OR_NO.keys()


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.infer_dtype(column) == "decimal"


def _as_float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def numbers_of(column: pd.Series) -> np.ndarray:
    """(R,) float64 of a column, NaN where it is empty.

    Raises:
        InputError: what is no number, or beyond ``LARGEST``.
    """
    try:
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    except OverflowError:  # whole numbers of hundreds of digits
        values = np.array([_as_float(value) for value in column], dtype=np.float64)
    bad = np.isnan(values) & column.notna().to_numpy() | (np.abs(values) > LARGEST)
    if bad.any():
        raise InputError(
            f"{column.name}: expected finite numbers up to {LARGEST:g}, found {unreadable(column, bad)}"
            + (
                "; write decimals with a point and nothing between thousands"
                if _has_comma(column[bad])
                else ""
            )
        )
    return values


def _has_comma(column: pd.Series) -> bool:
    return bool(column.astype(str).str.fullmatch(r"\s*-?[\d.]+(,\d+)+(\.\d+)?\s*").any())


def _names(frame: pd.DataFrame, name: str, owner: np.ndarray, owners: tuple[str, ...]) -> tuple[str, ...]:
    """A text column with one value an owner (an item's category …), () where the table has none."""
    if name not in frame:
        return ()
    codes, names = key_codes(frame[name])
    first = _one_each(codes, owner, owners, name)
    return tuple(names[code] for code in first)


def _one_each(values: np.ndarray, owner: np.ndarray, owners: tuple[str, ...], name: str) -> np.ndarray:
    """The one value of each owner. Raises InputError where an owner has two."""
    of_owner = np.empty(len(owners), dtype=values.dtype)
    of_owner[owner] = values
    mixed = (of_owner[owner] != values) & ~(pd.isna(of_owner[owner]) & pd.isna(values))
    if mixed.any():
        culprits = np.unique(owner[mixed])
        shown = ", ".join(owners[culprit] for culprit in culprits[:3])
        raise InputError(
            f"{name}: expected one value each, found several for {len(culprits)}, first: {shown}"
        )
    return of_owner


def _coordinates(frame: pd.DataFrame, location: np.ndarray, locations: tuple[str, ...]) -> np.ndarray | None:
    if "lat" not in frame and "lon" not in frame:
        return None
    for name, other in (("lat", "lon"), ("lon", "lat")):
        if name not in frame:
            raise InputError(f"expected lat and lon together, found {other} without {name}")
    pairs = []
    for name, bound in (("lat", 90), ("lon", 180)):
        values = _one_each(numbers_of(frame[name]), location, locations, name)
        if (np.abs(values) > bound).any():
            raise InputError(
                f"{name}: expected degrees from -{bound} to {bound}, "
                f"found {values[np.abs(values) > bound][0]}"
            )
        pairs.append(values)
    return np.stack(pairs, axis=1).astype(np.float32)


def _checked(rows: Rows, notes: list[str]) -> Rows:
    """Price from revenue, and the ranges that columns of one unit must keep to."""
    numbers = dict(rows.numbers)
    revenue = numbers.pop("revenue", None)
    if revenue is not None and "price" in numbers:
        notes.append("revenue: left out, since price is given")
    elif revenue is not None:
        numbers["price"] = _price_from(revenue, rows, notes)
    price = numbers["price"]
    if (bad := price < SMALLEST).any():
        raise InputError(
            f"price: expected above 0, {SMALLEST:g} at least, found {bad.sum()} rows below,"
            f" {rows.where(bad)}; leave price empty where it is unknown"
        )
    if (bad := price > LARGEST).any():  # from revenue
        raise InputError(
            f"price: expected up to {LARGEST:g}, found {bad.sum()} rows above, {rows.where(bad)}"
        )
    _note_unknown("units", numbers["units"], rows, notes, "units unknown there")
    if (broken := numbers["units"] % 1 > 0).any():
        notes.append(f"units: {broken.sum()} rows are not whole numbers, kept, {rows.where(broken)}")
    if "cost" in numbers and (bad := numbers["cost"] < SMALLEST).any():
        notes.append(f"cost: {bad.sum()} rows at or below 0 taken as unknown, {rows.where(bad)}")
        numbers["cost"] = np.where(bad, np.nan, numbers["cost"])
    return replace(rows, numbers=numbers)


def _price_from(revenue: np.ndarray, rows: Rows, notes: list[str]) -> np.ndarray:
    units = rows.numbers["units"]
    sold = np.nan_to_num(units) != 0
    price = np.divide(revenue, units, out=np.full_like(revenue, np.nan), where=sold)
    if (bad := price <= 0).any():
        raise InputError(
            f"revenue: expected of the same sign as units, found {bad.sum()} rows that give a price at or "
            f"below 0, {rows.where(bad)}"
        )
    if not sold.all():
        notes.append(f"revenue: {(~sold).sum()} rows sold nothing, so that their price is unknown")
    return price


def _note_unknown(name: str, values: np.ndarray, rows: Rows, notes: list[str], what: str) -> None:
    if (empty := np.isnan(values)).any():
        notes.append(f"{name}: {empty.sum()} rows are empty, {what}, {rows.where(empty)}")


def without_unpriced(rows: Rows, notes: list[str]) -> Rows:
    """Leave out the series that never show a price. Raises InputError where none does."""
    _, owner = np.unique(rows.location * len(rows.items) + rows.item, return_inverse=True)
    priced = np.bincount(owner, weights=~np.isnan(rows.numbers["price"])) > 0
    if not priced.any():
        raise InputError("price: expected numbers above 0, found no price in any row")
    if priced.all():
        return rows
    keep = priced[owner]
    notes.append(f"price: {(~priced).sum()} series without any price left out, {rows.where(~keep)}")
    return rows.take(keep)
