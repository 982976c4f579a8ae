"""A decision in parts, as columns beside it: what each group of what the policy sees adds to the ordinary."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..forecasters.statistics import Explanation

RULES = "rules and rounding"  # what comes after the policy: price rules, capacity, the table's decimals
ORDINARY = "what is ordinary here"
_WORDS = {  # as a buyer has them
    ORDINARY: "the price that is ordinary here",
    "stock": "stock",
    "prices before": "the prices before",
    "past demand": "sales lately",
    "calendar": "the season",
    "unit costs": "its cost",
    "tried prices": "the prices that were tried",
    "price response": "how customers respond",
    RULES: "price rules and rounding",
}


def with_parts(
    rows: pd.DataFrame, found: Explanation, series: np.ndarray, decimals: int, rules: np.ndarray
) -> pd.DataFrame:
    """The rows with ``ordinary_price``, ``price + stock`` …, ``ordinary_order``, ``order + stock`` …

    Price and order are the ordinary one and the sum of their parts; ``drivers`` says of a change of price
    what made it, in amounts that sum to it as they are written.

    Args:
        rows: one a series, with ``current_price``, ``price`` and ``order``.
        found: of the policy's prices and orders (2, S, I).
        series: (N, 2) location and item of each row.
        decimals: that prices are written with.
        rules: (N,) names of the price rules that moved each price, empty where none did.
    """
    place, item = series.T
    columns = {}
    for number, what in enumerate(("price", "order")):
        parts = {name: part[number, place, item] for name, part in found.parts.items()}
        columns[f"ordinary_{what}"] = found.ordinary[number, place, item]
        columns |= {f"{what} + {name}": part for name, part in parts.items()}
        columns[f"{what} + {RULES}"] = rows[what] - found.told[number, place, item]
    told = rows.assign(**columns)
    said = [
        _said(drivers_of(row), row["current_price"], row["price"], decimals, rule)
        for (_, row), rule in zip(told.iterrows(), rules, strict=True)
    ]
    return told.assign(drivers=said)


def parts_of(row: pd.Series, what: str) -> dict[str, float]:
    """What each group adds to the ``price`` or the ``order`` of a row that has its parts."""
    prefix = f"{what} + "
    return {str(name)[len(prefix) :]: float(row[name]) for name in row.index if str(name).startswith(prefix)}


def drivers_of(row: pd.Series) -> dict[str, float]:
    """What moves a row's price from the current one to the new one; the sum is the change."""
    return {ORDINARY: float(row["ordinary_price"] - row["current_price"]), **parts_of(row, "price")}


def amounts_of(row: pd.Series, decimals: int) -> dict[str, float]:
    """The same in a shop's own decimals, what is nothing left out; the sum is the change as it is written."""
    steps = written(drivers_of(row), decimals)
    return {name: round(count * 10.0**-decimals, decimals) for name, count in steps.items() if count}


def written(parts: Mapping[str, float], decimals: int) -> dict[str, int]:
    """Parts in steps of the last decimal that sum to their rounded sum (largest remainders)."""
    steps = {name: value * 10**decimals for name, value in parts.items()}
    down = {name: int(np.floor(value)) for name, value in steps.items()}
    missing = round(sum(steps.values())) - sum(down.values())
    order = sorted(steps, key=lambda name: down[name] - steps[name])  # largest remainder first
    return {name: down[name] + (name in order[:missing]) for name in parts}


def _said(parts: Mapping[str, float], current: float, price: float, decimals: int, rule: str) -> str:
    steps = written(parts, decimals)
    unit = 10.0**-decimals
    names = {**_WORDS, RULES: f"price rules and rounding ({rule})" if rule else _WORDS[RULES]}
    shown = sorted((name for name in steps if steps[name]), key=lambda name: -abs(steps[name]))
    told = ", ".join(f"{names.get(name, name)} {steps[name] * unit:+.{decimals}f}" for name in shown)
    change = sum(steps.values()) * unit
    return f"{current:.{decimals}f} → {price:.{decimals}f} ({change:+.{decimals}f}): {told or 'nothing'}"
