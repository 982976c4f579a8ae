"""What drives customers away: the likelihood by quadrature, known effects found again, stated priors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import beta as beta_law

from mercato.forecasters.customers.histories import Histories
from mercato.forecasters.customers.leaving import PRIOR, Met, _Data, fit_leaving
from mercato.forecasters.customers.voice import Voice
from mercato.forecasters.errors import InputError

PERIODS, OWN, STOCK_OUT, DEAR = 60, -3.0, 3.0, 1.0


def of_visits(visitor: np.ndarray, period: np.ndarray, customers: int, periods: int = PERIODS) -> Histories:
    """Customers of one location, who came and bought nothing."""
    none, units = np.zeros(0, dtype=np.int64), np.zeros(0)
    nothing = np.zeros((periods, 1, 1))
    return Histories(
        customers=tuple(map(str, range(customers))),
        visitor=visitor,
        period=period,
        place=np.zeros_like(visitor),
        trips=np.stack([visitor, period, np.zeros_like(visitor)], 1),
        home=np.zeros(customers, dtype=np.int64),
        buyer=none,
        bought_in=none,
        bought_at=none,
        item=none,
        units=units,
        missing=nothing,
        dear=nothing,
        usual_price=nothing[0] + 1,
        usual_missing=nothing[0],
    )


def drawn(customers: int, seed: int, told: bool = True) -> tuple[Histories, Met, np.ndarray]:
    """Visits of customers of known laws, what they met, and who is still there."""
    rng = np.random.default_rng(seed)
    chance, begin = rng.beta(2, 5, customers), rng.integers(0, PERIODS - 10, customers)
    missing = rng.beta(0.3, 2.0, (PERIODS, customers)) * told
    dear = rng.normal(0, 0.2, (PERIODS, customers)) * told
    logit = OWN + STOCK_OUT * missing + DEAR * dear
    there, came = np.zeros(customers, dtype=bool), np.zeros((PERIODS, customers), dtype=bool)
    for t in range(PERIODS):
        there |= begin == t
        came[t] = there & ((rng.random(customers) < chance) | (begin == t))
        there &= ~(came[t] & (rng.random(customers) < 1 / (1 + np.exp(-logit[t]))))
    period, visitor = np.nonzero(came)
    order = np.lexsort((period, visitor))
    period, visitor = period[order], visitor[order]
    seen = of_visits(visitor, period, customers)
    return seen, Met(missing[period, visitor], dear[period, visitor]), there


@pytest.fixture(scope="module")
def fitted():
    seen, met, there = drawn(5000, 1)
    return seen, there, fit_leaving(seen, met, Voice.silent(len(met.missing)), 7)


def test_known_effects_are_found_again(fitted) -> None:
    _, _, found = fitted
    assert abs(found.own - OWN) < 3 * found.errors["own"]
    assert abs(found.moved_by.stock_out - STOCK_OUT) < 3 * found.errors["stock_out"]
    assert abs(found.moved_by.dear - DEAR) < 3 * found.errors["dear"]
    assert found.errors["stock_out"] < 0.3
    assert found.visit == pytest.approx((2, 5), rel=0.15)
    assert found.moved_by.assumed == ("back",)
    assert (torch.linalg.eigvalsh(found.moved_by.covariance) > 0).all()


def test_who_is_still_there_is_told_with_its_chance(fitted) -> None:
    _, there, found = fitted
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        some = (found.alive >= low) & (found.alive < low + 0.2)
        error = 4 * np.sqrt(0.25 / some.sum())
        assert abs(found.alive[some].mean() - there[some].mean()) < error + 0.02
    assert found.leavers == pytest.approx((~there).sum(), rel=0.05)


def test_the_likelihood_is_that_of_chances_drawn_from_a_beta() -> None:
    """One customer: first visit in period 2, then in 5 and 6, watched to period 11; by quadrature over v."""
    periods = np.array([2, 5, 6])
    seen = of_visits(np.zeros(3, dtype=np.int64), periods, 1, periods=12)
    met = Met(np.array([0.1, 0.0, 0.5]), np.array([0.0, 0.2, -0.1]))
    a, b = 1.5, 4.0
    parameters = torch.tensor([np.log(a), np.log(b), OWN, STOCK_OUT, DEAR, 0, 0], dtype=torch.float64)
    told = torch.logaddexp(*_Data.of(seen, met, Voice.silent(3)).terms(parameters))
    p = 1 / (1 + np.exp(-(OWN + STOCK_OUT * met.missing + DEAR * met.dear)))
    came, stayed = (1 - p[0]) * (1 - p[1]), 1 - p[2]

    def of(v: float) -> float:
        until_last = came * v**2 * (1 - v) ** (6 - 2 - 2)
        return float(until_last * (stayed * (1 - v) ** 5 + p[2]) * beta_law.pdf(v, a, b))

    assert float(told) == pytest.approx(np.log(quad(of, 0, 1)[0]), abs=1e-8)


def test_what_no_event_tells_is_assumed_and_named() -> None:
    """Nobody ever met an empty shelf or another price: the priors, as they were stated."""
    seen, met, _ = drawn(400, 2, told=False)
    found = fit_leaving(seen, met, Voice.silent(len(met.missing)), 7)
    assert found.moved_by.assumed == ("stock_out", "dear", "back")
    assert found.moved_by.stock_out == pytest.approx(PRIOR[0][0], abs=1e-4)
    errors = found.moved_by.covariance.diagonal().sqrt()
    torch.testing.assert_close(errors, torch.tensor([PRIOR[0][1], PRIOR[1][1]]), rtol=1e-3, atol=0)
    assert found.moved_by.back == pytest.approx(1 - 0.6 ** (7 / 365))


def test_few_customers_teach_nothing() -> None:
    seen, met, _ = drawn(20, 3)
    with pytest.raises(InputError, match="at least 50 customers to learn what drives them away, found 20"):
        fit_leaving(seen, met, Voice.silent(len(met.missing)), 7)


def test_customers_who_come_once_leave_what_moves_them_to_its_priors() -> None:
    rng = np.random.default_rng(0)
    seen = of_visits(np.arange(400), rng.integers(0, PERIODS, 400), 400)
    found = fit_leaving(seen, Met(np.zeros(400), np.zeros(400)), Voice.silent(400), days=7)
    assert np.isfinite([*found.visit, found.own, *found.errors.values()]).all()
    assert (found.moved_by.stock_out, found.moved_by.dear) == pytest.approx([m for m, _ in PRIOR], abs=0.05)
    assert {"stock_out", "dear"} <= set(found.moved_by.assumed)
