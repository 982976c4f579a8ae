"""Event logs of a known making, for tests."""

from __future__ import annotations

import numpy as np

from mercato.forecasters.events import KINDS, Events


def events_of(
    rows: dict[str, np.ndarray], customers: int, items: int = 1, days: np.ndarray | None = None
) -> Events:
    """Events in order of time; ``rows`` are columns by name, what is not given is unknown."""
    n = len(rows["customer"])
    time = np.datetime64("2025-01-01", "s") + (rows["day"] * 86400).astype("timedelta64[s]")
    order = np.lexsort((rows["customer"], time))
    default = {
        "item": np.full(n, -1),
        "location": np.zeros(n),
        "channel": np.full(n, -1),
        "session": np.full(n, -1),
        "units": np.full(n, np.nan),
        "price": np.full(n, np.nan),
        "propensity": np.full(n, np.nan),
        "referrer": np.full(n, -1),
    }
    whole = {"item": np.int32, "location": np.int32, "channel": np.int16, "session": np.int32}
    whole |= {"referrer": np.int32}
    columns = {
        name: rows.get(name, value)[order].astype(whole.get(name, np.float32))
        for name, value in default.items()
    }
    return Events(
        customers=tuple(f"c{i}" for i in range(customers)),
        items=tuple(f"i{i}" for i in range(items)),
        locations=("shop",),
        channels=(),
        customer=rows["customer"][order].astype(np.int32),
        time=time[order],
        kind=rows["kind"][order].astype(np.int8),
        **columns,
    )


def kind(name: str, n: int) -> np.ndarray:
    return np.full(n, KINDS.index(name))
