"""Odd sales tables: a good one with a few things done to it, as files are done to."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mercato.forecasters.panel import SalesPanel, read_panel

from .verdict import Verdict, tried

_WEEKS = 30
_ODD_NUMBERS = (
    *("", "nan", "NA", "inf", "-inf", "1e39", "1e300", "1e-300", "-1", "0", "-0.0", "abc", "1,5", "1.234,5"),
    *("１２", "0x10", "1_000", "1e5", "TRUE", "--", "9" * 400, "3.0000001", "\x00", "€5", "5 kg", "5%"),
)
_ODD_DATES = (
    *("", "NaT", "2024-13-01", "01/02/2024", "2024-W07", "202407", "45292", "0001-01-01", "9999-12-31"),
    *("2024-02-30", "now", "2024-01-01T25:00", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00+14:00", "7"),
)
_ODD_NAMES = (
    *(
        "",
        "NA",
        "nan",
        "=cmd|' /C calc'!A0",
        "a" * 10_000,
        "tab\there",
        "new\nline",
        "\x07",
        "$x$ $y$",
        "007",
    ),
    *(
        "12.0",
        "ünïcode ☃",
        "../../etc",
        "<script>",
        "'; drop",
        "\u202eabc",
        "\ud800",
        "  spaces  ",
        "-",
        "NULL",
    ),
)
_COLUMNS = ("date", "location", "item", "units", "price", "cost", "promo", "category")


@dataclass
class Odd:
    """A table on its way to a file, what it is called and how it is asked for."""

    frame: pd.DataFrame
    name: str = "sales.csv"
    options: dict[str, Any] = field(default_factory=dict)
    separator: str = ","
    change: Callable[[bytes], bytes] = staticmethod(lambda content: content)
    what: list[str] = field(default_factory=list)


def good(rng: np.random.Generator) -> pd.DataFrame:
    """Two shops, three items, thirty weeks."""
    dates = pd.date_range("2023-01-02", periods=_WEEKS, freq="W-MON").strftime("%Y-%m-%d")
    rows = []
    for shop in ("north", "south"):
        for item, usual in (("tea", 3.0), ("milk", 1.0), ("jam", 2.5)):
            price = usual * rng.choice([1.0, 0.9, 0.75], _WEEKS)
            rows.append(
                pd.DataFrame(
                    {
                        "date": dates,
                        "location": shop,
                        "item": item,
                        "units": rng.poisson(20 * (price / usual) ** -2),
                        "price": price.round(2),
                        "cost": round(usual * 0.6, 2),
                        "promo": (price < usual).astype(int),
                        "category": "food",
                    }
                )
            )
    return pd.concat(rows, ignore_index=True).astype(object)


def _cell(odd: Odd, rng: np.random.Generator) -> None:
    column = str(rng.choice(_COLUMNS))
    values = {"date": _ODD_DATES, "location": _ODD_NAMES, "item": _ODD_NAMES, "category": _ODD_NAMES}
    value = rng.choice(np.array(values.get(column, _ODD_NUMBERS), dtype=object))
    if column in odd.frame and len(odd.frame):
        many = rng.random() < 0.3
        if many:
            odd.frame[column] = value
        else:
            odd.frame.iat[int(rng.integers(len(odd.frame))), list(odd.frame).index(column)] = value
        odd.what.append(f"{column}={value[:20]!r}{' everywhere' if many else ''}")


def _column(odd: Odd, rng: np.random.Generator) -> None:
    column = str(rng.choice(odd.frame.columns)) if len(odd.frame.columns) else "none"
    kind = int(rng.integers(5))
    if kind == 0:
        odd.frame = odd.frame.drop(columns=column, errors="ignore")
    elif kind == 1:
        odd.frame = odd.frame.rename(
            columns={column: str(rng.choice(["qty", "Units", "", "units", "unit s", "x" * 5000]))}
        )
    elif kind == 2 and column in odd.frame and odd.frame.columns.is_unique:
        odd.frame.insert(0, column, odd.frame[column], allow_duplicates=True)
    elif kind == 3:
        name = str(
            rng.choice(
                ["is_promo", "censored", "stock_on_hand", "lat", "revenue", "note", "competitor_price"]
            )
        )
        odd.frame[name] = rng.choice(np.array([0, 1, 2.5, "yes", None, -3], dtype=object), len(odd.frame))
    else:
        odd.frame = (
            odd.frame[list(rng.permutation(odd.frame.columns))] if odd.frame.columns.is_unique else odd.frame
        )
    odd.what.append(f"column {column} kind {kind}")


def _rows(odd: Odd, rng: np.random.Generator) -> None:
    kind, count = int(rng.integers(6)), len(odd.frame)
    if kind == 0:
        odd.frame = odd.frame.sample(frac=1, random_state=int(rng.integers(2**31)))
    elif kind == 1 and count:
        odd.frame = pd.concat([odd.frame, odd.frame.iloc[: int(rng.integers(1, 5))]])
    elif kind == 2:
        odd.frame = odd.frame.iloc[: int(rng.integers(0, 8))]
    elif kind == 3:
        odd.frame = odd.frame[rng.random(count) < rng.choice([0.05, 0.5])]
    elif kind == 4 and "units" in odd.frame and odd.frame.columns.is_unique and count:
        row, units = int(rng.integers(count)), int(rng.choice([5000, 10**6]))
        odd.frame.iat[row, list(odd.frame).index("units")] = units
    elif "price" in odd.frame and odd.frame.columns.is_unique:
        late = np.arange(count) % _WEEKS > _WEEKS // 2
        numbers = pd.to_numeric(odd.frame["price"], errors="coerce")
        odd.frame["price"] = numbers.where(~late, numbers * rng.choice([7.5, 100, 0.01])).astype(object)
    odd.what.append(f"rows kind {kind}")


def _file(odd: Odd, rng: np.random.Generator) -> None:
    kind = int(rng.integers(7))
    cut = float(rng.random())
    changes: dict[int, Callable[[bytes], bytes]] = {
        0: lambda content: b"\xef\xbb\xbf" + content,
        1: lambda content: content.decode("utf-8", "replace").encode("utf-16"),
        2: lambda content: content[: int(cut * len(content))],
        3: lambda content: content + b"\x00" * 100_000,
        4: lambda content: content.replace(b"\n", b"\r\n"),
        5: gzip.compress,
    }
    if kind in changes:
        odd.change = changes[kind]
        odd.name = "sales.csv.gz" if kind == 5 and rng.random() < 0.5 else odd.name
    else:
        odd.separator = str(rng.choice([";", "\t", "|"]))
    odd.what.append(f"file kind {kind}")


def _options(odd: Odd, rng: np.random.Generator) -> None:
    def one(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    kind = int(rng.integers(5))
    odd.options |= (
        {"freq": one("D", "W", "2W", "MS", "Q", "0W", "", "W-MON", "99999W", "3D")},
        {"absent": one("zero", "zero", "maybe")},
        {"map": {one("units", "stock", "", "price", "cost"): one("units", "promo", "qty", "", "cost")}},
        {"roles": {one("promo", "cost", "none"): one("decision", "static", "instrument", "past", "x")}},
        {"holidays": one("DE", "us", "US-NY", "XX", "")},
    )[kind]
    odd.what.append(f"options {odd.options}")


def draw(seed: int) -> Odd:
    """An odd table: one to three things done to a good one."""
    rng = np.random.default_rng(seed)
    odd = Odd(good(rng))
    doings = (_cell, _cell, _column, _rows, _file, _options)
    for number in rng.choice(len(doings), int(rng.integers(1, 4))):
        doings[number](odd, rng)
    return odd


def try_table(seed: int, folder: Path) -> tuple[str, Verdict]:
    """What was done to a table, and what became of it."""
    odd = draw(seed)
    path = folder / odd.name
    text = odd.frame.to_csv(index=False, sep=odd.separator)
    path.write_bytes(odd.change(text.encode("utf-8", "surrogatepass")))
    verdict = tried(lambda: read_panel(path, **odd.options), lambda panel: wrong(panel, odd))
    return "; ".join(odd.what), verdict


def wrong(panel: SalesPanel, odd: Odd) -> str:
    """What no panel may be, whatever table it came from."""
    known = ~np.isnan(panel.units)
    if not (np.isfinite(panel.units[known]).all() and (panel.units[known] >= 0).all()):
        return "units that are no counts"
    priced = ~np.isnan(panel.price)
    if not ((panel.price[priced] > 0).all() and np.isfinite(panel.price[priced]).all()):
        return "prices that are none"
    if (known & ~priced).any():
        return "units without a price"
    if not ((panel.censored >= 0) & (panel.censored <= 1)).all():
        return "shares out of stock beyond 0 to 1"
    if len(panel.dates) > 1 and (np.diff(panel.dates).astype(int) <= 0).any():
        return "dates that do not go on"
    counted = (
        pd.to_numeric(odd.frame["units"], errors="coerce")
        if "units" in odd.frame.columns
        else pd.Series([0.0])
    )
    if isinstance(counted, pd.Series) and not panel.report.notes and odd.change(b"a") == b"a":
        lost = float(np.nan_to_num(counted).sum()) - float(np.nansum(panel.units, dtype=float))
        if abs(lost) > 1e-3 * max(1.0, abs(float(np.nan_to_num(counted).sum()))):
            return f"{lost:g} units lost without a note"
    return ""
