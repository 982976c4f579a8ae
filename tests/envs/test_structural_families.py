"""Every family of true markets: misleading as claimed, played and kept alike, with its oracle."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from mercato.envs.structural import (
    FAMILIES,
    Size,
    Truth,
    demand_change,
    make_reference,
    oracle_elasticities,
    own_elasticities,
    shrunk,
    true_market,
)
from mercato.envs.structural.oracle import Estimate
from mercato.forecasters.panel import read_panel
from mercato.forecasters.simulation.demand import DemandProcess, Period
from mercato.forecasters.tensors.noise import NoiseKey

SMALL = Size(locations=3, items=6, weeks=30)
LARGE = Size(locations=20, items=10, weeks=150)
NAMES = sorted(FAMILIES)
SEEDS = (101, 202)

every_family = pytest.mark.parametrize("name", NAMES)
every_panel = pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in NAMES for seed in SEEDS])


@cache
def small(name: str) -> Truth:
    return FAMILIES[name].make(seed=7, size=SMALL)[1]


@cache
def large(name: str, seed: int) -> Truth:
    return FAMILIES[name].make(seed, LARGE)[1]


def weeks(truth: Truth):
    """All states of the history."""
    return truth.demand.rows(torch.arange(len(truth.history.price)))


def naive_elasticity(truth: Truth) -> torch.Tensor:
    """(I,) slope of log units on log price within series, one an item."""
    listed = truth.listed.float()

    def within(x: torch.Tensor) -> torch.Tensor:
        return (x - (x * listed).sum(0) / listed.sum(0).clamp(min=1)) * listed

    x, y = within(truth.history.price.log()), within(truth.history.sales.clamp(min=0.5).log())
    return (x * y).sum((0, 1)) / (x * x).sum((0, 1))


def without_seasons(demand):
    """The market where every week is an ordinary one."""
    parameters = demand.parameters
    return replace(demand, parameters=replace(parameters, season=torch.zeros_like(parameters.season)))


def key_of(markets: int, period: int = 0) -> NoiseKey:
    slot = torch.zeros(markets, dtype=torch.int64)
    return NoiseKey(11, slot, torch.arange(markets), torch.full((markets,), period))


def play(demand, price: torch.Tensor, count: int, start: int = 10):
    """States and demands of ``count`` weeks at a constant ``price`` (B, S, I)."""
    state = demand.reset(torch.full((len(price),), start), key_of(len(price)))
    states, demands = [state], []
    for week in range(count):
        key = key_of(len(price), week)
        wanted = demand.sample(state, price, key)
        state = demand.advance(state, Period(price, wanted, wanted), key)
        states.append(state)
        demands.append(wanted)
    return states, torch.stack(demands)


def test_reference_panels_stay_as_they_are():
    frame, _ = make_reference(4, Size(locations=4, items=5, weeks=30))
    again, _ = FAMILIES["log-linear"].make(4, Size(locations=4, items=5, weeks=30))
    assert frame.equals(again)
    assert frame["units"].sum() == 11440
    assert frame["stock_on_hand"].sum() == 9207
    assert frame["price"].sum() == pytest.approx(4404.133, abs=0.01)
    assert frame["censored"].sum() == pytest.approx(21.498, abs=0.01)


@every_panel
def test_naive_regression_misses(name, seed):
    truth = large(name, seed)
    assert (naive_elasticity(truth) - truth.demand.own().mean(0)).mean() > 1.2


@every_panel
def test_little_of_the_price_is_beyond_the_rule(name, seed):
    history = large(name, seed).history
    assert (history.price / history.rule_price).log().std() < 0.10


@every_panel
def test_some_weeks_are_stocked_out(name, seed):
    truth = large(name, seed)
    share = (truth.history.censored > 0)[truth.listed].float().mean()
    if name == "hours-out-of-stock":
        assert 0.3 < share < 0.7
        assert 0.01 < (truth.history.censored == 1)[truth.listed].float().mean() < 0.1
    else:
        assert 0.10 < share < 0.20


@every_panel
def test_places_differ_and_income_tells_part_of_it(name, seed):
    demand = large(name, seed).demand
    own = demand.own()
    spread = own.std(0, correction=0)
    dull = own.mean(0) > -1
    assert (spread[~dull] >= 0.3).all()
    assert (spread[dull] >= 0.13).all()
    assert np.corrcoef(demand.shop.income, own.mean(1))[0, 1] > 0.3


@every_family
def test_oracle_is_unbiased_and_knows_its_error(name):
    """About the elasticity at the prices that were charged, which is what a table can show."""
    truth = large(name, SEEDS[0])
    true = own_elasticities(truth.demand, weeks(truth), truth.history.price).nanmean(0)
    estimate = oracle_elasticities(truth.demand, truth.history)
    sold = truth.sold
    z = ((estimate.value - true) / estimate.error)[sold]
    assert abs(z.mean()) < 4 / z.numel() ** 0.5
    assert 0.85 < z.std() < 1.15
    better = (shrunk(estimate) - true)[sold].abs().mean()
    assert better < (estimate.value - true)[sold].abs().mean()
    assert bool(estimate.value[~sold].isnan().all())


@every_family
def test_meets_the_protocol_and_becomes_a_market(name):
    truth = small(name)
    assert isinstance(truth.demand, DemandProcess)
    assert truth.demand.periods == SMALL.weeks
    market = true_market(truth)
    assert (market.terms.typical_demand > 0).all()
    assert (market.terms.price_low < market.terms.price_high).all()
    assert (truth.demand.disagreement(weeks(truth), truth.history.price) == 0).all()


@every_family
def test_a_panel_is_a_function_of_its_seed_and_reads_back(name):
    frame, truth = FAMILIES[name].make(seed=7, size=SMALL)
    assert frame.equals(FAMILIES[name].make(seed=7, size=SMALL)[0])
    assert not frame["units"].equals(FAMILIES[name].make(seed=8, size=SMALL)[0]["units"])
    panel = read_panel(frame)
    assert panel.items == truth.demand.items
    assert np.array_equal(np.isfinite(panel.dense(panel.units)), truth.listed)
    assert np.allclose(panel.dense(panel.units, fill=0)[truth.listed], truth.history.sales[truth.listed])


@every_family
def test_survives_the_disk(name, tmp_path):
    truth = small(name)
    truth.save(tmp_path)
    again = Truth.load(tmp_path)
    assert type(again.demand) is type(truth.demand)
    assert torch.equal(again.history.rule_price, truth.history.rule_price)
    price = truth.demand.shop.reference_price.expand(2, -1, -1) * 0.8
    assert torch.equal(play(again.demand, price, 4)[1], play(truth.demand, price, 4)[1])


@every_family
def test_a_sub_market_keeps_its_customers(name):
    """Items left out stay at reference price, and so they do in the whole market here."""
    truth = small(name)
    places = [0, 1] if name == "switching-customers" else [0, 2]  # whose pairs tell of each other
    goods = [1, 2, 4]
    part = truth.select([truth.demand.locations[s] for s in places], [truth.demand.items[i] for i in goods])
    again = part.select(items=[truth.demand.items[i] for i in goods[1:]]).demand
    price = truth.demand.shop.reference_price.repeat(3, 1, 1)
    price[..., goods[1:]] *= 0.8
    whole = play(truth.demand, price, 5)[1]
    some = play(part.demand, price[:, places][..., goods], 5)[1]
    fewer = play(again, price[:, places][..., goods[1:]], 5)[1]
    assert torch.equal(some, whole[:, :, places][..., goods])
    assert torch.equal(fewer, whole[:, :, places][..., goods[1:]])
    own, cross = truth.demand.own(), truth.demand.cross()
    assert torch.allclose(part.demand.own(), own[places][:, goods])
    assert torch.allclose(part.demand.cross(), cross[places][:, goods][:, :, goods])
    assert torch.allclose(part.demand.level(), truth.demand.level()[places][:, goods])


@every_family
def test_moves_between_devices_whole(name):
    demand = small(name).demand.to("meta")
    price = demand.shop.reference_price.expand(2, -1, -1)
    state = demand.rows(torch.tensor([3, 4], device="meta"))
    assert demand.log_mean(state, price).device.type == "meta"


@every_family
def test_elasticities_are_the_slopes_of_demand(name):
    """Own and cross at reference prices, by differences, against what the family says of itself."""
    demand = without_seasons(small(name).demand)
    demand = replace(demand, shop=replace(demand.shop, listed=None))
    state = demand.calm(demand.rows(torch.arange(5, 25)))
    reference = demand.shop.reference_price.expand(20, -1, -1)
    assert torch.allclose(
        own_elasticities(demand, state, reference), demand.own_of(state), rtol=2e-3, atol=5e-3
    )
    assert torch.allclose(demand.outlook(state).elasticity, demand.own_of(state))
    step = 0.01
    for j in range(len(demand.items)):
        up, down = reference.clone(), reference.clone()
        up[..., j] *= np.exp(step)
        down[..., j] *= np.exp(-step)
        slope = (demand.log_mean(state, up) - demand.log_mean(state, down)) / (2 * step)
        others = [i for i in range(len(demand.items)) if i != j]
        off = slope[..., others] - demand.cross()[:, others, j]
        assert off.abs().max() < 2e-3


@every_family
@pytest.mark.parametrize("multiple", [0.85, 1.15])
def test_demand_change(name, multiple):
    """The mean of the elasticities along the way; exactly the elasticity where it does not change."""
    demand = small(name).demand
    demand = replace(demand, shop=replace(demand.shop, listed=None))
    state = demand.rows(torch.tensor([12]))
    reference = demand.shop.reference_price
    change = demand_change(demand, state, reference, multiple) / np.log(multiple)
    along = torch.zeros_like(change)
    for item in range(len(demand.items)):
        for k in range(8):
            price = reference.clone()
            price[:, item] *= multiple ** ((k + 0.5) / 8)
            along[:, item] += own_elasticities(demand, state, price.unsqueeze(0))[0, :, item] / 8
    assert torch.allclose(change, along, rtol=3e-3, atol=1e-2)
    if name not in ("nested-logit", "attraction"):
        assert torch.allclose(change, demand.own_of(state)[0], atol=1e-4)


def test_demand_change_is_that_of_the_mean():
    """Weeks count by their demand, not alike."""
    demand = small("state-dependent").demand
    state, reference = demand.rows(torch.arange(30)), demand.shop.reference_price
    usual = demand.expected(state, reference.expand(30, -1, -1))
    raised = usual * 1.1 ** demand.own_of(state)
    expected = (raised.sum(0) / usual.sum(0)).log()
    assert torch.allclose(demand_change(demand, state, reference, 1.1), expected, atol=1e-5)


def test_shrinkage_follows_the_textbook():
    """Equal errors: the variance between series is what their spread leaves over the error's."""
    rng = np.random.default_rng(0)
    value = torch.as_tensor(rng.normal(-2, 0.5, (40, 3)), dtype=torch.float32)
    error = torch.full_like(value, 0.3)
    spread = value.var(0, correction=0)
    expected = value.mean(0) + (1 - 0.09 / spread) * (value - value.mean(0))
    assert torch.allclose(shrunk(Estimate(value, error)), expected, atol=1e-4)
    assert torch.allclose(shrunk(Estimate(value, error * 1e-4)), value, atol=1e-4)
    one_wild = error.clone()
    one_wild[0] = 1e3
    assert torch.allclose(
        shrunk(Estimate(value, one_wild))[0], shrunk(Estimate(value[1:], error[1:])).mean(0), atol=0.02
    )


