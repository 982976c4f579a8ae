"""Who comes to which location, and what moves him to another: shares counted, planted effects found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from mercato.forecasters.customers.histories import Histories
from mercato.forecasters.customers.switching import SwitchingFit, Visited, fit_switching
from mercato.forecasters.customers.tastes import Tastes

CUSTOMERS, PERIODS, GOODS = 300, 60, 3
TRUE = (3.0, 2.0)


def shopping(seed: int, effects: tuple[float, float] = TRUE, loyal: bool = False) -> Histories:
    """Customers who come to one of two locations each period, by what they last met at either."""
    rng = np.random.default_rng(seed)
    missing = np.repeat(rng.choice([0.0, 0.2, 0.5], (PERIODS, 2, 1), p=[0.6, 0.2, 0.2]), GOODS, 2)
    dear = np.repeat(rng.normal(0, 0.15, (PERIODS, 2, 1)), GOODS, 2)
    met = effects[0] * missing[..., 0] + effects[1] * dear[..., 0]
    likes = logit(rng.beta(2, 2, CUSTOMERS))
    if loyal:
        likes = np.where(rng.random(CUSTOMERS) < 0.5, -50.0, 50.0)
    minded, trips = np.zeros((CUSTOMERS, 2)), []
    everyone = np.arange(CUSTOMERS)
    for period in range(PERIODS):
        came = everyone[rng.random(CUSTOMERS) < 0.5]
        chance = expit(likes[came] - minded[came, 0] + minded[came, 1])
        place = (rng.random(len(came)) >= chance).astype(np.int64)
        minded[came, place] = met[period, place]
        trips.append(np.stack([came, np.full_like(came, period), place], 1))
    whole = np.concatenate(trips)
    whole = whole[np.lexsort(whole.T[::-1])]
    kept, visitor = np.unique(whole[:, 0], return_inverse=True)
    when, at = whole[:, 1], whole[:, 2]
    return Histories(
        customers=tuple(f"c{c}" for c in kept),
        visitor=visitor,
        period=when,
        place=at,
        trips=np.stack([visitor, when, at], 1),
        home=(np.bincount(visitor, at) > 0.5 * np.bincount(visitor)).astype(np.int64),
        buyer=visitor,
        bought_in=when,
        bought_at=at,
        item=rng.integers(GOODS, size=len(when)),
        units=np.ones(len(when)),
        missing=missing,
        dear=dear,
        usual_price=np.ones((2, GOODS)),
        usual_missing=missing.mean(0),
    )


def fitted(seen: Histories) -> SwitchingFit | None:
    return fit_switching(seen, Tastes.of(seen), Visited.of(seen))


def test_shares_of_a_customer_are_whole_and_drawn_to_those_of_the_others() -> None:
    seen = shopping(0)
    visited = Visited.of(seen)
    np.testing.assert_allclose(np.bincount(visited.customer, visited.share), 1.0)
    own = 1 - visited.share
    usual = visited.usual[visited.place]
    assert (np.abs(visited.elsewhere - usual) <= np.abs(own - usual) + 1e-12).all()
    assert ((visited.elsewhere > 0) & (visited.elsewhere < 1)).all()
    np.testing.assert_allclose(visited.towards, [[0, 1], [1, 0]])


def test_planted_effects_are_found_by_their_intervals() -> None:
    found = [fitted(shopping(seed)) for seed in range(6)]
    hits = []
    for fit in found:
        assert fit is not None
        assert fit.moved_by.assumed == ()
        for name, true in zip(("stock_out", "dear"), TRUE, strict=True):
            hits.append(abs(getattr(fit.moved_by, name) - true) < 1.645 * fit.errors[name])
    assert np.mean(hits) >= 0.7
    mean = np.mean([[f.moved_by.stock_out, f.moved_by.dear] for f in found if f], axis=0)
    np.testing.assert_allclose(mean, TRUE, rtol=0.1)


def test_who_goes_by_liking_alone_shows_no_effect() -> None:
    fit = fitted(shopping(1, (0.0, 0.0)))
    assert fit is not None
    assert abs(fit.moved_by.stock_out) < 3 * fit.errors["stock_out"]
    assert abs(fit.moved_by.dear) < 3 * fit.errors["dear"]


def test_where_nobody_comes_to_several_locations_nobody_switches() -> None:
    seen = shopping(2, loyal=True)
    assert fitted(seen) is None
    assert (Visited.of(seen).towards == 0).all()


@pytest.mark.parametrize("several", [2, 5])
def test_a_handful_of_customers_leaves_the_effects_assumed(several: int) -> None:
    """Those of one location say nothing of what moves the others."""
    seen = shopping(3)
    some = seen.trips[:, 0] < several
    trips = seen.trips[some]
    few = Histories(
        **{f: getattr(seen, f) for f in seen.__dataclass_fields__}
        | {
            "customers": seen.customers[:several],
            "visitor": trips[:, 0],
            "period": trips[:, 1],
            "place": trips[:, 2],
            "trips": trips,
            "home": seen.home[:several],
            "buyer": trips[:, 0],
            "bought_in": trips[:, 1],
            "bought_at": trips[:, 2],
            "item": seen.item[some],
            "units": seen.units[some],
        }
    )
    fit = fitted(few)
    assert fit is not None
    assert "stock_out" in fit.moved_by.assumed
