"""A market's panel carried on by the latest table, with all that is new in it.

Beside ``extended``, which decides for what a market knows, this is how a market comes to know more: new
locations, new items, columns that stopped coming, rows of old periods that were booked since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .calendar import declared_grid
from .extend import extended
from .sales_panel import Covariate, SalesPanel

_SAME = 1e-3  # relative difference of two numbers that are one: a table rounds
_ANOTHER = 0.5  # share of the rows known before that may differ in the latest table


@dataclass(frozen=True)
class Grown:
    """A panel after the latest table, and what is new in it."""

    panel: SalesPanel
    before: int  # periods that were known before
    locations: tuple[str, ...]  # that are new
    items: tuple[str, ...]
    series: np.ndarray  # (N,) bool, of ``panel.series``: those that are new
    lacking: tuple[str, ...]  # columns of the market that the latest table does not have
    overlap: int  # rows of periods that were known before, in both tables
    differing: int  # of them rows whose units or prices are others now
    notes: tuple[str, ...]  # what was done, a line each

    @property
    def news(self) -> bool:
        """Whether the latest table says anything that was not known."""
        return bool(self.panel.periods > self.before or self.differing or self.series.any())


def grown(own: SalesPanel, latest: SalesPanel) -> Grown:
    """``own`` with all that ``latest`` adds; in rows that both have the latest table holds, and it is said.

    Locations and items are in the order of their names, as ``read_panel`` has them.

    Raises:
        InputError: other periods than the market's, an older table, one far later, or one that differs from
            the market's own in most of the rows that both have.
    """
    overlap, differing, note = _differences(own, latest)
    lacking = tuple(
        c.name
        for c in own.covariates
        if c.role in ("decision", "exogenous", "instrument") and not _has(latest, c)
    )
    whole, new = _widened(own, latest)
    panel, notes = extended(whole, _with_columns(latest, own, lacking))
    notes = [n for n in notes if "need no decision" not in n]
    notes += [
        f"{name}: not in the latest table, taken as unknown from {latest.dates[0]} on" for name in lacking
    ]
    if note:
        notes.append(note)
    locations = tuple(sorted(set(latest.locations) - set(own.locations)))
    items = tuple(sorted(set(latest.items) - set(own.items)))
    return Grown(panel, own.periods, locations, items, new, lacking, overlap, differing, tuple(notes))


def _has(panel: SalesPanel, covariate: Covariate) -> bool:
    return covariate.country is not None or any(c.name == covariate.name for c in panel.covariates)


def _with_columns(latest: SalesPanel, own: SalesPanel, names: tuple[str, ...]) -> SalesPanel:
    """The latest table with columns that it lacks, unknown throughout."""
    nothing = np.full(latest.units.shape, np.nan, dtype=np.float32)
    more = tuple(replace(own.covariate(name), values=nothing) for name in names)
    return replace(latest, covariates=(*latest.covariates, *more))


def _differences(own: SalesPanel, latest: SalesPanel) -> tuple[int, int, str | None]:
    """Rows that both tables have, those whose units or prices differ, and a note on them."""
    grid = declared_grid(own.frequency, own.dates)
    if own.frequency != latest.frequency:
        return 0, 0, None  # which ``extended`` refuses
    theirs = grid.period_of(latest.dates)
    periods = np.flatnonzero((theirs >= 0) & (theirs < own.periods))
    at = {pair: n for n, pair in enumerate(_pairs(latest))}
    both = [(n, at[pair]) for n, pair in enumerate(_pairs(own)) if pair in at]
    if not len(periods) or not both:
        return 0, 0, None
    mine, others = (np.array(side) for side in zip(*both, strict=True))
    units, price = (
        (getattr(own, name)[theirs[periods]][:, mine], getattr(latest, name)[periods][:, others])
        for name in ("units", "price")
    )
    there = np.isfinite(units[0]) & np.isfinite(units[1])
    new = np.isfinite(units[1]) & ~np.isfinite(units[0])
    wrong = {"units": there & _apart(*units), "price": there & _apart(*price)}
    differing = wrong["units"] | wrong["price"] | new
    count, total = int(differing.sum()), int((there | new).sum())
    if count == 0:
        return total, 0, None
    t, n = (int(x[0]) for x in np.nonzero(differing))
    name = "price" if wrong["price"][t, n] and not wrong["units"][t, n] else "units"
    before, after = (side[t, n] for side in (units if name == "units" else price))
    location, item = _pairs(own)[mine[n]]
    first = (
        f"first {latest.dates[periods[t]]}, {location:.60}, {item:.60}: {name} {_shown(before)} before,"
        f" {_shown(after)} now"
    )
    if count > _ANOTHER * total:
        raise InputError(
            f"expected a table that carries the market's own on, found {count} of the {total} rows that both"
            f" have to differ, {first}"
        )
    return total, count, f"{count} of {total} rows known before differ, taken from the latest table: {first}"


def _shown(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "unknown"


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one - other) > _SAME * np.maximum(np.maximum(np.abs(one), np.abs(other)), 1.0)


def _pairs(panel: SalesPanel) -> list[tuple[str, str]]:
    return [(panel.locations[s], panel.items[i]) for s, i in panel.series.tolist()]


def _widened(own: SalesPanel, latest: SalesPanel) -> tuple[SalesPanel, np.ndarray]:
    """``own`` with the latest table's locations, items and series, unknown so far, and which are new (N,)."""
    mine, theirs = _pairs(own), _pairs(latest)
    pairs = sorted(set(mine) | set(theirs))
    locations, items = (tuple(sorted({pair[axis] for pair in pairs})) for axis in (0, 1))
    place, good = ({name: n for n, name in enumerate(names)} for names in (locations, items))
    at = {pair: n for n, pair in enumerate(mine)}
    source = np.array([at.get(pair, -1) for pair in pairs])
    new, kept = source < 0, source >= 0

    def wide(values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        out = np.full((len(values), len(pairs)), fill, dtype=values.dtype)
        out[:, kept] = values[:, source[kept]]
        return out

    other = {pair: n for n, pair in enumerate(theirs)}
    strange = np.array([other[pair] for pair, is_new in zip(pairs, new, strict=True) if is_new], dtype=int)

    def column(covariate: Covariate) -> Covariate:
        values = wide(covariate.values)
        if covariate.role == "static" and len(strange) and _has(latest, covariate):
            values[:, new] = latest.covariate(covariate.name).values[0, strange]
        return replace(covariate, values=values)

    return (
        replace(
            own,
            locations=locations,
            items=items,
            series=np.array([(place[s], good[i]) for s, i in pairs], dtype=np.int64),
            units=wide(own.units),
            price=wide(own.price),
            censored=wide(own.censored, 0.0),
            cost=None if own.cost is None else wide(own.cost),
            categories=_labels(items, (own.items, own.categories), (latest.items, latest.categories)),
            price_groups=_labels(
                locations, (own.locations, own.price_groups), (latest.locations, latest.price_groups)
            ),
            coordinates=_coordinates(own, latest, locations),
            covariates=tuple(column(c) for c in own.covariates),
        ),
        new,
    )


def _labels(names: tuple[str, ...], *tables: tuple[tuple[str, ...], tuple[str, ...]]) -> tuple[str, ...]:
    """The label of each name by the first of the tables that has it."""
    label: dict[str, str] = {}
    for known, labels in tables:
        label = dict(zip(known, labels, strict=True)) | label
    return tuple(label[name] for name in names)


def _coordinates(own: SalesPanel, latest: SalesPanel, locations: tuple[str, ...]) -> np.ndarray | None:
    """(S, 2) those of the market, then the latest table's; the middle of the known where nobody says."""
    if own.coordinates is None:
        return None
    at = dict(zip(own.locations, own.coordinates, strict=True))
    if latest.coordinates is not None:
        at = dict(zip(latest.locations, latest.coordinates, strict=True)) | at
    middle = np.nanmean(own.coordinates, axis=0)
    return np.array([at.get(name, middle) for name in locations], dtype=own.coordinates.dtype)
