"""The price response: signs, curves, memories and what follows a discount, checked against their formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from mercato.forecasters.response.choice import Choice
from mercato.forecasters.response.price_response import CARRYOVER, Context, PriceResponse, carried_over, extra

PLACES, GOODS = 3, 2


def response(**changes: torch.Tensor) -> PriceResponse:
    """Constant elasticity −2, nothing else, one promotion that adds nothing."""
    own = torch.full((PLACES, GOODS), -2.0)
    plain = PriceResponse(
        pivot=torch.zeros(PLACES, GOODS),
        own=own,
        own_lo=own - 0.4,
        own_hi=own + 0.4,
        own_error=torch.full((GOODS,), 0.1),
        choice=Choice.alone(torch.zeros(GOODS, dtype=torch.int64), PLACES),
        curve=torch.zeros(GOODS),
        chain=torch.zeros(GOODS),
        joint=torch.zeros(GOODS, 1),
        sway=torch.zeros(GOODS, 2),
        carryover=torch.zeros(GOODS, 2),
        promo=torch.zeros(GOODS, 1),
        promo_level=torch.full((GOODS, 1), -20.0),
        promo_slope=torch.zeros(GOODS, 1),
    )
    return replace(plain, **changes)


def test_without_terms_demand_follows_a_constant_elasticity() -> None:
    log_price = torch.linspace(-0.5, 0.5, PLACES * GOODS).view(PLACES, GOODS)
    torch.testing.assert_close(response().effect(log_price), -2 * log_price)


@given(some.floats(-3, 3), some.floats(-0.6, 0.6))
def test_a_curve_bends_the_elasticity_and_never_its_sign(curve: float, shift: float) -> None:
    bent = response(curve=torch.full((GOODS,), curve))
    log_price = torch.full((PLACES, GOODS), shift, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(bent.own_effect(log_price).sum(), log_price)[0]
    expected = -2 * torch.exp(torch.tensor(curve * shift, dtype=torch.float64))
    assert bool((slope < 0).all())
    torch.testing.assert_close(slope, expected.expand_as(slope), atol=2e-3, rtol=2e-3)


def test_a_price_that_moves_everywhere_does_more_than_one_that_moves_alone() -> None:
    chained = response(chain=torch.tensor([-0.9, 0.0]))
    alone = torch.zeros(PLACES, GOODS)
    alone[0] = -0.1
    everywhere = torch.full((PLACES, GOODS), -0.1)
    none = torch.zeros(PLACES, GOODS, 1)
    assert chained.effect(alone, none)[0, 0] == pytest.approx(0.2 + 0.9 * 0.1 / PLACES)
    assert chained.effect(everywhere, none)[0, 0] == pytest.approx(0.29)
    assert chained.effect(everywhere, none)[0, 1] == pytest.approx(0.2)


def test_an_agent_feels_the_chain_where_it_decides() -> None:
    chained = response(chain=torch.tensor([-0.9, 0.0]))
    alone = torch.zeros(PLACES, GOODS)
    alone[0] = -0.1
    assert chained.effect(alone)[0, 0] == pytest.approx(0.29)
    assert float(chained.effect(alone)[1:].abs().max()) == 0


def test_the_season_moves_the_elasticity_but_not_past_zero() -> None:
    harmonic = torch.zeros(PLACES, GOODS, 2)
    harmonic[..., 0] = 1.0
    swaying = response(sway=torch.tensor([[0.25, 0.0], [-5.0, 0.0]]))
    own = swaying.elasticity(Context(harmonic=harmonic))
    assert own[0, 0] == pytest.approx(-2.5)
    assert bool((own < 0).all())
    torch.testing.assert_close(swaying.elasticity(), swaying.own)


def test_what_is_bought_ahead_is_paid_back_and_forgotten() -> None:
    stocked = response(carryover=torch.tensor([[-0.4, 0.0]] * GOODS))
    carryover = torch.zeros(PLACES, GOODS, 2)
    deal = stocked.own_effect(torch.full((PLACES, GOODS), -0.3))
    dips = []
    for effect in (deal, *[torch.zeros_like(deal)] * 20):
        carryover = stocked.carry_over(carryover, effect)
        usual = torch.zeros(PLACES, GOODS)
        dips.append(float(stocked.effect(usual, context=Context(carryover=carryover))[0, 0]))
    bought = float(extra(deal)[0, 0])
    assert bought == pytest.approx(float(torch.tensor(0.6).expm1()))
    assert dips[0] == pytest.approx(-0.4 * (1 - CARRYOVER[0]) * bought)
    assert sum(dips) == pytest.approx(-0.4 * bought, rel=1e-3)  # all of it, spread over the weeks after
    assert abs(dips[-1]) < 1e-5


def test_the_scan_of_memories_is_the_recursion() -> None:
    news = torch.randn(7, PLACES, GOODS, generator=torch.Generator().manual_seed(0))
    total = torch.zeros(PLACES, GOODS)
    for now, before in zip(news, carried_over(news, 0.85), strict=True):
        torch.testing.assert_close(before, total)
        total = 0.85 * total + 0.15 * now


def test_certainty_leaves_nothing_to_draw() -> None:
    common, single = response().spread()
    assert float(common[0]) == pytest.approx(0.1)
    assert float((common.square() + single.square()).sqrt()[0, 0]) == pytest.approx(0.4 / 1.645)
    for end, value in (("lo", -2.4), ("mean", -2.0), ("hi", -1.6)):
        certain = response().at(end)  # type: ignore[arg-type]
        assert all(float(x.abs().max()) == 0 for x in certain.spread())
        assert float(certain.own[0, 0]) == pytest.approx(value)


def test_a_promotion_that_every_location_runs_adds_its_joint_part() -> None:
    joint = response(promo=torch.full((GOODS, 1), 0.3), joint=torch.full((GOODS, 1), 0.5))
    usual = torch.zeros(PLACES, GOODS)
    one = torch.zeros(PLACES, GOODS, 1)
    one[0] = 1
    assert float(joint.effect(usual, one)[0, 0]) == pytest.approx(0.3 + 0.5 / PLACES)
    assert float(joint.effect(usual, torch.ones_like(one))[0, 0]) == pytest.approx(0.8)
