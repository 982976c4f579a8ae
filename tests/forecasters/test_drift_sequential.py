"""Sequential tests: a stated rate of false alarms, and changes that are found."""

from __future__ import annotations

import numpy as np
import pytest

from mercato.forecasters.drift.sequential import Null, crossings, e_values, threshold


def test_e_values_average_one_while_nothing_has_changed() -> None:
    z = np.random.default_rng(1).standard_t(4, (200_000, 1)) / 2**0.5
    e = e_values(z, 4.0)
    np.testing.assert_allclose(e.mean((0, 1))[[0, 1, 3, 4]], 1.0, atol=0.06)  # of the moves met often
    assert (e_values(z, 4.0, band=0.3).mean((0, 1)) < 1).all()


@pytest.mark.parametrize("rate", [0.01, 0.0005])
def test_streams_that_do_not_change_alarm_at_the_rate_allowed(rate: float) -> None:
    z = np.random.default_rng(2).standard_t(50, (400, 1500)) / (50 / 48) ** 0.5
    found = [one for one in crossings(e_values(z, 50.0), threshold(rate, 50.0)) if one.at >= 100]
    assert len(found) / (300 * 1500) == pytest.approx(rate, rel=0.25)
    assert threshold(rate, 50.0) <= 1 / rate  # at which Shiryaev and Roberts' bound holds


def test_the_gathered_evidence_is_that_of_shiryaev_and_roberts() -> None:
    """R = (1 + R)·e: of e = 2, 2, 2 it is 2, 6, 14."""
    e = np.full((3, 1, 1), 2.0)
    assert [one.at for one in crossings(e, 6.0)] == [1]
    assert crossings(e, 14.5) == []
    (one,) = crossings(e, 14.0)
    assert (one.at, one.since, one.evidence) == (2, 0, 1.0)


def test_a_change_is_dated_from_its_onset() -> None:
    z = np.random.default_rng(3).standard_normal((60, 1)) * 0.5
    z[40:] += 2.0
    first = crossings(e_values(z, 50.0), 200.0)[0]
    assert 40 <= first.since <= 42
    assert first.at <= 45


def test_a_null_learns_spread_memory_and_tails() -> None:
    rng = np.random.default_rng(4)
    x = np.zeros((3000, 2))
    for t in range(1, 3000):
        x[t] = 0.5 * x[t - 1] + rng.standard_normal(2) * np.array([0.1, 2.0])
    null = Null.of(x + 5)
    np.testing.assert_allclose(null.mean, 5, atol=0.15)
    np.testing.assert_allclose(null.memory, 0.5, atol=0.05)
    np.testing.assert_allclose(null.spread, [0.1, 2.0], rtol=0.05)
    assert null.tails >= 20
    heavy = Null.of(rng.standard_t(3, (3000, 1)))
    assert heavy.tails <= 4
    assert np.isnan(null.standardised(np.full((1, 2), np.nan))).all()
