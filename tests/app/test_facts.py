"""The fact that would change a decision: at it, both prices are worth the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mercato.app.facts import cheapest_fact, gain_at
from mercato.app.reasons import Known

OWN, COST = -2.0, 6.0


def known(current: float, price: float, at_hand: float = 1e6, others: float = 0.0) -> Known:
    """Ten units at a price of 10, elasticity −2, unit cost 6; ``others`` is what other items gain."""
    demand, before = (10 * (p / 10) ** OWN for p in (price, current))
    own = (price - COST) * min(demand, at_hand) - (current - COST) * min(before, at_hand)
    return Known(
        current=current,
        price=price,
        wanted=price,
        elasticity=OWN,
        margin=(price - COST) / price,
        gain=own + others,
        gain_lo=own + others,
        own_gain=own,
        earns=(price - COST) * demand,
        dearer=0.0,
        cheaper=0.0,
        demand=demand,
        demand_before=before,
        at_hand=at_hand,
        position=at_hand,
        order=0.0,
        lasts=2,
    )


@pytest.mark.parametrize(("current", "price"), [(10.0, 11.0), (10.0, 12.0), (14.0, 12.5), (10.0, 10.5)])
@pytest.mark.parametrize("others", [0.0, 0.4])
def test_at_the_fact_both_prices_are_worth_the_same(current: float, price: float, others: float) -> None:
    case = known(current, price, others=others)
    fact = cheapest_fact(case)
    assert fact is not None
    if fact.name == "a unit cost of":
        found = gain_at(case, fact.value, case.at_hand, case.demand)
    else:
        assert fact.name == "an own elasticity of"
        assert fact.believed == pytest.approx(OWN)
        found = gain_at(case, COST, case.at_hand, case.demand_before * (price / current) ** fact.value)
    assert found == pytest.approx(0, abs=1e-9)


def test_where_stock_is_short_it_is_what_to_count() -> None:
    """Eight units in stock at a price that ten would pay: with more of them the old price is better."""
    case = known(12.0, 13.0, at_hand=6.5)
    fact = cheapest_fact(case)
    assert fact is not None
    assert fact.name == "stock"
    assert 6.5 < fact.value < 10
    assert gain_at(case, COST, fact.value, case.demand) == pytest.approx(0, abs=1e-9)
    assert str(fact).endswith("count the shelf")


def test_a_price_that_stays_or_does_not_gain_has_no_such_fact() -> None:
    assert cheapest_fact(known(10.0, 10.0)) is None
    assert cheapest_fact(replace(known(10.0, 11.0), gain=-1.0)) is None
