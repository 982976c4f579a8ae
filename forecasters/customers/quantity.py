"""How many units of what is bought: the customer's own mean, shrunk to what others suggest."""

from __future__ import annotations

import numpy as np

from .purchases import Purchases, Queries

_ITEM, _CUSTOMER, _PAIR = 5.0, 5.0, 2.0  # lines that a mean is shrunk by


def usual_units(log: Purchases, queries: Queries, stop: int, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """(N,) units expected of lines, given by their question and item, from what came before each stop.

    Items are read up to ``stop``. A customer's factor is their units to those that others buy of the same
    items; of an item that they bought before it is their own units that count more and more.
    """
    known = log.rows(log.day < stop)
    overall = float(known.units.mean())
    lines = np.bincount(known.item, minlength=log.items)
    of_item = (np.bincount(known.item, known.units, log.items) + _ITEM * overall) / (lines + _ITEM)
    read, line = log.before(queries)
    questions = len(queries)
    sold = np.bincount(read, log.units[line], questions)
    usual = np.bincount(read, of_item[log.item[line]], questions)
    mean = usual / np.maximum(np.bincount(read, minlength=questions), 1)
    factor = (sold + _CUSTOMER * mean) / np.maximum(usual + _CUSTOMER * mean, 1e-9)
    pair, place = np.unique(read * np.int64(log.items) + log.item[line], return_inverse=True)
    own, times = np.bincount(place, log.units[line], len(pair)), np.bincount(place, minlength=len(pair))
    wanted = row * np.int64(log.items) + item
    at = np.minimum(np.searchsorted(pair, wanted), len(pair) - 1)
    here = pair[at] == wanted
    prior = np.where(usual[row] > 0, factor[row], 1.0) * of_item[item]
    return (here * own[at] + _PAIR * prior) / (here * times[at] + _PAIR)
