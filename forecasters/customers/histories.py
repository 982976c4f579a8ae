"""What of the events falls into a panel: who came in which period, and what they bought of what it sells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..errors import InputError
from ..events import KINDS, Events
from ..names import renumbered
from ..panel.calendar import declared_grid
from ..panel.sales_panel import SalesPanel
from ..statistics import StockOuts, expected_demand

_DONE_TO = ("recommend", "coupon")  # what happens to a customer tells nothing of whether he is still there
_YEAR = np.timedelta64(365, "D")


@dataclass(frozen=True)
class Histories:
    """N customers' visits and purchases by the periods, locations and items of a panel.

    Visits are one a customer and period, sorted by customer, then by period; purchases are net of returns.
    """

    customers: tuple[str, ...]  # (N,) that came at least once
    visitor: np.ndarray  # (V,) int64
    period: np.ndarray  # (V,) int64
    place: np.ndarray  # (V,) int64
    trips: np.ndarray  # (M, 3) int64 customer, period and location of visits; a period may have several
    home: np.ndarray  # (N,) int64 location of most visits
    buyer: np.ndarray  # (R,) int64
    bought_in: np.ndarray  # (R,) int64 period
    bought_at: np.ndarray  # (R,) int64 location
    item: np.ndarray  # (R,) int64
    units: np.ndarray  # (R,) float64
    missing: np.ndarray  # (T, S, I) float64 share of what was wanted that was not there, expected
    dear: np.ndarray  # (T, S, I) float64 log of price to the usual one of that year
    usual_price: np.ndarray  # (S, I) float64 median of the last year; NaN where an item is not sold
    usual_missing: np.ndarray  # (S, I) float64 mean of ``missing`` over the periods that the panel knows

    @property
    def periods(self) -> int:
        return len(self.missing)

    @cached_property
    def visits(self) -> np.ndarray:
        """(N,) how many."""
        return np.bincount(self.visitor, minlength=len(self.customers))

    @staticmethod
    def of(events: Events, panel: SalesPanel) -> Histories:
        """Of the events in the panel's time and places; an event that names no place was at its customer's.

        Raises:
            InputError: no event falls into the panel.
        """
        period, inside = periods_of(events, panel)
        place = renumbered(events.location, events.locations, panel.locations)
        inside &= ~np.isin(events.kind, [KINDS.index(kind) for kind in _DONE_TO])
        inside &= ((place >= 0) | (events.location < 0)) & (events.customer >= 0)
        if not inside.any():
            raise InputError(
                f"events: expected some of the panel's periods ({panel.dates[0]} to {panel.dates[-1]}) and"
                f" locations, found none among {len(events):,}"
            )
        kept, customer = np.unique(events.customer[inside], return_inverse=True)
        home = _most(customer, place[inside], len(kept), len(panel.locations))
        where = np.where(place[inside] < 0, home[customer], place[inside])
        visits = np.unique(np.stack([customer, period[inside], where], 1), axis=0)
        first = np.append(True, (np.diff(visits[:, :2], axis=0) != 0).any(1))  # one place a period
        visitor, when, at = visits[first].T
        item = renumbered(events.item, events.items, panel.items)[inside]
        kind = events.kind[inside]
        sign = (kind == KINDS.index("buy")) * 1.0 - (kind == KINDS.index("return"))
        units = sign * np.nan_to_num(events.units[inside], nan=1.0)
        bought = (sign != 0) & (item >= 0)
        key = np.stack([customer, period[inside], where, item], 1)[bought]
        cells, which = np.unique(key, axis=0, return_inverse=True)
        net = np.bincount(which.ravel(), units[bought], len(cells))
        usual, missing = _usual_price(panel), _missing(panel)
        known = np.isfinite(panel.dense(panel.units))
        return Histories(
            customers=tuple(events.customers[c] for c in kept),
            visitor=visitor,
            period=when,
            place=at,
            trips=visits,
            home=home,
            **dict(zip(("buyer", "bought_in", "bought_at", "item"), cells[net > 0].T, strict=True)),
            units=net[net > 0],
            missing=missing,
            dear=np.nan_to_num(np.log(panel.dense(panel.price).astype(np.float64) / usual)),
            usual_price=usual[-1],
            usual_missing=(missing * known).sum(0) / np.maximum(known.sum(0), 1),
        )


def periods_of(events: Events, panel: SalesPanel) -> tuple[np.ndarray, np.ndarray]:
    """(N,) period of each event, and whether the panel has it."""
    grid = declared_grid(panel.frequency, panel.dates)
    period = grid.period_of(events.day) - grid.period_of(panel.dates[:1])
    return period, (period >= 0) & (period < panel.periods)


def _most(customer: np.ndarray, place: np.ndarray, customers: int, places: int) -> np.ndarray:
    """(N,) where each customer's events were most often; the busiest place of all where none is told."""
    told = place >= 0
    count = np.zeros((customers, places))
    np.add.at(count, (customer[told], place[told]), 1)
    return (count + 1e-9 * count.sum(0)).argmax(1)


def _usual_price(panel: SalesPanel) -> np.ndarray:
    """(T, S, I) median price of the year that each period is in, years counted back from the end; NaN where
    there is none."""
    price = panel.dense(panel.price).astype(np.float64)
    year, usual = (panel.dates[-1] - panel.dates) // _YEAR, np.full_like(price, np.nan)
    for one in np.unique(year):
        rows = year == one
        some = np.isfinite(price[rows]).any(0)
        middle = np.full(price.shape[1:], np.nan)
        middle[some] = np.nanmedian(price[rows][:, some], axis=0)
        usual[rows] = middle
    return usual


def _missing(panel: SalesPanel) -> np.ndarray:
    """(T, S, I) expected share of the period's demand that met an empty shelf.

    By what a negative binomial of the series' ordinary demand holds likely beyond the sales: in the share of
    the period out of stock, or, where only a flag tells that stock ran out, at all.
    """
    units = torch.from_numpy(np.nan_to_num(panel.dense(panel.units))).double()
    seen = StockOuts.of(torch.from_numpy(panel.dense(panel.censored, 0.0)).double())
    if seen.never:
        return np.zeros(tuple(units.shape))
    whole = (seen.whole & torch.from_numpy(np.isfinite(panel.dense(panel.units)))).double()
    rows = whole.sum(0).clamp(min=1)
    mean = ((units * whole).sum(0) / rows).clamp(min=0.1).expand_as(units)
    variance = ((units - mean).square() * whole).sum(0) / rows
    r = (mean.square() / (variance - mean).clamp(min=1e-3)).clamp(0.1, 1e3)
    wanted = expected_demand(units, mean, r.log(), seen)
    return torch.where(seen.whole, 0.0, 1 - units / wanted.clamp(min=1e-9)).numpy()
