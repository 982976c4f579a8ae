"""The café of ``tests.app.conftest``, as it goes on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mercato.forecasters.panel import SalesPanel
from tests.app.service.rows import DATE

HERE = "http://127.0.0.1"


def forecast(panel: SalesPanel, horizon: int) -> pd.DataFrame:
    """What takes a minute, at once."""
    rows = [(panel.locations[place], panel.items[item]) for place, item in panel.series.tolist()]
    table = pd.DataFrame(rows, columns=["location", "item"]).assign(date=pd.Timestamp(DATE))
    return table.assign(**{f"q0.{k}": float(k) for k in range(1, 10)})


def week(start: str = "2023-05-02", seed: int = 1) -> pd.DataFrame:
    """Seven days of the café's sales, as its till has them."""
    rng, days = np.random.default_rng(seed), pd.date_range(start, periods=7).strftime("%Y-%m-%d")
    drinks = [("espresso", 3.0), ("flat white", 4.0), ("mocha", 4.5)]
    return pd.concat(
        pd.DataFrame(
            {"day": days, "sku": sku, "shop": "corner", "qty": rng.poisson(20, 7), "unit price": price}
        )
        for sku, price in drinks
    )
