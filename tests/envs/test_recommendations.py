"""What customers are shown is more demand for it, by those who are shown it, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mercato.agents.addressing import Addressing
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.policy import Pair
from mercato.envs.customers import Customers, MarketCustomers
from mercato.envs.engine.types import Decision, State
from mercato.envs.market import Market
from mercato.envs.processes import ObservedDemand, Replay
from mercato.envs.processes.addressed import addressed
from mercato.envs.scenarios import Plan, Scenario
from mercato.envs.scenarios.played import Played
from mercato.envs.settings_file import Fault
from mercato.forecasters.customers import Account, Contagion, Coupons, CustomerAction, Lift
from mercato.forecasters.simulation import Period
from mercato.forecasters.tensors import NoiseKey
from tests.envs.regulars import regulars
from tests.envs.scenario_play import town

TOLD = Lift(0.2, 0.05, rows=900)
COUPON = Lift(0.3, 0.1, rows=400)
ACCOUNT = Account({}, (), (), TOLD, COUPON, Lift(0.4, 0.1, rows=300), 0.5, (), (), "")


@pytest.fixture
def market() -> Market:
    plain = town()
    return replace(plain, customers=MarketCustomers(Customers(regulars(plain), ACCOUNT))).remembered


def opened(plan: Plan) -> tuple[Played, State]:
    game = Played(plan, 1, 0)
    return game, game.reset(torch.arange(1))


def coming(plan: Plan) -> torch.Tensor:
    """(S, I) mean demand of the first period, as a policy sees it."""
    game, state = opened(plan)
    view = game.view(state, 0)
    return view.expected(plan.market.terms.reference_price.unsqueeze(0))[0]


def multiple(market: Market, **effects: object) -> torch.Tensor:
    """(S, I) multiple of the first period's mean demand that effects bring."""
    plan = Scenario.model_validate({**effects, "horizon": 4}).plan(market)
    return coming(plan) / coming(Scenario(horizon=4).plan(market))


def kept(plan: Plan) -> torch.Tensor:
    """(S, I) share of the first period's revenue that is not given back."""
    action = plan.actions[0]
    if action is None:
        return torch.ones(plan.market.shape)
    _, state = opened(plan)
    price = plan.market.terms.reference_price.unsqueeze(0)
    return 1 - addressed(plan.market.demand, state.demand, action, price)[1][0]


def shown(market: Market, **fields: object) -> torch.Tensor:
    return multiple(market, recommendation=fields)


def test_showing_everything_multiplies_everything_by_what_events_told(market: Market) -> None:
    everything = len(market.items)
    torch.testing.assert_close(shown(market, slate=everything), torch.full(market.shape, TOLD.mean).exp())
    stated = shown(market, slate=everything, effect=0.5)
    torch.testing.assert_close(stated, torch.full(market.shape, 0.5))


def test_what_is_pushed_is_shown_to_all_and_the_others_to_none(market: Market) -> None:
    more = shown(market, push=market.items[1], slate=1, effect=1.5)
    torch.testing.assert_close(more[:, 1], torch.full((market.shape[0],), 1.5))
    assert (more[:, [0, *range(2, market.shape[1])]] == 1).all()


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
        return multiple(where, seeding=fields)

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
    torch.testing.assert_close(multiple(market, coupon={}), torch.full(market.shape, COUPON.mean).exp())
    torch.testing.assert_close(kept(plan), torch.full(market.shape, 0.8))
    assert "estimated from 400 rows" in plan.notes[-1]
    assert "as it was stated" in couponed(market, effect=1.2).notes[-1]


def test_a_coupon_that_moves_nobody_costs_what_its_segment_would_have_bought(market: Market) -> None:
    plan = couponed(market, segments="keen", share=0.5, discount=0.2, effect=1.0)
    assert market.customers is not None
    bought = market.customers.known().population.mass.sum(2)
    theirs = bought[:, 1] / bought.sum(1)
    torch.testing.assert_close(coming(plan), coming(Scenario(horizon=4).plan(market)))
    torch.testing.assert_close(kept(plan), 1 - 0.2 * 0.5 * theirs)


def test_segments_make_a_whole_and_bigger_discounts_cost_more(market: Market) -> None:
    calm, keen, both = (multiple(market, coupon={"segments": s}) for s in ("calm", "keen", ["calm", "keen"]))
    torch.testing.assert_close(calm + keen - both, torch.ones(market.shape))
    less, more = (kept(couponed(market, discount=d)) for d in (0.1, 0.3))
    assert (more < less).all()
    assert (multiple(market, coupon={"share": 0.0}) == 1).all()
    assert (kept(couponed(market, share=0.0)) == 1).all()


def test_coupons_to_those_who_tell_bring_their_friends_where_these_follow() -> None:
    """A segment of whom all tell, and another whose friends they are."""
    plain, listens = town(), torch.zeros(1, 2, 1)
    listens[:, 1] = 1.0
    people = regulars(plain)
    hears = listens.expand_as(people.weight)
    people = replace(people, contagion=Contagion(1 - hears, hears, 0.5, 0.0))
    friends = replace(plain, customers=MarketCustomers(Customers(people, ACCOUNT))).remembered
    bought = people.mass.sum(2)
    own, theirs = (bought[:, k] / bought.sum(1) for k in (0, 1))
    more = multiple(friends, coupon={"segments": "calm", "effect": 1.44})
    torch.testing.assert_close(more, 1 + 0.44 * own + 0.2 * theirs)
    seeded = multiple(friends, seeding={"share": 0.3, "effect": 1.5})
    torch.testing.assert_close(seeded, 1 + 0.3 * 0.5 * theirs)


