"""A small shop whose customers come and buy by a known law."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mercato.forecasters.customers.purchases import Purchases
from mercato.forecasters.events import Events, read_events

DAYS, ITEMS, CATEGORIES = 120, 60, 6
CATEGORY = np.arange(ITEMS) % CATEGORIES


def shop(customers: int, seed: int = 0, faithful: float = 0.5, leaving: float = 0.03) -> Purchases:
    """Visits by a rate of each customer's own; a line is a repeat with chance ``faithful``, else popular."""
    rng = np.random.default_rng(seed)
    popular = 1 / (1 + np.arange(ITEMS))
    popular = popular / popular.sum()
    rows = set()
    for customer, rate in enumerate(rng.gamma(1.0, 0.12, customers)):
        day, bought = int(rng.integers(0, DAYS // 2)), list[int]()
        while day < DAYS:
            for _ in range(rng.integers(1, 5)):
                known = bought and rng.random() < faithful
                bought.append(int(rng.choice(bought) if known else rng.choice(ITEMS, p=popular)))
                rows.add((customer, day, bought[-1]))
            if rng.random() < leaving:
                break
            day += 1 + int(rng.exponential(1 / max(rate, 0.01)))
    customer, day, item = np.array(sorted(rows), dtype=np.int64).T
    units = rng.geometric(np.where(item % 2, 0.9, 0.4)).astype(float)
    never = np.full(len(day), -1)
    return Purchases(customers, ITEMS, np.datetime64("2024-01-01"), customer, day, item, units, units, never)


def events_of(log: Purchases) -> Events:
    """The same as a log of events, as a file would tell of them."""
    return read_events(
        pd.DataFrame(
            {
                "time": log.origin + log.day.astype("timedelta64[D]"),
                "customer": [f"c{c:03}" for c in log.customer],
                "item": [f"i{i:02}" for i in log.item],
                "units": log.units,
                "price": log.value / log.units,
            }
        )
    )
