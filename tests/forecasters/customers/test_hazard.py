"""The next visit: BG/NBD where nothing is added, a proper chance whatever is, and censoring."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mercato.forecasters.customers.context import context
from mercato.forecasters.customers.hazard import (
    Awaited,
    Hazard,
    awaited,
    fit_hazard,
    log_likelihood,
    spells,
    staying,
)
from mercato.forecasters.customers.purchases import Purchases, Queries
from mercato.forecasters.customers.visits import fit_visits

from .shop import shop

LOG, HORIZON = shop(150), 28
BASE = fit_visits(LOG.counts(LOG.known(LOG.stop)))


def of(stop: int, end: int = 120) -> tuple[torch.Tensor, Awaited, Queries]:
    queries = LOG.known(stop)
    return context(LOG, queries), awaited(LOG, queries, HORIZON, BASE, end), queries


def test_where_nothing_is_added_it_is_bg_nbd() -> None:
    told, visits, queries = of(70)
    counts = LOG.counts(queries)
    away = staying(*Hazard(len(spells(HORIZON)))(told, visits))
    often = counts.repeats > 0  # who came once has left with a chance of e⁻⁵, where BG/NBD says 0
    assert 1 - away[often, -1].detach().numpy() == pytest.approx(BASE.visit(counts, HORIZON)[often], abs=1e-3)


def test_chances_of_all_spells_and_of_none_sum_to_one() -> None:
    _, visits, _ = of(70)
    left, hazard = torch.randn_like(visits.left), torch.randn_like(visits.hazard)
    total = torch.zeros(len(left))
    for spell in range(hazard.shape[1] + 1):
        there = torch.full_like(visits.spell, spell)
        total += log_likelihood(
            left, hazard, Awaited(left, hazard, there, visits.seen * 0 + hazard.shape[1])
        ).exp()
    assert total.numpy() == pytest.approx(1, abs=1e-5)


def test_what_was_not_watched_is_not_known() -> None:
    rows = np.array([(0, 0, 0), (0, 30, 0), (1, 5, 0), (1, 17, 0)]).T
    log = Purchases(2, 1, np.datetime64("2024-01-01"), *rows, np.ones(4), np.ones(4), np.full(4, -1))
    queries = Queries(np.array([0, 1]), np.array([10, 10]))
    seen = awaited(log, queries, HORIZON, BASE, 20)
    ends = spells(HORIZON)
    assert ends.tolist() == [1, 2, 3, 5, 7, 10, 14, 21, 28]
    assert seen.spell.tolist() == [len(ends), 5]  # on day 30, not before 20; on day 17, in the spell 7 … 10
    assert seen.seen.tolist() == [6, 6]


def regular() -> Purchases:
    """Customers who come every 12 to 40 days, almost to the day: when they last came tells much."""
    rng = np.random.default_rng(0)
    gap = rng.uniform(12, 40, 300)
    rows = np.array(
        [
            (customer, day, 0)
            for customer, each in enumerate(gap)
            for day in np.arange(rng.uniform(0, each), 200, each).astype(int)
        ]
    ).T
    ones = np.ones(rows.shape[1])
    return Purchases(300, 1, np.datetime64("2024-01-01"), *rows, ones, ones, -ones)


def test_what_moves_visits_is_found_and_helps_on_days_not_seen() -> None:
    log = regular()
    base = fit_visits(log.counts(log.known(log.stop)))

    def at(stop: int) -> tuple[torch.Tensor, Awaited]:
        queries = log.known(stop)
        return context(log, queries), awaited(log, queries, HORIZON, base, 200)

    told, visits = at(150)
    fitted = fit_hazard([at(stop) for stop in (90, 104, 118)])
    with torch.no_grad():
        fit = float(log_likelihood(*fitted(told, visits), visits).mean())
        plain = float(log_likelihood(visits.left, visits.hazard, visits).mean())
    assert fit > plain + 0.1


def test_where_nothing_moves_visits_learning_does_no_harm() -> None:
    fitted = fit_hazard([of(50)[:2], of(64)[:2]])
    told, visits, _ = of(90)
    with torch.no_grad():
        fit = float(log_likelihood(*fitted(told, visits), visits).mean())
        plain = float(log_likelihood(visits.left, visits.hazard, visits).mean())
    assert fit > plain - 0.02
