"""Substitution by shares: budgets, regularity, and local elasticities that stay as they were estimated."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from mercato.forecasters.response.choice import MOST, Choice, Way
from mercato.forecasters.tensors.cut import Cut

PLACES, CATEGORIES = 3, torch.tensor([0, 0, 0, 1, 1])
GOODS = len(CATEGORIES)


def units_of(seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed + 3)
    return torch.rand(PLACES, GOODS, generator=draw, dtype=torch.float64) + 0.1


def choice(seed: int = 0, theta: float = 0.4, away: float = 0.3, ratio: float = 2.5) -> Choice:
    draw = torch.Generator().manual_seed(seed)
    part = 0.1 + 0.8 * torch.rand(GOODS, generator=draw, dtype=torch.float64)
    pairs = 0.2 * torch.randn(1, GOODS, GOODS, generator=draw, dtype=torch.float64)
    pairs = pairs * (CATEGORIES.unsqueeze(0) == CATEGORIES.unsqueeze(1)) * (1 - torch.eye(GOODS))
    plain = Choice.of(
        CATEGORIES,
        units_of(seed),
        torch.stack([1 - part, part]),
        torch.full((2,), theta, dtype=torch.float64),
        torch.tensor(away, dtype=torch.float64),
        torch.tensor([1.0, ratio], dtype=torch.float64),
    )
    return replace(plain, pairs=pairs).regular()


def own_of(seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed + 1)
    return -0.5 - 5 * torch.rand(PLACES, GOODS, generator=draw, dtype=torch.float64)


def alone(form: Choice) -> Choice:
    """Without deviations of single pairs."""
    return replace(form, pairs=torch.zeros_like(form.pairs))


def change(form: Choice, own: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return form.log_change(own * shift, own, shift)


def slopes(form: Choice, own: torch.Tensor) -> torch.Tensor:
    """(S, I, J) of log demand in log prices at reference prices."""
    zero = torch.zeros(PLACES, GOODS, dtype=torch.float64)
    steps = 1e-5 * torch.eye(GOODS, dtype=torch.float64)
    moved = [(change(form, own, zero + step) - change(form, own, zero - step)) / 2e-5 for step in steps]
    return torch.stack(moved, dim=-1)


LAWS = {
    "seed": some.integers(0, 50),
    "theta": some.floats(0, MOST),
    "away": some.floats(0, MOST),
    "ratio": some.floats(1, 5),
}


@settings(deadline=None)
@given(**LAWS)
def test_own_and_cross_elasticities_are_the_stated_ones(
    seed: int, theta: float, away: float, ratio: float
) -> None:
    form, own = choice(seed, theta, away, ratio), own_of(seed)
    slope = slopes(form, own)
    plain = slopes(alone(form), own)
    torch.testing.assert_close(plain.diagonal(dim1=1, dim2=2), own, atol=1e-5, rtol=1e-5)
    off = 1 - torch.eye(GOODS)
    torch.testing.assert_close(slope.mean(0) * off, form.cross(own), atol=1e-5, rtol=1e-5)


@settings(deadline=None)
@given(**LAWS, up=some.floats(0.01, 1.0), at=some.floats(-1, 1))
def test_dearer_all_over_sells_less(
    seed: int, theta: float, away: float, ratio: float, up: float, at: float
) -> None:
    """Of a category, from wherever its prices are, and of the shop."""
    form, own = choice(seed, theta, away, ratio), own_of(seed)
    draw = torch.Generator().manual_seed(seed + 2)
    before = at * torch.rand(PLACES, GOODS, generator=draw, dtype=torch.float64)
    usual = units_of(seed)
    for dearer in (CATEGORIES == 0, CATEGORIES == 1, CATEGORIES >= 0):
        plain = alone(form)
        first, then = (
            (change(plain, own, shift).exp() * usual)[:, dearer].sum(-1)
            for shift in (before, before + up * dearer)
        )
        assert (then <= first * (1 + 1e-9)).all()
    uniform = torch.full_like(before, at)
    first, then = (change(form, own, shift).exp() * usual for shift in (uniform, uniform + up))
    assert (then.sum(-1) <= first.sum(-1) * (1 + 1e-9)).all()


@settings(deadline=None)
@given(seed=some.integers(0, 50), shift=some.floats(-1.5, 1.5))
def test_with_full_diversion_a_category_keeps_its_units(seed: int, shift: float) -> None:
    """In the limit what one item wins the others of its category lose, and nobody else."""
    form = alone(choice(seed, theta=1.0, away=0.0, ratio=1.0))
    moved = torch.zeros(PLACES, GOODS, dtype=torch.float64)
    moved[:, 0] = shift
    after = change(form, own_of(seed), moved).exp()
    usual = units_of(seed)[:, CATEGORIES == 0]
    torch.testing.assert_close((after[:, CATEGORIES == 0] * usual).sum(-1), usual.sum(-1))
    torch.testing.assert_close(after[:, CATEGORIES == 1], torch.ones_like(after[:, CATEGORIES == 1]))


def test_a_logit_with_an_outside_good_is_one_of_them() -> None:
    """One segment, one category, θ = 0: shares of e^u over what all choose, nothing included."""
    units = torch.tensor([[2.0, 1.0, 1.0]], dtype=torch.float64)
    form = Choice.of(
        torch.zeros(3, dtype=torch.int64),
        units,
        torch.full((2, 3), 0.5, dtype=torch.float64),
        torch.zeros(1, dtype=torch.float64),
        torch.tensor(0.4, dtype=torch.float64),
        torch.ones(2, dtype=torch.float64),
    )
    moved = torch.tensor([[0.5, -1.0, 0.2]], dtype=torch.float64)
    share = 0.4 * units / units.sum()
    logit = moved.exp() / (0.6 + (share * moved.exp()).sum())
    torch.testing.assert_close(form.mixed(moved.expand(2, 1, 3)), logit.log())


def test_customers_saturate() -> None:
    """Half the price everywhere brings less than one item's half price, item by item; nothing overflows."""
    form = alone(choice())
    own, steps = own_of(0), torch.tensor([-0.7, -20.0], dtype=torch.float64)
    apart, together = [], []
    for step in steps:
        whole = torch.full((PLACES, GOODS), float(step), dtype=torch.float64)
        together.append(change(form, own, whole))
        apart.append(
            torch.stack([change(form, own, whole * one)[:, i] for i, one in enumerate(torch.eye(GOODS))], -1)
        )
    assert (together[0] < apart[0]).all()
    assert torch.stack(together).isfinite().all()


