"""A market's own panel, carried on by the latest table.

Monday's table is never last month's: it may be short, lack a shop that closed, or hold an item that nobody
knew when the market was fitted. What the market knows stays; the latest table adds to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import InputError
from .calendar import declared_grid
from .sales_panel import Covariate, SalesPanel, inside, last_known

_FARTHEST = 60  # periods between the market's last one and the table's first, at most


def extended(own: SalesPanel, latest: SalesPanel) -> tuple[SalesPanel, list[str]]:
    """The market's panel up to the end of the latest one, and what was left out on the way.

    In periods that both cover the latest table holds. Series that the market does not know are left out;
    those that the latest table lacks are unknown in its periods. Periods that neither covers are unknown.

    Raises:
        InputError: other periods, an older table, one far later, one without a column that the market needs,
            or one with nothing that the market knows.
    """
    start = _first_period(own, latest)
    if start < 0:  # older than all that the market knows
        latest, start = latest.window(-start, latest.periods), 0
    periods = start + latest.periods
    notes = _strangers(own, latest)
    at = {pair: n for n, pair in enumerate(map(tuple, own.series.tolist()))}
    places = {name: n for n, name in enumerate(own.locations)}
    goods = {name: n for n, name in enumerate(own.items)}
    pairs = [
        at.get((places.get(latest.locations[s], -1), goods.get(latest.items[i], -1)), -1)
        for s, i in latest.series.tolist()
    ]
    known = np.array(pairs) >= 0
    if not known.any():
        raise InputError("expected a table of the market's locations and items, found none of its series")
    theirs = np.flatnonzero(known)
    ours = np.array(pairs)[known]

    def joined(before: np.ndarray, after: np.ndarray, fill: float = np.nan) -> np.ndarray:
        out = np.full((periods, before.shape[1]), fill, dtype=before.dtype)
        out[: len(before)] = before
        recent = out[start:]
        recent[:, ours] = after[:, theirs]
        return out

    if not np.nansum(latest.units[:, theirs]) > 0:
        raise InputError(
            "units: expected some of the market's series to sell in the latest table, found none"
        )
    price = joined(own.price, latest.price)
    return (
        replace(
            own,
            dates=declared_grid(own.frequency, own.dates).starts(np.arange(periods)),
            units=joined(own.units, latest.units),
            price=np.where(inside(~np.isnan(price)), last_known(price), np.nan),
            censored=np.nan_to_num(joined(own.censored, latest.censored, 0.0)),
            cost=None if own.cost is None else joined(own.cost, _cost(latest)),
            covariates=tuple(_carried_on(c, latest, joined, periods) for c in own.covariates),
            report=latest.report,
        ),
        notes,
    )


def _first_period(own: SalesPanel, latest: SalesPanel) -> int:
    """Index, on the market's calendar, of the latest table's first period."""
    if latest.frequency != own.frequency:
        raise InputError(
            f"date: expected periods as the market's ({own.frequency}), found {latest.frequency}; add up to"
            " them, or declare --freq when the market is fitted"
        )
    grid = declared_grid(own.frequency, own.dates)
    start = grid.period_of(latest.dates[:1])
    if grid.starts(start)[0] != latest.dates[0]:
        raise InputError(
            f"date: expected periods that begin as the market's do (first {own.dates[0]}), found"
            f" {latest.dates[0]}"
        )
    if latest.dates[-1] < own.dates[-1]:
        raise InputError(
            f"date: expected a table up to {own.dates[-1]} or later, as the market's own, found one up to"
            f" {latest.dates[-1]}"
        )
    if start[0] > own.periods + _FARTHEST:
        raise InputError(
            f"date: expected a table that goes on from {own.dates[-1]}, found one from {latest.dates[0]} on;"
            " fit the market again"
        )
    return int(start[0])


def _strangers(own: SalesPanel, latest: SalesPanel) -> list[str]:
    """Notes on what only one of the two has."""
    notes = []
    for what, have, want in (
        ("location", latest.locations, own.locations),
        ("item", latest.items, own.items),
    ):
        if new := sorted(set(have) - set(want)):
            notes.append(
                f"{what}: {len(new)} that the market does not know are left out, first {new[0]!r:.60}; fit it"
                " again to decide for them"
            )
        if gone := sorted(set(want) - set(have)):
            notes.append(
                f"{what}: {len(gone)} of the market's are not in the latest table and need no decision, first"
                f" {gone[0]!r:.60}"
            )
    return notes


def _cost(latest: SalesPanel) -> np.ndarray:
    return np.full(latest.units.shape, np.nan, np.float32) if latest.cost is None else latest.cost


def _carried_on(
    covariate: Covariate,
    latest: SalesPanel,
    joined: Callable[[np.ndarray, np.ndarray], np.ndarray],
    periods: int,
) -> Covariate:
    """A covariate over the whole time; a static one is the market's own throughout."""
    if covariate.role == "static":
        return replace(covariate, values=np.repeat(covariate.values[:1], periods, axis=0))
    try:
        theirs = latest.covariate(covariate.name)
    except KeyError:
        if covariate.role == "past":
            return replace(covariate, values=joined(covariate.values, np.full(latest.units.shape, np.nan)))
        raise InputError(
            f"expected the column {covariate.name} that the market was fitted with, found"
            f" {', '.join(c.name for c in latest.covariates) or 'no such column'}"
        ) from None
    whole = joined(covariate.values, theirs.values)
    if covariate.role == "exogenous":  # the same for all series, where it is so in the latest table
        first = pd.DataFrame(theirs.values).bfill(axis=1).to_numpy()[:, :1]
        if (np.isnan(theirs.values) | (theirs.values == first)).all():
            whole[-latest.periods :] = first
    return replace(covariate, values=whole)
