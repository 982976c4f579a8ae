"""BG/NBD against the paper, against a simulation of its own law, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercato.forecasters.customers.visits import BetaGeometric, VisitCounts, fit_visits
from mercato.forecasters.errors import InputError

PAPER = BetaGeometric(r=0.243, alpha=4.414, a=0.793, b=2.426)  # Fader, Hardie, Lee 2005, table 2: CDNOW


def one(repeats: float, last: float, age: float) -> VisitCounts:
    return VisitCounts(np.array([repeats]), np.array([last]), np.array([age]))


def test_the_paper_s_customer_makes_the_paper_s_visits() -> None:
    """Customer 1 of CDNOW: 1.226 visits in the 39 weeks to come (the authors' spreadsheet note)."""
    assert PAPER.expected(one(2, 30.43, 38.86), 39.0) == pytest.approx(1.226, abs=5e-4)


def drawn(model: BetaGeometric, customers: int, watched: float) -> tuple[VisitCounts, np.ndarray]:
    """Customers of the model's own law, and who of them is still there."""
    rng = np.random.default_rng(3)
    rate, leave = rng.gamma(model.r, 1 / model.alpha, customers), rng.beta(model.a, model.b, customers)
    clock, last, repeats = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    alive = np.ones(customers, dtype=bool)
    while True:
        clock = clock + rng.exponential(1 / np.maximum(rate, 1e-9))
        came = alive & (clock <= watched)
        if not came.any():
            return VisitCounts(repeats, last, np.full(customers, watched)), alive
        repeats, last = repeats + came, np.where(came, clock, last)
        alive &= ~came | (rng.random(customers) >= leave)


def test_the_law_is_recovered_from_customers_drawn_from_it() -> None:
    truth = BetaGeometric(r=0.8, alpha=6.0, a=0.9, b=3.0)
    counts, alive = drawn(truth, 20_000, 52.0)
    found = fit_visits(counts)
    assert found.r == pytest.approx(truth.r, rel=0.1)
    assert found.alpha == pytest.approx(truth.alpha, rel=0.1)
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.1)
    assert found.alive(counts).mean() == pytest.approx(alive.mean(), abs=0.02)


def test_the_unit_of_time_does_not_matter() -> None:
    counts, _ = drawn(PAPER, 2_000, 39.0)
    weeks = fit_visits(counts)
    days = fit_visits(VisitCounts(counts.repeats, counts.last * 7, counts.age * 7))
    assert days.alpha == pytest.approx(7 * weeks.alpha, rel=1e-3)
    assert days.r == pytest.approx(weeks.r, rel=1e-3)


@given(
    repeats=st.integers(0, 60),
    last=st.floats(0.1, 50),
    more=st.floats(0, 50),
    horizon=st.floats(0.1, 100),
)
def test_chances_are_chances_and_silence_counts_against_a_customer(
    repeats: int, last: float, more: float, horizon: float
) -> None:
    counts = one(repeats, last if repeats else 0.0, last + more)
    alive, visit = PAPER.alive(counts)[0], PAPER.visit(counts, horizon)[0]
    assert 0 <= visit <= alive <= 1
    assert PAPER.visit(counts, 2 * horizon)[0] >= visit
    later = VisitCounts(counts.repeats, counts.last, counts.age + 10)
    assert PAPER.alive(later)[0] <= alive
    assert PAPER.visit(counts, horizon)[0] <= PAPER.expected(counts, horizon)[0] + 1e-9


def test_who_came_once_has_never_had_an_occasion_to_leave() -> None:
    assert PAPER.alive(one(0, 0.0, 30.0)) == 1.0


def test_what_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"expected 0 ≤ last ≤ age.*found 2.0 repeats, last 9.0, age 5.0"):
        VisitCounts(np.array([2.0]), np.array([9.0]), np.array([5.0]))
    with pytest.raises(InputError, match="expected customers watched for some time, found 0"):
        fit_visits(VisitCounts(*[np.array([])] * 3))