def test_rivals_never_outweigh_an_items_own_price() -> None:
    form = replace(choice(), pairs=torch.full((1, GOODS, GOODS), 3.0).double())
    assert float(form.regular().pairs.sum(-1).max()) == pytest.approx(0.9)


def test_a_market_draws_forms_as_often_as_the_evidence_has_them() -> None:
    one = choice()
    both = replace(
        one,
        diversion=torch.cat([one.diversion, torch.zeros_like(one.diversion)]),
        away=torch.cat([one.away, one.away]),
        minding=torch.cat([one.minding, one.minding]),
        pairs=torch.cat([one.pairs, one.pairs]),
        diversion_error=torch.cat([one.diversion_error + 0.1, torch.zeros_like(one.diversion)]),
        odds=torch.tensor([0.8, 0.2]),
    )
    way = both.draw(torch.linspace(0, 0.999, 1000), torch.randn(1000, 2))
    assert float((way.form == 1).float().mean()) == pytest.approx(0.2, abs=0.005)
    assert bool((way.diversion[way.form == 1] == 0).all())
    assert float(way.diversion[way.form == 0].std()) == pytest.approx(0.1, abs=0.02)
    assert float(way.diversion.min()) >= 0
    assert float(way.diversion.max()) <= MOST


def test_what_is_left_out_of_a_sub_market_stays_where_it_was() -> None:
    form, own = alone(choice()), own_of(0)
    shift = torch.zeros(PLACES, GOODS, dtype=torch.float64)
    shift[:, [0, 3]] = torch.tensor([-0.3, 0.2], dtype=torch.float64)
    cut = Cut(torch.tensor([0, 2]), torch.tensor([0, 3]))
    part = form.select(cut)
    some_own, some_shift = (cut.tensor(x, "SI") for x in (own, shift))
    torch.testing.assert_close(change(part, some_own, some_shift), cut.tensor(change(form, own, shift), "SI"))


def test_each_market_follows_its_own_way() -> None:
    form, own = choice(), own_of(0)
    shift = 0.1 * torch.randn(4, PLACES, GOODS, dtype=torch.float64)
    theta = torch.rand(4, 2, dtype=torch.float64)
    way = Way(torch.zeros(4, dtype=torch.int64), theta)
    together = form.log_change(own * shift, own, shift, way)
    for market in range(4):
        single = replace(form, diversion=theta[market : market + 1])
        torch.testing.assert_close(together[market], change(single, own, shift[market]))
