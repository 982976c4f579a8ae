"""Baskets: what a log says of a customer, and the sources that the next basket may come from."""

from __future__ import annotations

import numpy as np
import pytest

from mercato.forecasters.customers.baskets import best, catalogue, of_categories, own_items
from mercato.forecasters.customers.purchases import Purchases, Queries

from .shop import CATEGORY, shop

LOG = shop(80)


def tiny() -> Purchases:
    """Customer 0 buys item 0 on days 0 and 9 and item 1 on day 9; customer 1 items 1 and 2 on day 8."""
    rows = np.array([(0, 0, 0), (0, 9, 0), (0, 9, 1), (1, 8, 1), (1, 8, 2)]).T
    return Purchases(2, 4, np.datetime64("2024-01-01"), *rows, np.ones(5), np.ones(5), np.full(5, -1))


def test_nothing_of_the_future_is_read() -> None:
    now = LOG.known(70)
    cut = LOG.rows(LOG.day < 70)
    whole, part = own_items(LOG, now), own_items(cut, now)
    assert all(np.array_equal(getattr(whole, f), getattr(part, f)) for f in vars(whole))
    here, there = catalogue(LOG, 70, CATEGORY), catalogue(cut, 70, CATEGORY)
    assert all(np.array_equal(getattr(here, f), getattr(there, f)) for f in vars(here))


def test_frequency_with_recency_is_what_it_says() -> None:
    own = own_items(tiny(), Queries(np.array([0]), np.array([10])))
    assert own.item.tolist() == [0, 1]
    assert own.weight == pytest.approx([10**-0.5 + 1, 1])
    assert (own.visits.tolist(), own.last.tolist(), own.first.tolist()) == ([2, 1], [1, 1], [10, 1])


def test_the_first_basket_is_the_first_day_s_within_the_horizon() -> None:
    queries = Queries(np.array([0, 0, 1]), np.array([1, 10, 0]))
    row, line = tiny().first_basket(queries, 28)
    assert (row.tolist(), line.tolist()) == ([0, 0, 2, 2], [1, 2, 3, 4])
    assert len(tiny().first_basket(queries, 3)[0]) == 0
    assert tiny().until(queries).tolist() == [8, -1, 8]


def test_every_source_is_a_distribution_over_the_full_catalogue() -> None:
    queries = LOG.known(70)
    items = catalogue(LOG, 70, CATEGORY)
    assert items.popular.sum() == pytest.approx(1)
    assert (items.popular > 0).all()
    assert np.bincount(CATEGORY, items.within) == pytest.approx(1)
    table = of_categories(own_items(LOG, queries), items, len(queries))
    assert np.asarray(table.sum(1)).ravel() == pytest.approx(1)


def test_equal_scores_are_in_the_order_of_popularity() -> None:
    popular = np.array([0.1, 0.4, 0.3, 0.2])
    scores = np.array([[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert best(scores, popular, 3).tolist() == [[2, 1, 3], [1, 2, 3]]
    assert best(scores, popular, 4).tolist() == [[2, 1, 3, 0], [1, 2, 3, 0]]


def test_who_has_not_bought_cannot_be_counted() -> None:
    with pytest.raises(ValueError, match="expected 2 customers who bought, found 1"):
        tiny().counts(Queries(np.array([0, 1]), np.array([5, 5])))