def test_what_is_not_listed_is_neither_wanted_nor_in_the_table():
    frame, truth = FAMILIES["partial-assortment"].make(seed=5, size=LARGE)
    listed = truth.listed
    assert 0.4 < listed.float().mean() < 0.95
    assert len(frame) == int(listed.sum())
    assert ((listed[:-1] & ~listed[1:]).any(0).sum() > 5) & ((~listed[:-1] & listed[1:]).any(0).sum() > 5)
    price = truth.demand.shop.reference_price.expand(2, -1, -1)
    _, wanted = play(truth.demand, price, 30, start=60)
    assert wanted[:, 0][~listed[60:90]].sum() == 0
    assert wanted.isfinite().all()
    assert (truth.tables()["own"].groupby("item").size() == truth.sold.sum(0).numpy()).all()


def test_hours_without_stock_are_whole_and_thin_the_day():
    frame, truth = FAMILIES["hours-out-of-stock"].make(seed=5, size=LARGE)
    hours = frame["hours_out"]
    assert hours.between(0, 16).all()
    assert (hours == hours.round()).all()
    assert np.allclose(frame["censored"], hours / 16, atol=1e-4)
    assert (frame["date"].diff().dt.days.dropna().isin([0, 1])).all()
    history = truth.history
    open_share = 1 - history.censored
    assert float(history.sales.sum() / history.demand.sum()) < 0.97
    partly = (history.censored > 0) & (history.censored < 1)
    rate = (history.sales[partly].sum() / open_share[partly].sum()) / history.demand[partly].mean()
    assert 0.7 < float(rate) < 1.3  # sales an hour open are what is wanted an hour, on busy days
