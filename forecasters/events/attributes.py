"""Columns that a table of events has of its customers: one value each, such as age or city."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..errors import InputError
from ..panel.columns import factorized

MOST_VALUES = 50  # that an attribute has: more tell a single customer, such as a name or an address


def attributes_of(
    frame: pd.DataFrame, columns: Sequence[str], customer: np.ndarray, customers: int, notes: list[str]
) -> dict[str, np.ndarray]:
    """Those of ``columns`` that are attributes, (C,) text of each customer, empty where unknown.

    Args:
        frame: the R rows of a table.
        columns: what is beside the contract's.
        customer: (R,) index of the customer, -1 unknown.
        customers: C, their number.
    """
    found = {}
    for name in columns:
        try:
            code, values = factorized(frame[name])
        except InputError as error:
            notes.append(f"{error}; left out")
            continue
        told = (code >= 0) & (customer >= 0)
        own = np.full(customers, -1, dtype=np.int64)
        own[customer[told]] = code[told]
        if not (own[customer[told]] == code[told]).all():
            notes.append(f"{name}: left out, since it differs within customers, such as {values[0]!s:.40}")
        elif not 1 < len(values) <= MOST_VALUES:
            notes.append(f"{name}: left out, expected 2 to {MOST_VALUES} values, found {len(values)}")
        else:
            found[name] = np.append(np.array([_text(value) for value in values], dtype=object), "")[own]
    return found


def _text(value: object) -> str:
    """A number that an empty cell made a fraction is the whole one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