def test_what_is_shown_is_shown_in_its_window_and_beside_what_a_policy_does(market: Market) -> None:
    fields = {"slate": 99, "effect": 1.5, "window": [2, 3]}
    plan = Scenario.model_validate({"recommendation": fields, "horizon": 4}).plan(market)
    assert [one is None for one in plan.actions] == [True, False, False, True]
    coupons = Coupons(0.1, Lift.stated(2.0))
    game, state = opened(plan)
    policy = Addressing("with coupons", Pair("usual", LastPrice(), BaseStock(1.0)), coupons)
    acted = [game.enacted(policy.decide(view), view, t) for t in (0, 1) for view in [game.view(state, t)]]
    sent, shown = ([getattr(d.customers, what).max() for d in acted] for what in ("sent", "shown"))
    torch.testing.assert_close(torch.stack(sent), torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(torch.stack(shown), torch.tensor([1.0, 1.5]))


def test_what_a_coupon_gives_back_is_no_longer_earned(market: Market) -> None:
    episodes = torch.arange(3)
    brought = []
    for discount in (0.0, 0.25):
        game = Played(couponed(market, effect=1.0, discount=discount), 3, 0)
        state = game.reset(episodes)
        price = market.terms.reference_price.expand(3, -1, -1)
        decision = game.enacted(Decision(price, torch.full_like(price, 5.0)), game.view(state, 0), 0)
        brought.append(game.step(state, decision, 0)[1])
    full, less = brought
    assert torch.equal(full.sales, less.sales)
    torch.testing.assert_close(less.revenue, 0.75 * full.revenue)
    torch.testing.assert_close(full.profit - less.profit, full.revenue - less.revenue)


def test_a_strange_segment_is_refused_with_the_nearest(market: Market) -> None:
    with pytest.raises(Fault, match="segments"):
        couponed(market, segments="calmer")


def test_what_a_scenario_adds_has_no_customers_yet_and_the_others_are_reached_whatever_else_changes(
    market: Market,
) -> None:
    beside = {
        "new_item": {"name": "novelty"},
        "new_location": {"name": "branch"},
        "competitor": {"elasticity": 0.5, "fixed": 0.9},
        "demand": {"multiplier": 1.2},
        "reference": {"multiplier": 1.1},
    }
    asked = {**beside, "horizon": 4}
    with_coupons, without = (
        coming(Scenario.model_validate(one).plan(market))
        for one in ({**asked, "coupon": {"effect": 1.5}}, asked)
    )
    places, goods = market.shape
    expected = torch.ones(places + 1, goods + 1)
    expected[:places, :goods] = 1.5
    torch.testing.assert_close(with_coupons / without, expected)


def test_what_is_done_to_customers_who_are_observed_moves_nature_and_what_is_expected_alike(
    market: Market,
) -> None:
    observed = market.with_demand(ObservedDemand(market.demand, market.forgotten.demand))
    effects = {
        "recommendation": {"slate": 1, "effect": 1.5},
        "coupon": {"segments": "keen", "discount": 0.2, "effect": 1.4},
        "seeding": {"share": 0.5, "effect": 1.2},
    }
    plans = [Scenario.model_validate({**effects, "horizon": 4}).plan(one) for one in (observed, market)]
    torch.testing.assert_close(*map(kept, plans))
    price, more = market.terms.reference_price.unsqueeze(0), []
    for plan in plans:
        demand, action, (_, state) = plan.market.demand, plan.actions[0], opened(plan)
        assert action is not None
        told, _ = addressed(demand, state.demand, action, price)
        more.append(demand.expected(told, price) / demand.expected(state.demand, price))
    torch.testing.assert_close(*more)
    assert (more[0] > 1).all()
    neutral = {"recommendation": {"effect": 1}, "coupon": {"discount": 0, "effect": 1}}
    assert (multiple(observed, **neutral) == 1).all()


def test_who_observes_remembers_what_would_have_been_bought_of_what_was_not_shown(market: Market) -> None:
    seen: list[Period] = []

    class Observer(Replay):
        def advance(self, state: object, period: Period, key: NoiseKey) -> object:
            seen.append(period)
            return super().advance(state, period, key)

    observer = Observer(torch.full((9, *market.shape), 6.0), market.locations, market.items)
    demand, price = ObservedDemand(market.demand, observer), market.terms.reference_price.unsqueeze(0)
    start = torch.zeros(1, dtype=torch.int64)
    key = NoiseKey(start, start, start, start)
    state, usual = demand.reset(start, key), CustomerAction.none()
    twice, given = demand.addressed(state, replace(usual, shown=2 * usual.shown), price)
    assert not given.any()
    assert torch.equal(demand.outlook(twice).mean, 2 * demand.outlook(state).mean)
    assert torch.equal(demand.later(twice, price, 3), 2 * demand.later(state, price, 3))
    sold = torch.full_like(price, 10.0)
    after = demand.advance(twice, Period(price, sold, sold), key)
    torch.testing.assert_close(seen[0].sales, sold / 2)
    torch.testing.assert_close(seen[0].demand, sold / 2)
    assert torch.equal(demand.expected(after, price), demand.expected(state, price))
