"""What a customer buys next: sources that a basket may come from, and the classical rankings.

A line of the next basket is a repeat of what the customer bought, or what is popular, or another item of a
category the customer buys, or one that is bought together with theirs. Each is a distribution over the full
catalogue; ``mixture`` weighs them. Personal frequency with recency is the first alone: with the popular
underneath it, so that equal counts are in a sensible order (ties decide: recall .125 against .106).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .purchases import Purchases, Queries

POPULAR = (7, 28, 364)  # days that popularity looks back
_NEIGHBOURS = 40  # items bought together with one that are kept
_CATEGORY, _ITEM = 20.0, 10.0  # buyers that a repeat rate is shrunk by: a category's to all, an item's to it
_RARE = 1e-3  # purchases that each item has had before the log
_TIE = 1e-9  # of the highest score: what is closer together is equal
_FADES = -0.5  # power of a purchase's age that it counts with


@dataclass(frozen=True)
class Catalogue:
    """What is known of I items before a day."""

    popular: np.ndarray  # (P, I) share of all lines in the last days of POPULAR, > 0
    again: np.ndarray  # (I,) share of an item's buyers who bought it again, shrunk to its category's
    category: np.ndarray  # (I,) int64
    within: np.ndarray  # (I,) share of its category's lines
    together: sp.csr_array  # (I, I) rows sum to 1: what is bought with an item, by cosine

    @property
    def categories(self) -> int:
        return int(self.category.max()) + 1


def catalogue(known: Purchases, stop: int, category: np.ndarray | None = None) -> Catalogue:
    """From the lines before ``stop``; ``category`` (I,) int64, one for all where None."""
    known = known.rows(known.day < stop)
    category = np.zeros(known.items, dtype=np.int64) if category is None else category
    age = stop - known.day
    popular = [np.bincount(known.item[age <= days], minlength=known.items) + _RARE for days in POPULAR]
    shares = np.stack([counts / counts.sum() for counts in popular])
    within = shares[1] + 0.1 * shares[-1]
    within = within / np.bincount(category, within)[category]
    return Catalogue(shares, _again(known, category), category, within, _together(known))


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


def _together(known: Purchases) -> sp.csr_array:
    """Cosine of items over baskets, a basket counting less the larger it is, each item's best neighbours."""
    new = (np.diff(known.customer, prepend=-1) != 0) | (np.diff(known.day, prepend=-1) != 0)
    basket = np.cumsum(new) - 1
    shape = (int(basket[-1]) + 1, known.items)
    size = np.bincount(basket)[basket]
    buyers = np.maximum(np.bincount(known.item, minlength=known.items), 1)
    bought = sp.csr_array(((buyers[known.item] * size**0.5) ** -0.5, (basket, known.item)), shape)
    return normalised(_best(sp.csr_array(bought.T @ bought), _NEIGHBOURS))


def _best(near: sp.csr_array, most: int) -> sp.csr_array:
    """The ``most`` largest of each row but its own place."""
    row = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    order = np.lexsort((-near.data, near.indices == row, row))
    place = np.arange(len(order)) - near.indptr[row]
    kept = order[(place < most) & (near.indices != row)[order]]
    return sp.csr_array((near.data[kept], (row[kept], near.indices[kept])), near.shape)


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


def related(own: Own, items: Catalogue, questions: int) -> tuple[sp.csr_array, sp.csr_array]:
    """(Q, I) two sources: other items of the categories bought, and what is bought with the items bought."""
    size = (questions, len(items.category))
    bought = own.table(size)
    ones = (items.within, (items.category, np.arange(size[1])))
    spread = sp.csr_array(ones, (items.categories, size[1]))
    by_category = sp.csr_array(
        (own.weight, (own.row, items.category[own.item])), (questions, items.categories)
    )
    return normalised(sp.csr_array(by_category @ spread)), normalised(sp.csr_array(bought @ items.together))


def best(scores: np.ndarray, popular: np.ndarray, most: int) -> np.ndarray:
    """(Q, most) items of the highest scores (Q, I) ≥ 0, first the highest; equal ones by popularity (I,)."""
    scores = scores + _TIE * scores.max() / popular.max() * popular
    top = np.argpartition(-scores, most - 1, axis=1)[:, :most] if most < scores.shape[1] else None
    found = np.tile(np.arange(scores.shape[1]), (len(scores), 1)) if top is None else top
    order = np.argsort(-np.take_along_axis(scores, found, 1), axis=1, kind="stable")
    return np.take_along_axis(found, order, 1)
