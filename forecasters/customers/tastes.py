"""What customers buy at a visit: few purchases of many items, drawn towards what all customers buy.

Units of item i that customer c takes at a visit are Poisson with mean λ_ci·f, f what all visitors of the
period took over what they usually take: so much of it was there, at its price, in its season. With λ_ci ~
Gamma of the location's mean and shape r_i the posterior mean of λ is (r + units) / (r / mean + Σ f), over
visits. The shape is that which the spread of counts beyond Poisson's tells (method of moments). Gamma–Poisson
shrinkage of purchase rates: Ehrenberg 1959, "The pattern of consumer purchases".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .histories import Histories

_VISITS = 20.0  # of an ordinary customer, by which a location's mean is drawn towards the chain's
_UNITS = 5.0  # an ordinary period's, by which what was taken of an item is drawn towards what was there
_BLOCK = 4096  # customers whose baskets are laid out at once
_SHAPES = (0.05, 50.0)


@dataclass(frozen=True)
class Tastes:
    """The common part of all customers' tastes, and what each bought."""

    mean: np.ndarray  # (S, I) units a visit
    shape: np.ndarray  # (I,) r
    taken: np.ndarray  # (T, S, I) what visitors of the period took over what they usually take, f
    seen: Histories
    order: np.ndarray  # (R,) purchases sorted by customer
    begins: np.ndarray  # (N + 1,) first purchase of each customer in that order
    first: np.ndarray  # (N,) first visit of each customer

    @staticmethod
    def of(seen: Histories) -> Tastes:
        periods, places, goods = seen.missing.shape
        cell = (seen.bought_in * places + seen.bought_at) * goods + seen.item
        units = np.bincount(cell, seen.units, periods * places * goods).reshape(periods, places, goods)
        came = np.bincount(seen.period * places + seen.place, minlength=periods * places)
        came = came.reshape(periods, places, 1)
        visits = came.sum(0)
        chain = units.sum((0, 1)) / visits.sum()
        mean = (units.sum(0) + _VISITS * chain) / (visits + _VISITS)
        taken = (units + _UNITS * (1 - seen.missing)) / (came * mean + _UNITS)
        total = _total(seen, goods)
        expected = mean[seen.home[total.customer], total.item] * seen.visits[total.customer]
        by_home = np.bincount(seen.home, seen.visits.astype(float) ** 2, places)[:, None]
        squares = (mean**2 * by_home).sum(0)  # Σ over customers of the expected count, squared
        beyond = np.bincount(total.item, (total.units - expected) ** 2 - expected**2, goods) + squares
        over = beyond - (mean * visits).sum(0)
        shape = np.clip(squares / np.maximum(over, 1e-9), *_SHAPES)
        order = np.argsort(seen.buyer, kind="stable")
        begins = np.searchsorted(seen.buyer[order], np.arange(len(seen.customers) + 1))
        return Tastes(mean, shape, taken, seen, order, begins, np.cumsum(seen.visits) - seen.visits)

    def blocks(self, visitor: np.ndarray | None = None) -> Iterator[tuple[slice, np.ndarray]]:
        """Some visits after others, by customers in order (``seen.visitor`` where None): which, and (V', I)
        what their customers usually take."""
        visitor = self.seen.visitor if visitor is None else visitor
        for begin in range(0, len(self.seen.customers), _BLOCK):
            some = np.arange(begin, min(begin + _BLOCK, len(self.seen.customers)))
            rows = slice(*np.searchsorted(visitor, [begin, some[-1] + 1]))
            yield rows, self.a_visit(some)[visitor[rows] - begin]

    def a_visit(self, customers: np.ndarray) -> np.ndarray:
        """(C, I) units that some customers (C,) take at a visit, posterior means."""
        goods, seen = len(self.shape), self.seen
        units, visits = np.zeros((len(customers), goods)), np.zeros((len(customers), goods))
        for row, c in enumerate(customers):
            mine = self.order[self.begins[c] : self.begins[c + 1]]
            np.add.at(units[row], seen.item[mine], seen.units[mine])
            came = slice(self.first[c], self.first[c] + seen.visits[c])
            visits[row] = self.taken[seen.period[came], seen.place[came]].sum(0)
        mean = np.maximum(self.mean[seen.home[customers]], 1e-9)
        return (self.shape + units) / (self.shape / mean + visits)


@dataclass(frozen=True)
class _Total:
    customer: np.ndarray
    item: np.ndarray
    units: np.ndarray


def _total(seen: Histories, goods: int) -> _Total:
    """Units by customer and item, where there are any."""
    cells, which = np.unique(seen.buyer * goods + seen.item, return_inverse=True)
    return _Total(cells // goods, cells % goods, np.bincount(which, seen.units, len(cells)))
