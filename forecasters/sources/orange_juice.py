"""Dominick's refrigerated orange juice: 83 stores, 11 items, 121 weeks, with prices, deals and margins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..panel import SalesPanel, read_panel
from .fetch import cached_file, from_debian
from .source import Source

_FILE = "orangeJuice.rda"
_ORIGIN = "data/orangeJuice.rda of the R package bayesm"
_SHA256 = "4418b33f320a1e91124e934d4c7e3e978812e9c60b6924037447ffc44cf71855"
_WEEK_ONE = np.datetime64("1989-09-14")  # the first Thursday of Dominick's calendar
_MARGIN = (0.0, 60.0)  # percent; margins outside come from bad wholesale records
_ITEMS = {  # brand number in bayesm: name, bottle in ounces
    1: ("Tropicana Premium", 64),
    2: ("Tropicana Premium", 96),
    3: ("Florida's Natural", 64),
    4: ("Tropicana", 64),
    5: ("Minute Maid", 64),
    6: ("Minute Maid", 96),
    7: ("Citrus Hill", 64),
    8: ("Tree Fresh", 64),
    9: ("Florida Gold", 64),
    10: ("Dominick's", 64),
    11: ("Dominick's", 128),
}
STORE_ATTRIBUTES = {  # attributes of a store's neighbourhood in bayesm: our names
    "AGE60": "share_over_60",
    "EDUC": "share_college",
    "ETHNIC": "share_black_hispanic",
    "INCOME": "log_median_income",
    "HHLARGE": "share_large_households",
    "WORKWOM": "share_working_women",
    "HVAL150": "share_homes_over_150k",
    "SSTRDIST": "warehouse_distance",
    "SSTRVOL": "warehouse_volume_ratio",
    "CPDIST5": "supermarket_distance",
    "CPWVOL5": "supermarket_volume_ratio",
}


def panel(cache: Path) -> SalesPanel:
    """The panel, one row a (week, store, item); the file is kept in ``cache``."""
    path = cached_file(_FILE, _SHA256, cache, _fetch, _ORIGIN)
    frame, notes = tidy(*_read(path))
    read = read_panel(frame)
    return replace(read, report=replace(read.report, notes=(*notes, *read.report.notes)))


def tidy(sales: pd.DataFrame, stores: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """bayesm's two tables as one in the panel contract, and notes on what was changed.

    ``logmove`` is the log of ounces, prices are dollars an ounce and ``profit`` is the margin in percent of
    the price; here units are bottles and money is dollars a bottle.
    """
    brand = sales["brand"].to_numpy(int)
    names = np.array([f"{name} {size} oz" for name, size in _ITEMS.values()], dtype=object)
    size = np.array([size for _, size in _ITEMS.values()])[brand - 1]
    prices = sales[[f"price{number}" for number in _ITEMS]].to_numpy(float)
    price = np.round(prices[np.arange(len(sales)), brand - 1] * size, 4)
    margin = sales["profit"].to_numpy(float)
    clipped = np.clip(margin, *_MARGIN)
    columns = {
        "date": _WEEK_ONE + 7 * (sales["week"].to_numpy(int) - 1),
        "location": sales["store"].astype(int).astype(str).to_numpy(),
        "item": names[brand - 1],
        "category": "orange juice",
        "units": np.round(np.exp(sales["logmove"].to_numpy(float)) / size),
        "price": price,
        "cost": np.round(price * (1 - clipped / 100), 4),
        "deal": sales["deal"].to_numpy(float),
        "feature": sales["feat"].to_numpy(float),
        "size_oz": size,
    }
    demography = stores.rename(columns=STORE_ATTRIBUTES)[list(STORE_ATTRIBUTES.values())]
    demography.index = pd.Index(stores["STORE"].astype(int).astype(str))
    frame = pd.DataFrame(columns).join(demography, on="location")
    low, high = _MARGIN
    note = (
        f"cost: {(margin != clipped).sum()} rows with a margin outside {low:.0f} to {high:.0f}% clipped to it"
    )
    return frame, (note,)


def _fetch(scratch: Path) -> Path:
    return from_debian("r-cran-bayesm", f"usr/lib/R/site-library/bayesm/data/{_FILE}", scratch)


def _read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    try:
        import rdata
    except ImportError as error:
        raise InputError("orange-juice: expected the package rdata; install mercato[data]") from error
    tables = rdata.read_rda(path)["orangeJuice"]
    return tables["yx"], tables["storedemo"]


SOURCE = Source(
    name="orange-juice",
    description=(
        "Dominick's Finer Foods, Chicago: weekly sales of 11 refrigerated orange juices in 83 stores, "
        "June 1990 to October 1992 (106,139 rows), with shelf price, wholesale cost (from the margin on "
        "average acquisition cost), deals, features and what the stores' neighbourhoods are like. Whole "
        "store-weeks are missing; there are no zero sales and no stock column."
    ),
    terms=(
        "data set orangeJuice of the R package bayesm (GPL-2 or later); the underlying database is for "
        "academic research. Source: A. Montgomery (1997), Creating micro-marketing pricing strategies "
        "using supermarket scanner data, Marketing Science 16(4), 315-337."
    ),
    acknowledgement=(
        "Dominick's data courtesy of the James M. Kilts Center for Marketing, University of Chicago Booth"
        " School of Business."
    ),
    panel=panel,
)
