"""What each customer bought and when, line by line, and what may be asked of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..events import Events
from .visits import VisitCounts

WINDOW = 28  # days from a purchase within which what comes back belongs to it
_DAY = np.timedelta64(1, "D")
_SPAN = np.int64(2**24)  # more days than any log has


@dataclass(frozen=True)
class Queries:
    """Q questions: what does this customer do from a day on, given all that came before it?"""

    customer: np.ndarray  # (Q,) int64
    stop: np.ndarray  # (Q,) int64 first day that is not known

    def __len__(self) -> int:
        return len(self.customer)


@dataclass(frozen=True)
class Purchases:
    """L lines, one a (customer, day, item), in this order; days count from ``origin``."""

    customers: int
    items: int
    origin: np.datetime64
    customer: np.ndarray  # (L,) int64
    day: np.ndarray  # (L,) int64
    item: np.ndarray  # (L,) int64
    units: np.ndarray  # (L,) float64
    value: np.ndarray  # (L,) float64 money, 0 where no price is known
    returned: np.ndarray  # (L,) int64 day it was brought back, -1 where it was not

    @property
    def stop(self) -> int:
        """The day after the last."""
        return int(self.day.max()) + 1

    @property
    def returns(self) -> bool:
        """Whether anything was brought back; few logs record it."""
        return bool((self.returned >= 0).any())

    def rows(self, which: np.ndarray) -> Purchases:
        """Those of a mask (L,); customers, items and origin stay."""
        parts = (self.customer, self.day, self.item, self.units, self.value, self.returned)
        return Purchases(self.customers, self.items, self.origin, *(part[which] for part in parts))

    def as_of(self, stop: int) -> Purchases:
        """What is known before a day: of lines bought by then, what was brought back by then."""
        known = self.rows(self.day < stop)
        return replace(known, returned=np.where(known.returned < stop, known.returned, -1))

    def before(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Every line that a question may read: (N,) index of the question, rising, and (N,) of the line."""
        key = self._place(self.customer, self.day)
        first = np.searchsorted(key, self._place(queries.customer, np.zeros_like(queries.stop)))
        last = np.searchsorted(key, self._place(queries.customer, queries.stop))
        return ranges(first, last)

    def first_basket(self, queries: Queries, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """The lines of the first day with any within ``horizon`` days of the stop, as for ``before``."""
        key = self._place(self.customer, self.day)
        first = np.searchsorted(key, self._place(queries.customer, queries.stop))
        end = np.searchsorted(key, self._place(queries.customer, queries.stop + horizon))
        day = self.day[np.minimum(first, len(key) - 1)]
        last = np.searchsorted(key, self._place(queries.customer, day + 1))
        return ranges(first, np.where(end > first, last, first))

    def until(self, queries: Queries) -> np.ndarray:
        """(Q,) days from the stop to the next purchase, 0 on the stop itself; −1 where there is none."""
        key = self._place(self.customer, self.day)
        first = np.searchsorted(key, self._place(queries.customer, queries.stop))
        place = np.minimum(first, len(key) - 1)
        there = (first < len(key)) & (self.customer[place] == queries.customer)
        return np.where(there, self.day[place] - queries.stop, -1)

    def known(self, stop: int) -> Queries:
        """One question of each customer who bought before a day."""
        customers = np.unique(self.customer[self.day < stop])
        return Queries(customers, np.full(len(customers), stop))

    def counts(self, queries: Queries) -> VisitCounts:
        """Visits of the customers asked for, in days, up to the day before the stop.

        Raises:
            InputError: one of them had not bought by then.
        """
        row, line = self.before(queries)
        first = np.flatnonzero(np.diff(row, prepend=-1))
        if len(first) != len(queries):
            raise InputError(f"visits: expected {len(queries)} customers who bought, found {len(first)}")
        new = (np.diff(row, prepend=-1) > 0) | (np.diff(self.day[line], prepend=-1) != 0)
        visits = np.bincount(row[new], minlength=len(queries))
        began, last = self.day[line[first]], self.day[line[np.append(first[1:], len(row)) - 1]]
        return VisitCounts(visits - 1.0, last - began + 0.0, queries.stop - 1.0 - began)

    @cached_property
    def visits(self) -> int:
        """Days on which customers bought, of all of them."""
        return int(np.count_nonzero(np.diff(self._place(self.customer, self.day)))) + 1

    def _place(self, customer: np.ndarray, day: np.ndarray) -> np.ndarray:
        """What lines are sorted by."""
        return customer * _SPAN + day


def ranges(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) index r, and (N,) the whole numbers from first[r] to last[r] − 1, one r after another."""
    length = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(first)), length)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length) + first[row]


def purchases(events: Events) -> Purchases:
    """What was bought: lines of one customer, day and item are one; the log ends with the last of them.

    Raises:
        InputError: nothing was bought by a known customer.
    """
    bought = events.of("buy")
    bought = bought.rows((bought.customer >= 0) & (bought.item >= 0))
    if not len(bought):
        raise InputError(f"events: expected purchases of known customers, found none among {len(events)}")
    origin = bought.day[0]
    day = (bought.day - origin) // _DAY
    key = np.stack([bought.customer.astype(np.int64), day.astype(np.int64), bought.item.astype(np.int64)])
    order = np.lexsort(key[::-1])
    key, units = key[:, order], np.nan_to_num(bought.units[order].astype(float), nan=1.0)
    value = units * np.nan_to_num(bought.price[order].astype(float))
    new = np.flatnonzero(np.append(True, (np.diff(key, axis=1) != 0).any(0)))
    key, totals = key[:, new], (np.add.reduceat(column, new) for column in (units, value))
    columns = (*key, *totals, _returned(key, events.of("return"), origin, len(events.items)))
    log = Purchases(len(events.customers), len(events.items), origin, *columns)
    return log.as_of(log.stop)


def _returned(lines: np.ndarray, back: Events, origin: np.datetime64, items: int) -> np.ndarray:
    """(L,) day on which each of the lines (3, L), a customer, day and item, was brought back; -1 for none.

    What comes back belongs to its customer's latest purchase of the item, if that is not over ``WINDOW``
    days ago.
    """
    customer, day, item = lines
    pair, place = np.unique(customer * items + item, return_inverse=True)
    order = np.lexsort((day, place))
    bought = (place * _SPAN + day)[order]
    back = back.rows((back.customer >= 0) & (back.item >= 0))
    came = ((back.day - origin) // _DAY).astype(np.int64)
    wanted = back.customer.astype(np.int64) * items + back.item
    at = np.minimum(np.searchsorted(pair, wanted), len(pair) - 1)
    latest = order[np.maximum(np.searchsorted(bought, at * _SPAN + came, side="right") - 1, 0)]
    delay = came - day[latest]
    belongs = (pair[at] == wanted) & (place[latest] == at) & (delay >= 0) & (delay <= WINDOW)
    line, first = np.unique(latest[belongs], return_index=True)  # in order of time: the first counts
    returned = np.full(len(day), -1)
    returned[line] = came[belongs][first]
    return returned
