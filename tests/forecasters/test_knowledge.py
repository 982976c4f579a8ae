"""What a shop knows of its items: rules bind, relations weigh as much as they should, nothing else moves."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
import torch

from mercato.forecasters.errors import InputError
from mercato.forecasters.events import Relation, Relations, Rule
from mercato.forecasters.identification import Elasticities, with_knowledge
from mercato.forecasters.response import Choice

ITEMS = ("tea", "milk", "rice")
DRINKS = ("drinks", "drinks", "grains")


def found(error: float = 0.1) -> Elasticities:
    """Own elasticities of −2 and −3; tea and milk share customers."""
    own, zero, none = (
        torch.tensor([[-2.0, -2.0, -2.0], [-3.0, -2.0, -2.0]]),
        torch.zeros(3),
        torch.zeros(3, 0),
    )
    categories, units = torch.tensor([0, 0, 1]), torch.full((2, 3), 10.0)
    choice = Choice.of(
        categories,
        units,
        torch.full((3, 3), 1 / 3),
        torch.tensor([0.2, 0.0]),
        torch.tensor(0.0),
        torch.ones(3),
    )
    return Elasticities(
        own=own,
        own_lo=own - 0.3,
        own_hi=own + 0.3,
        own_error=zero + error,
        choice=choice,
        promo=none,
        curve=zero,
        chain=zero,
        joint=none,
        sway=torch.zeros(3, 2),
        carryover=torch.zeros(3, 2),
        price_spread=zero + 0.1,
        with_instrument=None,
        without_instrument=None,
        gap=0.0,
        gap_error=float("nan"),
        confounded=False,
    )


def after(*told: Relation | Rule, **how: Any) -> tuple[Elasticities, tuple[str, ...]]:
    relations = tuple(one for one in told if isinstance(one, Relation))
    rules = tuple(one for one in told if isinstance(one, Rule))
    return with_knowledge(found(**how), Relations(relations, rules), ITEMS, DRINKS)


def test_nothing_known_changes_nothing() -> None:
    same, said = after()
    torch.testing.assert_close(same.cross, found().cross)
    torch.testing.assert_close(same.own, found().own)
    assert said == ()


def test_a_rule_bounds_a_cross_elasticity_and_says_where_it_binds() -> None:
    ruled, said = after(Rule("tea", "rice", 0.25, inf), Rule("milk", "tea", -inf, 0.0))
    assert float(ruled.cross[0, 2]) == pytest.approx(0.25, abs=2e-3)
    assert float(ruled.cross[1, 0]) == pytest.approx(0.0, abs=2e-3)
    others = [(0, 1), (1, 2), (2, 0), (2, 1)]
    assert all(abs(float(ruled.cross[at] - found().cross[at])) < 2e-3 for at in others)
    assert len(said) == 2
    assert said[0].startswith("rule: demand of tea to the price of rice +0.00 → +0.25")


def test_a_rule_that_holds_says_nothing() -> None:
    same, said = after(Rule("tea", "milk", 0.0, inf), Rule("tea", "", -9.0, -0.5))
    torch.testing.assert_close(same.cross, found().cross, atol=2e-3, rtol=0)
    assert said == ()


def test_an_own_elasticity_stays_within_its_rule_with_its_interval() -> None:
    ruled, said = after(Rule("tea", "", -2.1, -1.0))
    assert ruled.own[:, 0].tolist() == pytest.approx([-2.0, -2.1])
    assert bool((ruled.own_lo[:, 0] >= -2.1).all())
    torch.testing.assert_close(ruled.own[:, 1:], found().own[:, 1:])
    assert "binds at 1 of 2 locations" in said[0]


@pytest.mark.parametrize(("error", "least", "most"), [(0.001, 0.0, 0.01), (10.0, 0.28, 0.31)])
def test_a_substitute_is_believed_where_the_table_tells_little(
    error: float, least: float, most: float
) -> None:
    related, _ = after(Relation("tea", "rice", "substitute"), error=error)
    assert least <= float(related.cross[0, 2]) <= most


def test_a_category_stands_for_its_items() -> None:
    ruled, _ = after(Rule("drinks", "rice", 0.1, inf))
    assert [float(ruled.cross[i, 2]) for i in (0, 1)] == pytest.approx([0.1, 0.1], abs=2e-3)


def test_a_rule_that_leaves_an_own_elasticity_no_negative_value_is_refused() -> None:
    with pytest.raises(InputError, match=r"an own elasticity below .* found 0 at least"):
        after(Rule("tea", "", 0.0, inf))
