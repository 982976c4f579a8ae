"""The level of items that nobody has bought yet, from their attributes: the Complete Journey."""

from __future__ import annotations

import numpy as np

from mercato.forecasters.customers.attributes import Attributes, level_of_new
from mercato.forecasters.events import Events, Items

from ..tables.fetched import events_of, items_of
from ..tables.piece import Figure, Found, Plan

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


def measure(events: Events, items: Items, seed: int = 0, every: int = 1) -> Found:
    """Squared error of log units a week, of products first seen after ``FROM_WEEK``; of ``every`` n-th."""
    level, first, lines = levels(events)
    known = np.flatnonzero((first < FROM_WEEK) & (lines >= FEWEST_LINES))
    new = np.flatnonzero((first >= FROM_WEEK) & (lines >= FEWEST_LINES))
    known, new = known[::every], new[::every]
    both = Attributes.of(items.of([events.items[i] for i in (*known, *new)]))
    at = np.arange(len(both.path))
    before, ahead = both.rows(at[: len(known)]), both.rows(at[len(known) :])
    fit = level_of_new(before, level[known], seed)
    by_mean, by_words = ((one(ahead) - level[new]) ** 2 for one in (fit.categories, fit.of_vectors))
    used = by_words if fit.uses_attributes else by_mean
    saved = by_mean - by_words
    error = 1.96 * saved.std() / np.sqrt(len(new))
    figures = [
        Figure("squared error of log units, category's mean", f"{by_mean.mean():.3f}"),
        Figure("with attributes", f"{by_words.mean():.3f} (saved {saved.mean():+.3f} ± {error:.3f})"),
        Figure(
            "as mercato decides",
            f"{used.mean():.3f}; {fit.text()}",
            "not above the category's mean",
            bool(used.mean() <= by_mean.mean()),
        ),
    ]
    return Found(figures, {"known": len(known), "new": len(new)})


def complete_journey(plan: Plan) -> Found:
    """Row 9: on the Complete Journey; of every third product where ``quick``."""
    return measure(events_of("complete-journey"), items_of("complete-journey"), every=3 if plan.quick else 1)
