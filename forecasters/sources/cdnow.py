"""CDNOW: eighteen months of purchases by the customers who first bought compact discs there in early 1997."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..events import Events, panel_of, read_events
from ..panel import SalesPanel
from .fetch import cached_files, members_of_wheel
from .source import Source

_FILES = {
    "CDNOW_master.txt": "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef",
    "CDNOW_sample.txt": "6fae10155c0b0ba363c2c386e30f77990d22328220efd862a5edd1443420d94a",
}
_WHEEL, _INSIDE = "lifetimes==0.11.3", "lifetimes/datasets"
_ORIGIN = f"the files of {_INSIDE} in the Python package lifetimes 0.11.3"


def events(cache: Path) -> Events:
    """Purchases of 23,570 customers; the files are kept in ``cache``."""
    everyone, sample = cached_files(_FILES, cache, _fetch, _ORIGIN).values()
    return read_events(
        tidy(
            pd.read_csv(everyone, sep=r"\s+", dtype=str),
            pd.read_csv(sample, sep=r"\s+", dtype=str, header=None),
        )
    )


def tidy(everyone: pd.DataFrame, sample: pd.DataFrame) -> pd.DataFrame:
    """Receipts in the events' contract; an attribute tells who is in the tenth that papers use."""
    chosen = everyone["customer_id"].isin(set(sample[0]))
    return pd.DataFrame(
        {
            "time": everyone["date"],
            "customer": everyone["customer_id"],
            "item": "CD",
            "units": everyone["number_of_cds"].astype(float),
            "revenue": everyone["dollar_value"].astype(float),
            "sample": np.where(chosen, "1/10", "other"),
        }
    )


def panel(cache: Path) -> SalesPanel:
    """The weekly units of all of them, one series."""
    return panel_of(events(cache))


def _fetch(scratch: Path) -> dict[str, Path]:
    found = members_of_wheel(_WHEEL, [f"{_INSIDE}/{name}" for name in _FILES], scratch)
    return dict(zip(_FILES, found, strict=True))


SOURCE = Source(
    name="cdnow",
    description=(
        "CDNOW, a web shop: all 69,659 purchases of compact discs, January 1997 to June 1998, by the 23,570"
        " customers whose first one was in the first quarter of 1997, with units and dollars; the attribute"
        " sample marks the tenth of them that papers use. The sales table is their purchases by week: not the"
        " shop's, since no customer of later joins them."
    ),
    terms=(
        "files of the Python package lifetimes 0.11.3, which is MIT for its code; the data were published for"
        " research and no other licence is stated with them. Source: P. Fader and B. Hardie (2001),"
        " Forecasting repeat sales at CDNOW: a case study, Interfaces 31(3), S94-S107."
    ),
    acknowledgement="CDNOW data set of P. Fader and B. Hardie, by way of lifetimes.",
    panel=panel,
    events=events,
)
