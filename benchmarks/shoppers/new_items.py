"""The level of items that nobody has bought yet, from their attributes: the Complete Journey."""

from __future__ import annotations

from typing import Any

import numpy as np

from mercato.forecasters.customers.attributes import Attributes, level_of_new
from mercato.forecasters.events import Events, Items
from mercato.forecasters.sources import SOURCES, cache_folder

FROM_WEEK, FEWEST_LINES = 26, 50
_WEEK = np.timedelta64(7, "D")


def levels(events: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By item: log units a week from its first sale on, the week of that sale, and its receipt lines."""
    buys = events.of("buy")
    buys = buys.rows(buys.item >= 0)
    week = ((buys.day - events.day[0]) // _WEEK).astype(int)
    count, last = len(events.items), int(week.max())
    first = np.full(count, last)
    np.minimum.at(first, buys.item, week)
    units = np.bincount(buys.item, np.nan_to_num(buys.units, nan=1.0), count)
    lines = np.bincount(buys.item, minlength=count)
    return np.log(np.maximum(units, 1e-9) / (last - first + 1)), first, lines


def measure(events: Events, items: Items, seed: int = 0) -> dict[str, Any]:
    """Squared error of log units a week, of products first seen after ``FROM_WEEK``."""
    level, first, lines = levels(events)
    known = np.flatnonzero((first < FROM_WEEK) & (lines >= FEWEST_LINES))
    new = np.flatnonzero((first >= FROM_WEEK) & (lines >= FEWEST_LINES))
    both = Attributes.of(items.of([events.items[i] for i in (*known, *new)]))
    before, ahead = (
        both.rows(np.arange(len(both.path))[cut]) for cut in (slice(len(known)), slice(len(known), None))
    )
    fit = level_of_new(before, level[known], seed)
    error = {
        "category's mean": (fit.categories(ahead) - level[new]) ** 2,
        "with attributes, kept or not": (fit.of_vectors(ahead) - level[new]) ** 2,
        "mercato": (fit(ahead) - level[new]) ** 2,
    }
    saved = error["category's mean"] - error["with attributes, kept or not"]
    return {
        "products": {"known": len(known), "new": len(new)},
        "squared error": {name: float(each.mean()) for name, each in error.items()},
        "saved by attributes": [float(saved.mean()), float(1.96 * saved.std() / np.sqrt(len(new)))],
        "decision": fit.text(),
    }


def complete_journey(seed: int = 0) -> dict[str, Any]:
    """On the Complete Journey."""
    source, cache = SOURCES["complete-journey"], cache_folder()
    assert source.events is not None
    assert source.items is not None
    return measure(source.events(cache), source.items(cache), seed)
