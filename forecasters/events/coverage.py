"""What share of a panel's sales its customers' events account for: a loyalty card is not the shop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..names import renumbered
from ..panel import SalesPanel
from ..panel.calendar import declared_grid
from .events import KINDS, Events

_OVER = 1.01  # of a series' units: more are not what the panel counted
_PARTS, _MOVED = 4, 0.1  # of the history, and how much the shares in the first and last may differ
_PRICE = 0.01  # relative: what of a paid price is the panel's


@dataclass(frozen=True)
class Coverage:
    """Of N series over T periods, in units that known customers bought, less what they returned."""

    series: tuple[tuple[str, str], ...]  # (N,) location and item
    sold: np.ndarray  # (T, N) float64 of the panel, NaN unknown
    told: np.ndarray  # (T, N) float64 of the events
    dates: np.ndarray  # (T,) datetime64[D]
    lines: int  # purchases of known customers
    anonymous: int  # purchases of others
    lost: tuple[tuple[str, int], ...]  # purchases of known customers outside the panel, by why
    price: float  # median of what was paid to the panel's price; NaN unknown
    at_price: float  # share of purchases at the panel's price

    @property
    def periods(self) -> np.ndarray:
        """(T,) bool, from the first event of the panel to the last one."""
        seen = np.flatnonzero((self.told != 0).any(1))
        index = np.arange(len(self.dates))
        return (index >= seen[0]) & (index <= seen[-1]) if len(seen) else index < 0

    @property
    def share(self) -> np.ndarray:
        """(N,) of each series' units, while there are events; NaN where it sold nothing."""
        return _ratio(self._known(self.told).sum(0), self._known(self.sold).sum(0))

    @property
    def total(self) -> float:
        """Of all units, while there are events."""
        return float(_ratio(self._known(self.told).sum(), self._known(self.sold).sum()))

    def _known(self, units: np.ndarray) -> np.ndarray:
        known = self.periods[:, None] & ~np.isnan(self.sold)
        return np.where(known, units, 0)

    def summary(self) -> tuple[str, ...]:
        """What a person should know of it, a line each."""
        seen = self.dates[self.periods]
        share = self.share[np.isfinite(self.share)]
        low, high = np.quantile(share, [0.1, 0.9]) if len(share) else (np.nan, np.nan)
        told = [
            f"known customers buy {self.total:.0%} of the panel's units in {len(seen)} periods, {seen[0]} to"
            f" {seen[-1]}; by series {low:.0%} … {high:.0%} (central 80%), none in"
            f" {(share <= 0).sum()} of {len(share)}"
        ]
        if self.lost:
            count = sum(number for _, number in self.lost)
            why = ", ".join(f"{number:,} {reason}" for reason, number in self.lost)
            told.append(f"{count:,} of their {self.lines:,} purchases are not in the panel: {why}")
        if self.anonymous:
            told.append(f"{self.anonymous:,} purchases more are of nobody known")
        if len(over := np.flatnonzero(self.share > _OVER)):
            location, item = self.series[over[0]]
            told.append(
                f"in {len(over)} series they buy more than the panel sells, such as {location} {item}"
                f" ({self.share[over[0]]:.0%}): one of the two counts otherwise"
            )
        first, last = self._ends()
        if abs(last - first) > _MOVED:
            told.append(
                f"their share moves from {first:.0%} early to {last:.0%} late: what looks like more or fewer"
                " visits may be more or fewer cards"
            )
        if self.at_price < 1:
            told.append(
                f"they pay the panel's price, within {_PRICE:.0%}, in {self.at_price:.0%} of purchases;"
                f" {self.price:.2f} of it in the median one"
            )
        return tuple(f"coverage: {line}" for line in told)

    def _ends(self) -> tuple[float, float]:
        """Shares of all units in the first and the last part of the history with events."""
        told, sold = (self._known(units)[self.periods].sum(1) for units in (self.told, self.sold))
        part = max(1, len(told) // _PARTS)
        first, last = (_ratio(told[cut].sum(), sold[cut].sum()) for cut in (slice(part), slice(-part, None)))
        return float(first), float(last)


def reconciled(events: Events, panel: SalesPanel) -> Coverage:
    """What of a panel's sales the purchases of known customers are.

    Where no event tells a location, they are of the panel's only one.

    Raises:
        InputError: no purchase of a known customer is of the panel's items, locations and periods.
    """
    moved = events.of("buy", "return")
    lines = moved.identified
    bought = lines.kind == KINDS.index("buy")
    item = renumbered(lines.item, lines.items, panel.items)
    if events.locations or len(panel.locations) > 1:
        place = renumbered(lines.location, lines.locations, panel.locations)
    else:
        place = np.zeros(len(lines), dtype=np.int64)
    grid = declared_grid(panel.frequency, panel.dates)
    period = grid.period_of(lines.day) - grid.period_of(panel.dates[:1])
    listed = np.full((len(panel.locations), len(panel.items)), -1)
    listed[tuple(panel.series.T)] = np.arange(len(panel.series))
    owner = np.where((item >= 0) & (place >= 0), listed[place, item], -1)
    outside = (period < 0) | (period >= panel.periods)
    reasons = (
        ("without an item", lines.item < 0),
        ("of items that it lacks", item < 0),
        ("without a location", (place < 0) & (lines.location < 0)),
        ("of locations that it lacks", place < 0),
        ("of series that it lacks", owner < 0),
        ("outside its periods", outside),
    )
    lost, left = [], bought
    for why, which in reasons:
        if count := int((left & which).sum()):
            lost.append((why, count))
        left = left & ~which
    if not left.any():
        raise InputError(_nothing_shared(events, panel, lost))
    inside = (owner >= 0) & ~outside
    cell = period[inside] * len(panel.series) + owner[inside]
    signed = np.where(bought, lines.units, -lines.units)[inside]
    told = np.bincount(cell, signed, panel.units.size).reshape(panel.units.shape)
    paid = (lines.price[left] / panel.price[period[left], owner[left]]).astype(np.float64)
    paid = paid[np.isfinite(paid)]
    return Coverage(
        series=tuple((panel.locations[s], panel.items[i]) for s, i in panel.series),
        sold=panel.units.astype(np.float64),
        told=told,
        dates=panel.dates,
        lines=int(bought.sum()),
        anonymous=int((moved.kind == KINDS.index("buy")).sum() - bought.sum()),
        lost=tuple(lost),
        price=float(np.median(paid)) if len(paid) else np.nan,
        at_price=float((np.abs(paid - 1) <= _PRICE).mean()) if len(paid) else np.nan,
    )


def _nothing_shared(events: Events, panel: SalesPanel, lost: list[tuple[str, int]]) -> str:
    """Why no purchase is in the panel, for a person."""
    lines = events.of("buy", "return").identified
    if not len(lines.of("buy")):
        told = "events: expected purchases of customers who are known, found none"
        if len(events.of("buy")):
            return f"{told}; receipts of nobody known are a sales table, whose rows --freq adds up"
        count = {kind: len(events.of(kind)) for kind in KINDS}
        return f"{told} among {', '.join(f'{number:,} {kind}' for kind, number in count.items() if number)}"
    why = max(lost, key=lambda one: one[1])[0]
    ours = {"items": (lines.items, panel.items), "locations": (lines.locations, panel.locations)}
    shown = (
        "; ".join(
            f"{name} such as {'none' if 'without' in why else theirs[0]} against the panel's {own[0]}"
            for name, (theirs, own) in ours.items()
            if name[:-1] in why
        )
        or f"events from {lines.day[0]} to {lines.day[-1]} against {panel.dates[0]} to {panel.dates[-1]}"
    )
    return f"events: expected purchases of the panel's items, locations and periods, found none: {shown}"


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)
