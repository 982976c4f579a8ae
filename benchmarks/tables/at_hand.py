"""The panels at hand: public ones, one that others brought, and those of known truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.panel import Role, SalesPanel, read_panel
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.sources import SOURCES
from mercato.forecasters.sources import ta_feng as ta_feng_source

from .fetched import fetched
from .glance import BRIEF
from .levels import PATHS, PERIODS, found, play
from .piece import Found, Measure, Plan, Skip

FRESH = "freshretailnet50k_subset_60stores_30items_daily.parquet"
FRESH_MAP = {
    "location": "store_id",
    "item": "product_id",
    "units": "sales",
    "price": "price_ratio",
    "category": "third_category_id",
    "promo": "promo_activity",
}
WEATHER = ("precipitation", "temperature", "humidity", "wind_level")
FRESH_ROLES: dict[str, Role] = dict.fromkeys((*WEATHER, "holiday"), "exogenous")
FAMILY_SIZE, FAMILY_SEED = Size(20, 10, 150), 9101
_MOST_DAYS = 94  # a product is sold on so many of 120 days, or more: 286 are

Load = Callable[[Plan], SalesPanel]


def fresh_table(plan: Plan, out_of_stock: str | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """The FreshRetailNet subset with the columns that a shop would give, and how they are mapped.

    Raises:
        Skip: it is not there.
    """
    path = plan.shared / "data" / FRESH
    if not path.is_file():
        raise Skip(f"{path} is not there (--shared names the folder)")
    column = [] if out_of_stock is None else [out_of_stock.partition(":")[0]]
    frame = pd.read_parquet(path, columns=["date", *FRESH_MAP.values(), "holiday", *WEATHER, *column])
    if plan.quick:
        stores, products = (sorted(frame[name].unique()) for name in ("store_id", "product_id"))
        frame = frame[frame["store_id"].isin(stores[:5]) & frame["product_id"].isin(products[:4])]
    return frame, FRESH_MAP if out_of_stock is None else {**FRESH_MAP, "censored": out_of_stock}


def _fresh(out_of_stock: str | None, plan: Plan) -> SalesPanel:
    frame, named = fresh_table(plan, out_of_stock)
    return read_panel(frame, map=named, roles=FRESH_ROLES)


def _public(name: str, plan: Plan) -> SalesPanel:
    return _less(fetched(SOURCES[name].panel), plan)


def _ta_feng_286(plan: Plan) -> SalesPanel:
    return _less(fetched(partial(ta_feng_source.panel, least_days=_MOST_DAYS)), plan)


def _less(panel: SalesPanel, plan: Plan) -> SalesPanel:
    return panel.select(panel.locations[:6], panel.items[:6]) if plan.quick else panel


def _family(name: str, plan: Plan) -> SalesPanel:
    if name not in FAMILIES:
        raise Skip(f"there is no family {name}")
    frame, _ = FAMILIES[name].make(FAMILY_SEED, Size(4, 3, 60) if plan.quick else FAMILY_SIZE)
    return read_panel(frame, roles=ROLES)


PANELS: dict[str, Load] = {
    "orange-juice": partial(_public, "orange-juice"),
    "ta-feng": partial(_public, "ta-feng"),
    "ta-feng, 286 items": _ta_feng_286,
    "FreshRetailNet, hours of 16": partial(_fresh, "stockout_hours_6_22:hours/16"),
    "FreshRetailNet, which hours": partial(_fresh, "stockout_hour_bitmask:hourmask"),
    "FreshRetailNet, no hours": partial(_fresh, None),
}


def fitted(panel: SalesPanel, plan: Plan) -> LearnedDemand:
    """The market learned from a panel, after it."""
    return LearnedDemand.after(fit_demand(panel, BRIEF if plan.quick else None), panel)


def level(load: Load) -> Measure:
    """Measure how a panel's market keeps its level."""

    def measure(plan: Plan) -> Found:
        panel = load(plan)
        demand = fitted(panel, plan)
        told = found(play(demand, *((120, 2) if plan.quick else (PERIODS, PATHS))), demand)
        shape: dict[str, Any] = {"shape": [len(panel.locations), len(panel.items), panel.periods]}
        return Found(told.figures, {**shape, "series": len(panel.series), **told.detail})

    return measure


def family(name: str) -> Load:
    """The panel of a family of true markets."""
    return partial(_family, name)
