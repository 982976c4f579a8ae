"""A decision in parts, as columns beside it: what each group of what the policy sees adds to the ordinary."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..forecasters.statistics import Explanation

RULES = "rules and rounding"  # what comes after the policy: price rules, capacity, the table's decimals


def with_parts(rows: pd.DataFrame, found: Explanation, series: np.ndarray) -> pd.DataFrame:
    """The rows with ``ordinary_price``, ``price + stock`` …, ``ordinary_order``, ``order + stock`` ….

    Price and order are the ordinary one and the sum of their parts.

    Args:
        rows: one a series, with ``price`` and ``order``.
        found: of the policy's prices and orders (2, S, I).
        series: (N, 2) location and item of each row.
    """
    place, item = series.T
    columns = {}
    for number, what in enumerate(("price", "order")):
        parts = {name: part[number, place, item] for name, part in found.parts.items()}
        columns[f"ordinary_{what}"] = found.ordinary[number, place, item]
        columns |= {f"{what} + {name}": part for name, part in parts.items()}
        columns[f"{what} + {RULES}"] = rows[what] - found.told[number, place, item]
    return rows.assign(**columns)


def parts_of(row: pd.Series, what: str) -> dict[str, float]:
    """What each group adds to the ``price`` or the ``order`` of a row that has its parts."""
    prefix = f"{what} + "
    return {str(name)[len(prefix) :]: float(row[name]) for name in row.index if str(name).startswith(prefix)}
