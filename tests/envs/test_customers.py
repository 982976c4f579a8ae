"""A market whose customers leave: untouched it changes nothing, an empty shelf costs more than a sale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from regulars import LEAVING, certain, regulars, with_regulars
from small_markets import make_market
from untrained import untrained_market

from mercato.agents.baselines.orders import FixedCover
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.evaluation import evaluate
from mercato.agents.learner import Validation
from mercato.agents.policy import Pair
from mercato.agents.train import DQNSettings, PPOSettings, train_dqn, train_ppo
from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.processes import CustomerMarket
from mercato.envs.simulator import Simulator
from mercato.forecasters.customers import CustomerAction
from mercato.forecasters.errors import InputError
from mercato.forecasters.simulation import DemandProcess, Period
from mercato.forecasters.tensors import NoiseKey

MARKETS = 4


@cache
def shop(moved_by: str = "unsure") -> Market:
    where = make_market(2, 3, elasticity=-2 * torch.eye(3) + 0.1)
    return with_regulars(where, moved_by=LEAVING if moved_by == "unsure" else certain())


def demand(moved_by: str = "unsure") -> CustomerMarket:
    process = shop(moved_by).demand
    assert isinstance(process, CustomerMarket)
    return process


def key(period: int = 0, seed: int = 5, markets: int = MARKETS) -> NoiseKey:
    rows = torch.arange(markets)
    return NoiseKey(seed, torch.zeros_like(rows), rows, torch.full_like(rows, period))


def opened(process: DemandProcess, seed: int = 5, markets: int = MARKETS):
    return process.reset(torch.zeros(markets, dtype=torch.int64), key(0, seed, markets))


def treated(
    process: DemandProcess,
    periods: int,
    served: float | torch.Tensor,
    multiple: float = 1.0,
    seed: int = 5,
    markets: int = MARKETS,
):
    """The state after periods in which a share of every demand is served, at a multiple of usual prices."""
    state = opened(process, seed, markets)
    price = (process.reference * multiple).expand(markets, -1, -1)
    wanted = torch.full_like(price, 100.0)
    for period in range(periods):
        state = process.advance(state, Period(price, wanted, wanted * served), key(period, seed, markets))
    return state


def shown(lift: torch.Tensor) -> CustomerAction:
    return replace(CustomerAction.none(), shown=lift)


def as_usual(process: CustomerMarket) -> torch.Tensor:
    return 1 - process.population.usual_stock_out


@given(st.floats(0.3, 3.0))
@settings(deadline=None, max_examples=30)
def test_untouched_customers_change_nothing_at_any_price(multiple: float) -> None:
    process = demand()
    price = process.reference.expand(MARKETS, -1, -1) * multiple
    for state in (opened(process), treated(process, 6, as_usual(process))):
        assert (process.multiplier(state, price) - 1).abs().max() < 1e-6
        inner = process.process
        torch.testing.assert_close(process.expected(state, price), inner.expected(state.process, price))
        assert torch.equal(process.sample(state, price, key()), inner.sample(state.process, price, key()))
    told, plain = process.outlook(state), process.process.outlook(state.process)
    torch.testing.assert_close(told.mean, plain.mean)
    torch.testing.assert_close(told.elasticity, plain.elasticity, atol=1e-5, rtol=0)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.integers(1, 8), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_more_stock_outs_never_raise_later_demand(one: float, other: float, periods: int, seed: int) -> None:
    process, (less, more) = demand(), sorted((one, other))
    low, high = (treated(process, periods, served, seed=seed) for served in (less, more))
    price = process.reference.expand(MARKETS, -1, -1)
    assert (process.expected(low, price) <= process.expected(high, price) + 1e-5).all()
    assert (process.sample(low, price, key(9)) <= process.sample(high, price, key(9))).all()


def test_dear_prices_drive_customers_away_and_kept_ones_come_back() -> None:
    process = demand("certain")
    usual, dear = (treated(process, 8, as_usual(process), multiple) for multiple in (1.0, 1.3))
    assert (dear.excess[..., :-1] < usual.excess[..., :-1]).all()
    price = process.reference.expand(MARKETS, -1, -1)
    lost = process.multiplier(dear, price)
    state, wanted = dear, torch.full_like(price, 10.0)
    for period in range(200):
        state = process.advance(state, Period(price, wanted, wanted * as_usual(process)), key(period))
    assert ((1 - process.multiplier(state, price)) < 0.1 * (1 - lost)).all()


def test_the_hazard_is_the_stated_one() -> None:
    """One period by hand: a visitor of logit θ who misses all leaves with chance σ(θ + β·(1 − usual))."""
    process = demand("certain")
    people = process.population
    state = treated(process, 1, 0.0)
    usual = (people.taste * people.usual_stock_out[:, None, None]).sum(-1) / people.basket
    hazard, before = (people.leaving + 3.0 * (1 - usual)).sigmoid(), people.leaving.sigmoid()
    staying = 1 - people.visit + people.visit * (1 - hazard) / (1 - before)
    kept = (1 - people.visit * before) * (1 - 0.01)
    torch.testing.assert_close(state.excess[0], (staying - 1) * kept)


def test_the_mean_is_that_of_customers_who_each_come_and_leave() -> None:
    """A thousand markets of customers drawn one by one against the weights."""
    process, rng = demand("certain"), torch.Generator().manual_seed(0)
    people, periods, runs = process.population, 5, 2000
    hazard = (people.leaving + 3.0 * (0.5 - _usual(process))).sigmoid()
    before = people.leaving.sigmoid()
    left = torch.ones(runs, *before.shape)
    for _ in range(periods):
        comes = torch.rand(left.shape, generator=rng) < people.visit
        left = torch.where(comes, left * (1 - hazard) / (1 - before), left)
        left = 1 + (left - 1) * (1 - people.visit * before) * 0.99
    state = treated(process, periods, 0.5)
    error = left.std(0) / runs**0.5
    assert ((left.mean(0) - 1 - state.excess[0]).abs() < 5 * error + 1e-6).all()


def _usual(process: CustomerMarket) -> torch.Tensor:
    people = process.population
    return (people.taste * people.usual_stock_out[:, None, None]).sum(-1) / people.basket


def test_demand_is_smooth_in_price() -> None:
    process = demand("certain")
    state = treated(process, 5, 0.4)
    price = (1.1 * process.reference).expand(MARKETS, -1, -1).clone().requires_grad_()
    told = process.expected(state, price)
    (slope,) = torch.autograd.grad(told[..., 0].sum(), price)
    step = 5e-3
    up, down = (process.expected(state, price.detach() + d)[..., 0].sum(1) for d in (step, -step))
    assert slope.isfinite().all()
    torch.testing.assert_close(slope.sum((1, 2)), (up - down) / (2 * step), rtol=1e-3, atol=1e-2)


def test_who_stays_minds_prices_as_the_ones_who_stayed_do() -> None:
    """Own elasticity moves towards the segment that is left, by the outlook as by differences."""
    process = demand("certain")
    state = treated(process, 10, 0.3)
    price, step = process.reference.expand(MARKETS, -1, -1), 1e-3
    up, down = (process.multiplier(state, price * (1 + d)).log() for d in (step, -step))
    moved = process.outlook(state).elasticity - process.process.outlook(state.process).elasticity
    torch.testing.assert_close((up - down) / (2 * step), moved, atol=1e-3, rtol=1e-2)


def test_an_episodes_customers_are_a_function_of_its_key() -> None:
    process = demand()
    one, again, other = (treated(process, 3, 0.5, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(one.excess, again.excess)
    assert not torch.equal(one.effect, other.effect)
    assert one.effect[:, 0].std() > 0
    many = opened(process, markets=4000).effect
    torch.testing.assert_close(many.mean(0), torch.tensor([3.0, 1.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(many.std(0), torch.tensor([0.5, 0.2]), atol=0.03, rtol=0)


def test_a_sub_market_keeps_its_customers() -> None:
    """What is left out stays as usual, in the whole market here, too."""
    process = demand("certain")
    part = process.select(["location 2"], ["item 1", "item 3"])
    served = as_usual(process).clone()
    served[1, [0, 2]] = 0.4
    whole = treated(process, 4, served)
    some = treated(part, 4, 0.4)
    torch.testing.assert_close(some.excess, whole.excess[:, 1:])
    price = process.reference.expand(MARKETS, -1, -1)
    told = process.expected(whole, price)[:, 1:][..., [0, 2]]
    torch.testing.assert_close(part.expected(some, price[:, 1:][..., [0, 2]]), told)


def test_it_moves_between_devices_and_in_the_calendar_as_its_process() -> None:
    process = demand()
    there = process.to("meta")
    assert there.population.taste.device.type == "meta"
    assert there.reference.device.type == "meta"
    fitted = with_regulars(untrained_market(2, 3)).demand
    assert isinstance(fitted, CustomerMarket)
    state = treated(fitted, 2, 0.5)
    on = fitted.shifted(state, 3)
    assert torch.equal(on.process.date, state.process.date + 3)
    assert torch.equal(on.excess, state.excess)


def test_later_periods_forget() -> None:
    process = demand("certain")
    state = treated(process, 10, 0.2)
    price = process.reference.expand(MARKETS, -1, -1)
    assert torch.equal(process.later(state, price, 1), process.expected(state, price))
    told, played, on = process.later(state, price, 6), torch.zeros_like(price), state
    wanted = torch.full_like(price, 10.0)
    for period in range(6):
        played = played + process.expected(on, price)
        on = process.advance(on, Period(price, wanted, wanted * as_usual(process)), key(period))
    torch.testing.assert_close(told, played, rtol=1e-4, atol=0)


def test_doubt_grows_with_how_far_customers_were_treated_otherwise() -> None:
    process = demand()
    price = process.reference.expand(MARKETS, -1, -1)
    near, far = (process.disagreement(treated(process, n, 0.3), price) for n in (1, 8))
    assert (process.disagreement(opened(process), price) == 0).all()
    assert (far > near).all()
    assert (demand("certain").disagreement(treated(demand("certain"), 8, 0.3), price) == 0).all()


def test_what_is_shown_lifts_what_its_customers_buy() -> None:
    """Shown to everybody by a tenth more; to one segment, by its share of the item; and to nobody."""
    process = demand("certain")
    price, taste = process.reference.expand(MARKETS, -1, -1), process.population.taste
    everybody, given = process.addressed(opened(process), shown(torch.full_like(taste, 1.1)), price)
    torch.testing.assert_close(
        process.multiplier(everybody, price), torch.full_like(price, 1.1), atol=1e-5, rtol=0
    )
    assert (given == 0).all()
    lift = torch.ones_like(taste)
    lift[:, 1, :, 2] = 1.5
    bought = (process.population.weight.unsqueeze(-1) * taste).sum(2)
    share = bought[:, 1, 2] / bought[:, :, 2].sum(1)
    told = process.multiplier(process.addressed(opened(process), shown(lift), price)[0], price)
    torch.testing.assert_close(told[0, :, 2], 1 + 0.5 * share)
    torch.testing.assert_close(told[..., :2], torch.ones(MARKETS, 2, 2))
    kept = treated(process, 4, 0.3)
    more = process.addressed(kept, shown(lift), price)[0]
    assert (process.multiplier(more, price)[..., 2] > process.multiplier(kept, price)[..., 2]).all()


def test_a_coupon_multiplies_its_segment_and_takes_its_part_of_what_that_pays() -> None:
    process = demand("certain")
    price, usual = process.reference.expand(MARKETS, -1, -1), process.population.mass.sum(2)
    sent, given = torch.ones(1, 1, 2, 1), torch.zeros(1, 1, 2, 1)
    sent[:, :, 1], given[:, :, 1] = 1.4, 0.2
    action = replace(CustomerAction.none(), sent=sent, given=given)
    state, back = process.addressed(opened(process), action, price)
    bought = usual[:, 0] + 1.4 * usual[:, 1]
    torch.testing.assert_close(process.multiplier(state, price)[0], bought / usual.sum(1))
    torch.testing.assert_close(back[0], 0.2 * 1.4 * usual[:, 1] / bought)
    twice, more = process.addressed(opened(process), action.with_(action), price)
    bought = usual[:, 0] + 1.4**2 * usual[:, 1]
    torch.testing.assert_close(process.multiplier(twice, price)[0], bought / usual.sum(1))
    torch.testing.assert_close(more[0], (1 - 0.8**2) * 1.4**2 * usual[:, 1] / bought)


def test_who_is_not_known_is_shown_and_sent_nothing() -> None:
    """Of what half the units bring that known customers buy, and of revenue that half of what a coupon would
    take, were all of them known, to the larger demand."""
    whole = demand("certain")
    half = replace(whole.population, known=torch.full_like(whole.population.known, 0.5))
    process = CustomerMarket(whole.process, half, whole.reference)
    price = process.reference.expand(MARKETS, -1, -1)
    sent, given = torch.full((1, 1, 1, 1), 1.4), torch.full((1, 1, 1, 1), 0.2)
    state, back = process.addressed(
        opened(process), replace(CustomerAction.none(), sent=sent, given=given), price
    )
    torch.testing.assert_close(process.multiplier(state, price), torch.full_like(price, 1.2))
    torch.testing.assert_close(back, torch.full_like(price, 0.2 * 0.7 / 1.2))
    lift = torch.full_like(half.taste, 1.5)
    state, _ = process.addressed(opened(process), shown(lift), price)
    torch.testing.assert_close(
        process.multiplier(state, price), torch.full_like(price, 1.25), atol=1e-5, rtol=0
    )


def test_what_is_done_to_customers_is_of_one_period_and_nobody_treated_otherwise_is_as_ever() -> None:
    process = demand("certain")
    price = process.reference.expand(MARKETS, -1, -1)
    start = opened(process)
    same, given = process.addressed(start, CustomerAction.none(), price)
    assert (process.multiplier(same, price) == 1).all()
    assert (given == 0).all()
    told = process.addressed(start, shown(torch.full_like(process.population.taste, 1.5)), price)[0]
    torch.testing.assert_close(process.later(told, price, 3), 1.5 * process.later(start, price, 3))
    served = as_usual(process)
    wanted = process.sample(told, price, key())
    after = process.advance(told, Period(price, wanted, wanted * served), key())
    torch.testing.assert_close(process.multiplier(after, price), torch.ones_like(price), atol=1e-5, rtol=0)


def test_a_shop_without_known_customers_sells_as_before() -> None:
    where = make_market(2, 3)
    people = regulars(where)
    nobody = CustomerMarket(
        where.demand, replace(people, weight=people.weight * 0), where.terms.reference_price
    )
    state = treated(nobody, 5, 0.0)
    price = nobody.reference.expand(MARKETS, -1, -1)
    assert (nobody.multiplier(state, price) == 1).all()
    assert torch.equal(nobody.outlook(state).mean, where.demand.outlook(state.process).mean)


def test_customers_of_another_market_are_refused() -> None:
    where, other = make_market(2, 3), make_market(2, 4)
    with pytest.raises(InputError, match="expected the 2 locations and 3 items"):
        CustomerMarket(where.demand, regulars(other), where.terms.reference_price)


@pytest.mark.parametrize("make", [lambda: make_market(2, 2, elasticity=-2 * torch.eye(2)), untrained_market])
def test_an_empty_shop_loses_its_customers(make: Callable[[], Market]) -> None:
    """Two policies before the same customers: one orders nothing for ten periods, then both order plenty."""
    where = with_regulars(make())
    simulator, profits = Simulator(where, 3, 20, 1), []
    price = where.terms.reference_price.expand(3, -1, -1)
    for order in (0.0, 60.0):
        state = simulator.reset()
        for period in range(20):
            plenty = torch.full_like(price, order if period < 10 else 60.0)
            state, outcome = simulator.step(state, Decision(price, plenty))
            if period == 14:
                profits.append(outcome.demand.sum())
    assert profits[0] < 0.85 * profits[1]


BRIEF = Validation(times=1, episodes=2, horizon=4)


def test_learners_and_adapters_play_it_as_it_is() -> None:
    where = with_regulars(make_market(2, 2, elasticity=-2 * torch.eye(2)))
    env = MarketplaceEnv(where, horizon=5)
    seen, _ = env.reset(seed=1)
    assert env.observation_space.contains(seen)
    assert env.step(env.action_space.sample())[0].shape == seen.shape
    base = Pair("short", LastPrice(), FixedCover(1.0))
    brief = {"markets": 2, "horizon": 8, "hidden": (8,), "validation": BRIEF}
    ppo = train_ppo(where, PPOSettings(steps=500, rollout=8, **brief), 0, base=base)
    dqn = train_dqn(where, DQNSettings(steps=500, warm_up=100, batch=64, **brief), 0, base=base)
    played = evaluate(where, [ppo.named("ppo"), dqn.named("dqn"), base], 4, 8, seed=0)
    assert np.isfinite(np.array(list(played.values["profit"]))).all()
