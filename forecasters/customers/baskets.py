"""What a customer buys next: sources that a basket may come from, and the classical rankings.

A line of the next basket is a repeat of what the customer bought, or what is popular, or another item of a
category that the customer buys. Each is a distribution over the full catalogue; ``mixture`` weighs them.
Personal frequency with recency is the first alone, with the popular underneath it, so that equal counts are
in a sensible order (ties decide: recall .125 against .106). Items bought together, and neighbours among
customers, were tried as further sources: they took 1% of the weight and moved no figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .purchases import Purchases, Queries

WINDOWS = (28, 14, 7, 4, 2)  # days that an item's sales are looked at, beside all days
SIGNS = (
    "log sales a day",
    *(f"log sales a day in {days} days" for days in WINDOWS),
    "log repeat rate",
    "log days since the first sale",
    "log days since the last sale",
    "log best week to the mean one",
    "log units a line",
    "log price to its mean",
)
_CATEGORY, _ITEM = 20.0, 10.0  # buyers that a repeat rate is shrunk by: a category's to all, an item's to it
_SALES = 1.0  # sales that a window's rate is shrunk to the longer one's by
_RARE = 1e-3  # purchases that each item has had before the log
_RECENT = 5  # days whose price is the current one
_WEEK = 7
_TIE = 1e-9  # of the highest score: what is closer together is equal
_FADES = -0.5  # power of a purchase's age that it counts with


@dataclass(frozen=True)
class Catalogue:
    """What is known of I items before a day."""

    stop: int
    popular: np.ndarray  # (I,) share of all lines, > 0
    signs: np.ndarray  # (I, F) of SIGNS: what tells how popular an item will be
    again: np.ndarray  # (I,) share of an item's buyers who bought it again, shrunk to its category's
    category: np.ndarray  # (I,) int64
    within: np.ndarray  # (I,) share of its category's lines, those of the last four weeks above all

    @property
    def categories(self) -> int:
        return int(self.category.max()) + 1


def catalogue(known: Purchases, stop: int, category: np.ndarray | None = None) -> Catalogue:
    """From the lines before ``stop``; ``category`` (I,) int64, one for all where None."""
    known = known.rows(known.day < stop)
    category = np.zeros(known.items, dtype=np.int64) if category is None else category
    counts = np.bincount(known.item, minlength=known.items) + _RARE
    recent = known.item[stop - known.day <= WINDOWS[0]]
    lately = np.bincount(recent, minlength=known.items) + _RARE
    within = lately / lately.sum() + 0.1 * counts / counts.sum()
    again = _again(known, category)
    return Catalogue(
        stop=stop,
        popular=counts / counts.sum(),
        signs=_signs(known, stop, again),
        again=again,
        category=category,
        within=within / np.bincount(category, within)[category],
    )


def _signs(known: Purchases, stop: int, again: np.ndarray) -> np.ndarray:
    """(I, F) of SIGNS."""

    def sums(weight: np.ndarray | None, which: np.ndarray) -> np.ndarray:
        """(I,) of lines that a mask picks."""
        return np.bincount(known.item[which], None if weight is None else weight[which], known.items)

    age, all_lines = stop - known.day, np.ones(len(known.day), dtype=bool)
    lines = sums(None, all_lines).astype(float)
    began = int(age.max(initial=1))
    rates = [(lines + _RARE) / began]
    for days in WINDOWS:
        watched = min(days, began)
        rates.append((sums(None, age <= days) + _SALES) / (watched + _SALES / rates[-1]))
    first, last = np.zeros(known.items), np.full(known.items, float(began))
    np.maximum.at(first, known.item, age)
    np.minimum.at(last, known.item, age)
    weeks = np.zeros((began // _WEEK + 1, known.items))
    np.add.at(weeks, ((age - 1) // _WEEK, known.item), 1)
    mean = sums(known.value, all_lines) / np.maximum(sums(known.units, all_lines), 1e-9)
    now = sums(known.value, age <= _RECENT) / np.maximum(sums(known.units, age <= _RECENT), 1e-9)
    priced = (now > 0) & (mean > 0)
    columns = [
        *(np.log(rate) for rate in rates),
        np.log(again),
        np.log1p(first) - 3,
        np.log1p(last - 1),
        np.log((weeks.max(0) + 1) / (weeks.mean(0) + 1)),
        np.log(sums(known.units, all_lines) / np.maximum(lines, 1) + 0.5),
        np.where(priced, np.log(np.where(priced, now, 1) / np.where(priced, mean, 1)), 0.0),
    ]
    return np.stack(columns, 1)


def _again(known: Purchases, category: np.ndarray) -> np.ndarray:
    """(I,) shrunk share of buyers who came back for it: empirical Bayes, item to category to all."""
    pair, visits = np.unique(known.customer * known.items + known.item, return_counts=True)
    item = pair % known.items
    buyers = np.bincount(item, minlength=known.items)
    back = np.bincount(item[visits > 1], minlength=known.items)
    overall = back.sum() / max(buyers.sum(), 1)
    of_category = (np.bincount(category, back) + _CATEGORY * overall) / (
        np.bincount(category, buyers) + _CATEGORY
    )
    return (back + _ITEM * of_category[category] + 1e-6) / (buyers + _ITEM)


def normalised(table: sp.csr_array) -> sp.csr_array:
    """Rows that sum to 1, or to 0 where they are empty."""
    total = np.asarray(table.sum(1)).ravel()
    return sp.csr_array(sp.diags_array(1 / np.where(total > 0, total, 1)) @ table)


@dataclass(frozen=True)
class Own:
    """M pairs of a question and an item that its customer bought before, sorted by both."""

    row: np.ndarray  # (M,) int64
    item: np.ndarray  # (M,) int64
    weight: np.ndarray  # (M,) frequency with recency: sum over purchases of (days ago) to the power −½
    visits: np.ndarray  # (M,) how often
    last: np.ndarray  # (M,) days since the last time, ≥ 1
    first: np.ndarray  # (M,) days since the first

    def table(self, shape: tuple[int, int]) -> sp.csr_array:
        """(Q, I) of the weights."""
        return sp.csr_array((self.weight, (self.row, self.item)), shape)


def own_items(known: Purchases, queries: Queries) -> Own:
    """What each customer bought before, with how often and how long ago."""
    row, line = known.before(queries)
    age = (queries.stop[row] - known.day[line]).astype(float)
    pair, place = np.unique(row * known.items + known.item[line], return_inverse=True)
    last, first = np.full(len(pair), np.inf), np.zeros(len(pair))
    np.minimum.at(last, place, age)
    np.maximum.at(first, place, age)
    return Own(
        row=pair // known.items,
        item=pair % known.items,
        weight=np.bincount(place, age**_FADES, len(pair)),
        visits=np.bincount(place, minlength=len(pair)).astype(float),
        last=last,
        first=first,
    )


def of_categories(own: Own, items: Catalogue, questions: int) -> sp.csr_array:
    """(Q, I) the source of other items: of the categories a customer buys, by frequency with recency, each
    item by its share there."""
    size = (questions, len(items.category))
    ones = (items.within, (items.category, np.arange(size[1])))
    spread = sp.csr_array(ones, (items.categories, size[1]))
    place = (own.row, items.category[own.item])
    bought = sp.csr_array((own.weight, place), (questions, items.categories))
    return normalised(sp.csr_array(bought @ spread))


def best(scores: np.ndarray, popular: np.ndarray, most: int) -> np.ndarray:
    """(Q, most) items of the highest scores (Q, I) ≥ 0, first the highest; equal ones by popularity (I,)."""
    scores = scores + _TIE * scores.max() / popular.max() * popular
    top = np.argpartition(-scores, most - 1, axis=1)[:, :most] if most < scores.shape[1] else None
    found = np.tile(np.arange(scores.shape[1]), (len(scores), 1)) if top is None else top
    order = np.argsort(-np.take_along_axis(scores, found, 1), axis=1, kind="stable")
    return np.take_along_axis(found, order, 1)
