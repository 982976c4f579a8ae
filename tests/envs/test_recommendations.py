"""What customers are shown is more demand for it, by those who are shown it, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mercato.envs.customers import Customers, MarketCustomers
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.scenarios import Plan, Scenario
from mercato.envs.scenarios.played import Played
from mercato.envs.settings_file import Fault
from mercato.forecasters.customers import Account, Lift
from tests.envs.regulars import regulars
from tests.envs.scenario_play import town

TOLD = Lift(0.2, 0.05, rows=900)
COUPON = Lift(0.3, 0.1, rows=400)
ACCOUNT = Account({}, (), (), TOLD, COUPON, Lift(0.4, 0.1, rows=300), 0.5, (), (), "")


@pytest.fixture
def market() -> Market:
    plain = town()
    return replace(plain, customers=MarketCustomers(Customers(regulars(plain), ACCOUNT)))


def shown(market: Market, **fields: object) -> torch.Tensor:
    """(S, I) multiple of demand in the first period."""
    return Scenario.model_validate({"recommendation": fields, "horizon": 4}).plan(market).demand[0]


def test_showing_everything_multiplies_everything_by_what_events_told(market: Market) -> None:
    everything = len(market.items)
    torch.testing.assert_close(shown(market, slate=everything), torch.full(market.shape, TOLD.mean).exp())
    stated = shown(market, slate=everything, effect=0.5)
    torch.testing.assert_close(stated, torch.full(market.shape, 0.5))


def test_what_is_pushed_is_shown_to_all_and_the_others_to_none(market: Market) -> None:
    multiple = shown(market, push=market.items[1], slate=1, effect=1.5)
    torch.testing.assert_close(multiple[:, 1], torch.full((market.shape[0],), 1.5))
    assert (multiple[:, [0, *range(2, market.shape[1])]] == 1).all()


def test_personal_slates_reach_more_demand_than_popular_ones(market: Market) -> None:
    assert market.customers is not None
    sold = market.customers.known().population.mass.sum((1, 2))
    personal, popular = (
        float((shown(market, by=by, slate=1, effect=2.0) * sold).sum())
        for by in ("personal frequency", "popular")
    )
    assert personal > popular > float(sold.sum())


def test_a_market_without_customers_and_a_strange_item_are_refused(market: Market) -> None:
    with pytest.raises(Fault, match="expected a market with customers"):
        shown(replace(market, customers=None))
    with pytest.raises(Fault, match="push"):
        shown(market, push="nothing")


def test_seeding_reaches_those_who_are_told_and_needs_somebody_who_tells(market: Market) -> None:
    def seeded(where: Market, **fields: object) -> torch.Tensor:
        return Scenario.model_validate({"seeding": fields, "horizon": 4}).plan(where).demand[0]

    expected = 1 + 0.2 * 0.5 * (torch.tensor(0.4).exp() - 1)  # a fifth of customers, each tells half of one
    torch.testing.assert_close(seeded(market, share=0.2), expected.expand(market.shape))
    assert (seeded(market, share=0.2, effect=1.0) == 1).all()
    alone = replace(
        market, customers=MarketCustomers(Customers(regulars(market), replace(ACCOUNT, told=0.0)))
    )
    with pytest.raises(Fault, match="expected customers who told others"):
        seeded(alone, share=0.2)


def couponed(market: Market, **fields: object) -> Plan:
    return Scenario.model_validate({"coupon": fields, "horizon": 4}).plan(market)


def test_a_coupon_to_everybody_brings_what_events_told_and_costs_its_discount(market: Market) -> None:
    plan = couponed(market, discount=0.2)
    torch.testing.assert_close(plan.demand[0], torch.full(market.shape, COUPON.mean).exp())
    torch.testing.assert_close(plan.kept[0], torch.full(market.shape, 0.8))
    assert "estimated from 400 rows" in plan.notes[-1]
    assert "as it was stated" in couponed(market, effect=1.2).notes[-1]


def test_a_coupon_that_moves_nobody_costs_what_its_segment_would_have_bought(market: Market) -> None:
    plan = couponed(market, segments="keen", share=0.5, discount=0.2, effect=1.0)
    assert market.customers is not None
    bought = market.customers.known().population.mass.sum(2)
    theirs = bought[:, 1] / bought.sum(1)
    torch.testing.assert_close(plan.demand[0], torch.ones(market.shape))
    torch.testing.assert_close(plan.kept[0], 1 - 0.2 * 0.5 * theirs)


def test_segments_make_a_whole_and_bigger_discounts_cost_more(market: Market) -> None:
    calm, keen, both = (couponed(market, segments=s) for s in ("calm", "keen", ["calm", "keen"]))
    torch.testing.assert_close((calm.demand + keen.demand - both.demand)[0], torch.ones(market.shape))
    less, more = (couponed(market, discount=d).kept for d in (0.1, 0.3))
    assert (more < less).all()
    assert (couponed(market, share=0.0).demand == 1).all()
    assert (couponed(market, share=0.0).kept == 1).all()


def test_what_a_coupon_gives_back_is_no_longer_earned(market: Market) -> None:
    episodes = torch.arange(3)
    brought = []
    for discount in (0.0, 0.25):
        game = Played(couponed(market, effect=1.0, discount=discount), 3, 0)
        state = game.reset(episodes)
        price = market.terms.reference_price.expand(3, -1, -1)
        brought.append(game.step(state, Decision(price, torch.full_like(price, 5.0)), 0)[1])
    full, less = brought
    assert torch.equal(full.sales, less.sales)
    torch.testing.assert_close(less.revenue, 0.75 * full.revenue)
    torch.testing.assert_close(full.profit - less.profit, full.revenue - less.revenue)


def test_a_strange_segment_is_refused_with_the_nearest(market: Market) -> None:
    with pytest.raises(Fault, match="segments"):
        couponed(market, segments="calmer")
