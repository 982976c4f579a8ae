"""A regression on the past that would feed on itself is scaled down until it does not; others stay."""

from __future__ import annotations

import torch

from mercato.forecasters.features.past import PARTS, Past
from mercato.forecasters.network.base import Base
from mercato.forecasters.network.stability import LARGEST, persistence_by_item, persistence_of_all, stabilised

F = PARTS["around"].stop


def base(past: torch.Tensor) -> Base:
    members, goods, _ = past.shape
    nothing = torch.zeros(members, goods)
    return Base(past, torch.zeros(members, goods, 2), torch.zeros(members, 3, goods), nothing)


def played(weights: torch.Tensor, periods: int) -> torch.Tensor:
    """What is left of a rise of one unit everywhere after ``periods``, by item (I,)."""
    goods = weights.shape[1]
    one, seen = torch.ones(3, goods), torch.ones(3, goods, dtype=torch.bool)
    past = Past.none(one)
    for _ in range(200):
        past = past.after(one, seen)
    for _ in range(periods):
        past = past.after(torch.einsum("sif,if->si", past.features(), weights[0]), seen)
    return torch.einsum("sif,if->si", past.features(), weights[0])[0]


def test_an_autoregression_of_order_one_has_its_coefficient_for_persistence() -> None:
    past = torch.zeros(1, 2, F)
    past[0, :, 0] = torch.tensor([0.7, -0.4])
    own, across, around = (past[..., part] for part in PARTS.values())
    torch.testing.assert_close(
        persistence_by_item(own, across)[0], torch.tensor([0.966, 0.966]), atol=2e-3, rtol=0
    )
    past[0, 0, 0] = 1.1
    own = past[..., PARTS["own"]]
    assert float(persistence_by_item(own, across)[0, 0]) == 1.1000000238418579
    assert float(persistence_of_all(own, across, around)[0]) > 1.09


def test_weights_that_do_no_harm_stay_as_they_are() -> None:
    past = 0.05 * torch.rand(2, 3, F, generator=torch.Generator().manual_seed(0))
    assert torch.equal(stabilised(base(past)).past, past)


def test_weights_that_feed_on_themselves_are_scaled_until_a_rise_dies_out() -> None:
    past = torch.full((1, 4, F), 0.05)
    past[0, :, PARTS["across"]] = 0.3  # an item everywhere runs away
    past[0, :, PARTS["around"]] = 0.4
    assert float(played(past, 60).min()) > 100
    tamed = stabilised(base(past)).past
    own, across, around = (tamed[..., part] for part in PARTS.values())
    assert float(persistence_by_item(own, across).max()) <= LARGEST + 1e-4
    assert float(persistence_of_all(own, across, around).max()) <= LARGEST + 1e-3
    assert float(played(tamed, 400).max()) < 0.05


def test_only_the_item_that_runs_away_loses_weight() -> None:
    past = torch.full((1, 2, F), 0.02)
    past[0, 1, 0] = 1.2
    tamed = stabilised(base(past)).past
    own = PARTS["own"]
    assert torch.equal(tamed[0, 0, own], past[0, 0, own])
    assert float(tamed[0, 1, 0]) < 1.0
