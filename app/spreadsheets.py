"""Tables that people open in a spreadsheet, on their way out and back."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

_RUN = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for a formula


def csv(rows: pd.DataFrame, names: Sequence[str]) -> str:
    """The rows as CSV text; ``names`` that a spreadsheet would run as a formula begin with an apostrophe."""
    safe = {
        name: rows[name].map(lambda text: f"'{text}" if text.startswith(_RUN) else text) for name in names
    }
    return rows.assign(**safe).to_csv(index=False)


def plain(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows with ``names`` as they were before ``csv`` wrote them."""
    there = [name for name in names if name in rows]
    told = {
        name: rows[name]
        .astype(str)
        .map(lambda text: text[1:] if text[:1] == "'" and text[1:].startswith(_RUN) else text)
        for name in there
    }
    return rows.assign(**told)
