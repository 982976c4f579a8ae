"""Who minds prices more than others: deviations from an item's own elasticity, by segment.

How much is wanted at a price is the panel's to tell, whose prices follow demand. A segment's *share* of a
period's sales does not: what moved all customers alike drops out of it. With π the share of segment k in what
the period's visitors usually take, the share moves by π·δ_k·x at a log price x, so

    δ_k = Σ (y_k − π·y)·x / Σ π·y·x²        over periods and locations, x less its mean weighted by units y

with the variance of that sum as it is found. Who came is given: a deviation is of what is bought at a visit.
What is left is noise in large part: deviations are drawn to their segment's mean, and that to 0, by empirical
Bayes (normal–normal; Morris 1983, "Parametric empirical Bayes inference").

Whoever is called keen for what he paid in some periods must show it in others: segments are told apart in odd
periods and measured in even ones.
"""

from __future__ import annotations

import numpy as np

from .histories import Histories
from .tastes import Tastes


def paid_more(seen: Histories, tastes: Tastes) -> np.ndarray:
    """(N,) by how much what each customer bought in odd periods was dearer, in logs, than what he would have
    bought there had he not minded; 0 if he bought nothing then."""
    odd = np.arange(seen.periods) % 2 == 1
    x = _centred(seen) * odd[:, None, None]
    paid = seen.units * x[seen.bought_in, seen.bought_at, seen.item]
    usual = np.zeros(len(seen.visitor))
    for rows, taken in tastes.blocks():
        usual[rows] = (taken * (tastes.taken * x)[seen.period[rows], seen.place[rows]]).sum(1)
    customers = len(seen.customers)
    bought = np.bincount(seen.buyer, seen.units * odd[seen.bought_in], customers)
    beyond = np.bincount(seen.buyer, paid, customers) - np.bincount(seen.visitor, usual, customers)
    return np.where(bought > 0, beyond / np.maximum(bought, 1e-9), 0.0)


def price_deviations(seen: Histories, tastes: Tastes, segment: np.ndarray, segments: int) -> np.ndarray:
    """(K, I) own elasticity of each segment less the item's, shrunk; its mean over customers is near 0.

    Args:
        seen: purchases; those of even periods are measured.
        tastes: what visitors usually take.
        segment: (N,) int64 whose each customer is.
        segments: K.
    """
    units, usual = (np.zeros((segments, *seen.missing.shape)) for _ in range(2))
    np.add.at(units, (segment[seen.buyer], seen.bought_in, seen.bought_at, seen.item), seen.units)
    for rows, taken in tastes.blocks():
        np.add.at(usual, (segment[seen.visitor[rows]], seen.period[rows], seen.place[rows]), taken)
    even = (np.arange(seen.periods) % 2 == 0)[:, None, None]
    total, x = units.sum(0), _centred(seen) * even
    share = usual / np.maximum(usual.sum(0), 1e-9)
    beyond = (units - share * total) * x
    told = np.maximum((share * total * x**2).sum((1, 2)), 1e-9)
    found, variance = beyond.sum((1, 2)) / told, (beyond**2).sum((1, 2)) / told**2
    return _shrunk(found, np.where(variance > 0, variance, 1e6))


def _centred(seen: Histories) -> np.ndarray:
    """(T, S, I) log prices over the mean of their series, weighted by what customers bought."""
    units = np.zeros(seen.missing.shape)
    np.add.at(units, (seen.bought_in, seen.bought_at, seen.item), seen.units)
    mean: np.ndarray = (units * seen.dear).sum(0) / np.maximum(units.sum(0), 1e-9)
    return seen.dear - mean


def _shrunk(value: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """(K, I) values drawn to the mean of their row, the rows' means to 0."""
    within = _spread(value - _mean(value, variance)[:, None], variance)
    middle, error = _mean(value, variance + within), 1 / (1 / (variance + within)).sum(1)
    between = _spread(middle[:, None], error[:, None])
    middle = middle * between / (between + error)
    kept = within / (within + variance)
    return middle[:, None] + kept * (value - middle[:, None])


def _mean(value: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return (value / variance).sum(1) / (1 / variance).sum(1)


def _spread(value: np.ndarray, variance: np.ndarray) -> float:
    """Variance of what is estimated, about 0 (method of moments, weighted by what the errors are)."""
    weight = 1 / variance**2
    return float(max(0.0, (weight * (value**2 - variance)).sum() / weight.sum()))
