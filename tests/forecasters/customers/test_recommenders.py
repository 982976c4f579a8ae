"""Recommenders show each customer what their rule says, and no more than the slate holds."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mercato.forecasters.customers import Leaving, Population
from mercato.forecasters.customers.lift import Lift
from mercato.forecasters.customers.recommenders import (
    Personal,
    Popular,
    Pushed,
    Recommender,
    WorthMost,
    lifted,
    slates,
)

TASTE = torch.tensor([[[[5.0, 1.0, 0.0, 2.0], [0.0, 3.0, 4.0, 0.0]]]])  # two customers, four items


def population(taste: Tensor = TASTE, weight: tuple[float, float] = (1.0, 3.0)) -> Population:
    size = taste.shape[:3]
    return Population(
        locations=("shop",),
        items=("a", "b", "c", "d"),
        segments=("all",),
        weight=torch.tensor(weight).view(1, 1, 2),
        visit=torch.full(size, 0.5),
        taste=taste,
        basket=taste.sum(-1),
        leaving=torch.full(size, -3.0),
        hazard=torch.full(size, -3.0).sigmoid(),
        price=torch.zeros(1, 1, 4),
        usual_stock_out=torch.zeros(1, 4),
        known=torch.ones(1, 4),
        moved_by=Leaving(stock_out=0.0, dear=0.0, covariance=torch.zeros(2, 2), back=0.0),
    )


def shown(recommender: Recommender, length: int, margin: Tensor = torch.ones(1, 4)) -> list[list[int]]:
    rows = slates(recommender, population(), margin, length)[0, 0]
    return [torch.nonzero(row).flatten().tolist() for row in rows]


def test_popular_shows_all_the_same_and_counts_whom_a_particle_stands_for() -> None:
    assert shown(Popular(), 1) == [[2], [2]]  # 5, 10, 12 and 2 units
    assert shown(Popular(), 2) == [[1, 2], [1, 2]]


def test_personal_shows_each_his_own_and_what_is_worth_most_weighs_it_by_its_margin() -> None:
    assert shown(Personal(), 1) == [[0], [2]]
    dear = torch.tensor([[0.1, 1.0, 0.1, 1.0]])
    assert shown(WorthMost(), 1, dear) == [[3], [1]]


def test_a_shops_own_come_first_and_the_rest_by_taste() -> None:
    assert shown(Pushed(("d",)), 1) == [[3], [3]]
    assert shown(Pushed(("d",)), 2) == [[0, 3], [2, 3]]


@given(length=st.integers(1, 9), effect=st.floats(-1, 1))
@settings(max_examples=20, deadline=None)
def test_a_slate_holds_what_it_may_and_lifts_what_it_shows_alone(length: int, effect: float) -> None:
    slate = slates(Personal(), population(), torch.ones(1, 4), length)
    assert (slate.sum(-1) == min(length, 4)).all()
    lift = lifted(slate, Lift(effect, 0.1))
    assert (lift[slate == 0] == 1).all()
    assert lift[slate == 1].log().mean() == pytest.approx(effect, abs=1e-5)
