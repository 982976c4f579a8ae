"""The log-linear market: what it promises of its demand, exactly and in the mean."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mercato.envs.economics import Economics
from mercato.envs.structural import Size, Truth, make_reference, true_market
from mercato.forecasters.errors import InputError
from mercato.forecasters.simulation.demand import DemandProcess, Period
from mercato.forecasters.tensors.noise import NoiseKey


@pytest.fixture(scope="module")
def truth() -> Truth:
    return make_reference(seed=3, size=Size(locations=4, items=5, weeks=40))[1]


def key_of(markets: int, period: int = 0, seed: int = 11) -> NoiseKey:
    """One key a market: slot 0, episode numbers 0, 1, …"""
    slot = torch.zeros(markets, dtype=torch.int64)
    return NoiseKey(seed, slot, torch.arange(markets), torch.full((markets,), period))


def reference(truth: Truth, markets: int) -> torch.Tensor:
    return truth.demand.shop.reference_price.expand(markets, -1, -1)


def play(demand, price: torch.Tensor, weeks: int, start: int = 10):
    """States and demands of ``weeks`` at a constant ``price`` (B, S, I)."""
    markets = len(price)
    state = demand.reset(torch.full((markets,), start), key_of(markets))
    states, demands = [state], []
    for week in range(weeks):
        key = key_of(markets, week)
        wanted = demand.sample(state, price, key)
        state = demand.advance(state, Period(price, wanted, wanted), key)
        states.append(state)
        demands.append(wanted)
    return states, torch.stack(demands)


def test_meets_the_protocol(truth):
    assert isinstance(truth.demand, DemandProcess)
    assert truth.demand.periods == 40
    assert len(truth.demand.locations) == 4


def test_mean_is_the_equation(truth):
    """log μ term by term, written out for one series."""
    demand, p = truth.demand, truth.demand.parameters
    price = reference(truth, 1) * torch.linspace(0.8, 1.3, 20).view(1, 4, 5)
    state = demand.reset(torch.tensor([17]), key_of(1))
    s, i = 2, 3
    angle = 2 * np.pi * 17 * 7 / 365.25
    harmonics = np.array([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)])
    shift = (price[0, s] / demand.shop.reference_price[s]).log().numpy()
    expected = float(p.level[s, i]) + harmonics @ p.season[i].numpy()
    expected += float(state.series[0, s, i] + state.location[0, s] + state.chain[0])
    expected += float(p.own[s, i]) * shift[i] + p.cross[s, i].numpy() @ shift
    assert demand.log_mean(state, price)[0, s, i].item() == pytest.approx(expected, abs=1e-5)
    promoted = demand.log_mean(state, price, torch.ones_like(price)) - demand.log_mean(state, price)
    assert torch.allclose(promoted, p.lift.expand_as(promoted), atol=1e-5)


def test_sampled_mean_and_spread_are_the_expected_ones(truth):
    markets = 20_000
    demand = truth.demand
    state = demand.reset(torch.full((markets,), 5), key_of(markets))
    price = reference(truth, markets) * 1.1
    draws = demand.sample(state, price, key_of(markets)).double()
    mean = demand.expected(state, price)[0].double()
    variance = mean + demand.parameters.dispersion * mean**2
    error = (variance / markets).sqrt()
    assert ((draws.mean(0) - mean).abs() < 4.5 * error + 0.002 * mean).all()
    assert torch.allclose(draws.var(0), variance, rtol=0.06)


def test_outlook_is_exact_at_reference_price(truth):
    demand = truth.demand
    state = demand.reset(torch.tensor([0, 40]), key_of(2))
    outlook = demand.outlook(state)
    assert torch.equal(outlook.mean, demand.expected(state, reference(truth, 2)))
    variance = outlook.mean + demand.parameters.dispersion * outlook.mean**2
    assert torch.allclose(outlook.spread, variance.sqrt() / outlook.mean)


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_response_to_one_price_is_the_elasticity(truth, factor):
    demand = truth.demand
    state = demand.reset(torch.tensor([7]), key_of(1))
    base = reference(truth, 1)
    for i in range(5):
        moved = base.clone()
        moved[..., i] *= factor
        response = (demand.expected(state, moved) / demand.expected(state, base)).log()[0] / np.log(factor)
        assert torch.allclose(response[:, i], demand.own()[:, i], atol=1e-4)
        others = [j for j in range(5) if j != i]
        assert torch.allclose(response[:, others], demand.cross()[:, others, i], atol=1e-4)


def test_expected_is_differentiable_in_price(truth):
    state = truth.demand.reset(torch.tensor([7]), key_of(1))
    price = reference(truth, 1).clone().requires_grad_()
    mean = truth.demand.expected(state, price)
    (slope,) = torch.autograd.grad(mean[0, 0, 0], price)
    own = slope[0, 0, 0] * price[0, 0, 0] / mean[0, 0, 0]
    assert own.item() == pytest.approx(truth.demand.own()[0, 0].item(), abs=1e-4)


@given(st.floats(0.5, 2.0), st.floats(1.0, 2.0), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_a_lower_price_never_sells_less(truth, factor, cheaper, seed):
    demand = truth.demand
    state = demand.reset(torch.zeros(3, dtype=torch.int64), key_of(3))
    dear = reference(truth, 3) * factor
    cheap = dear.clone()
    cheap[..., 1] /= cheaper
    key = key_of(3, seed=seed)
    more, fewer = demand.sample(state, cheap, key), demand.sample(state, dear, key)
    assert (more[..., 1] >= fewer[..., 1]).all()
    assert (more[..., 0] <= fewer[..., 0]).all()  # a cheaper substitute takes customers, it brings none


def test_shocks_go_on_from_the_history(truth):
    """In the mean over fresh noise, next week's shock is ρ times the one that the history ended with."""
    demand, p = truth.demand, truth.demand.parameters
    markets = 4000
    last = demand.reset(torch.full((markets,), 40), key_of(markets))
    assert torch.equal(last.location[0], demand.realised.location[40])
    assert (last.location == last.location[0]).all()
    price = reference(truth, markets)
    after = demand.advance(last, Period(price, price, price), key_of(markets))
    for law, now, then in (
        (p.shocks.series, last.series, after.series),
        (p.shocks.location, last.location, after.location),
        (p.shocks.chain, last.chain, after.chain),
    ):
        step = law.spread * (1 - law.persistence**2) ** 0.5
        assert torch.allclose(then.mean(0), law.persistence * now[0], atol=5 * step / markets**0.5)
        assert torch.allclose(then.std(0), torch.tensor(step), rtol=0.08)
    assert (after.week == 41).all()


def test_history_is_one_path_of_the_market(truth):
    """The realised shocks move from week to week by innovations of the stated size."""
    p, r = truth.demand.parameters, truth.demand.realised
    step = r.series[1:] - p.shocks.series.persistence * r.series[:-1]
    expected = p.shocks.series.spread * (1 - p.shocks.series.persistence**2) ** 0.5
    assert step.std().item() == pytest.approx(expected, rel=0.1)
    assert r.week.tolist() == list(range(41))


def test_same_seed_and_other_prices_meet_the_same_shocks(truth):
    base = reference(truth, 2)
    states, demands = play(truth.demand, base, 6)
    other_states, other_demands = play(truth.demand, base * 0.8, 6)
    for state, other in zip(states, other_states, strict=True):
        assert torch.equal(state.series, other.series)
        assert torch.equal(state.location, other.location)
        assert torch.equal(state.chain, other.chain)
    assert (other_demands >= demands).all()  # every own elasticity outweighs its cross terms
    assert not torch.equal(states[-1].series[0], states[-1].series[1])  # episodes differ


def test_a_sub_market_keeps_its_customers(truth):
    """Items left out stay at reference price, and so they do in the whole market here."""
    demand = truth.demand
    part = demand.select([demand.locations[3], demand.locations[1]], [demand.items[2], demand.items[4]])
    assert part.locations == (demand.locations[1], demand.locations[3])
    price = reference(truth, 3)
    price = torch.where(torch.tensor([False, False, True, False, True]), price * 0.9, price)
    whole_states, whole = play(demand, price, 5)
    part_states, some = play(part, price[:, [1, 3]][:, :, [2, 4]], 5)
    assert torch.equal(some, whole[:, :, [1, 3]][..., [2, 4]])
    assert torch.equal(part_states[-1].series, whole_states[-1].series[:, [1, 3]][:, :, [2, 4]])


def test_sub_market_of_an_unknown_name(truth):
    with pytest.raises(InputError, match="nowhere"):
        truth.select(["nowhere"])


def test_a_truth_is_shown_in_one_line(truth):
    assert repr(truth) == "Truth(locations=4, items=5, periods=40, demand=LogLinearDemand)"


def test_truth_survives_the_disk(truth, tmp_path):
    truth.save(tmp_path / "a.truth")
    again = Truth.load(tmp_path / "a.truth")
    assert again.demand.shop.locations == truth.demand.shop.locations
    assert again.demand.parameters.shocks.chain == truth.demand.parameters.shocks.chain
    assert torch.equal(again.history.sales, truth.history.sales)
    price = reference(truth, 2) * 1.2
    assert torch.equal(play(again.demand, price, 4)[1], play(truth.demand, price, 4)[1])


def test_a_broken_truth_is_one_clear_error(truth, tmp_path):
    with pytest.raises(
        InputError, match=r"expected the truth of a panel, found that truth\.json cannot be read"
    ):
        Truth.load(tmp_path)
    truth.save(tmp_path)
    tensors = tmp_path / "truth.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:100])
    with pytest.raises(InputError, match=r"truth\.safetensors is damaged or another market's"):
        Truth.load(tmp_path)


def test_a_truth_replaces_a_truth_and_nothing_else(truth, tmp_path):
    truth.save(tmp_path / "a.truth")
    truth.save(tmp_path / "a.truth")
    assert [path.name for path in tmp_path.iterdir()] == ["a.truth"]
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(InputError, match="expected a truth folder to replace"):
        truth.save(tmp_path / "letters")


def test_true_market_terms(truth):
    market = true_market(truth, Economics(lead_time=2))
    terms = market.terms
    assert market.shape == (4, 5)
    assert market.economics.lead_time == 2
    assert (terms.price_low < terms.reference_price).all()
    assert (terms.reference_price < terms.price_high).all()
    inside = (truth.history.price >= terms.price_low) & (truth.history.price <= terms.price_high)
    assert inside.float().mean().item() == pytest.approx(0.95, abs=0.01)
    assert torch.equal(market.logged_price, truth.history.price)
    assert len(market.dates) == market.demand.periods
    states = truth.demand.realised
    average = truth.demand.expected(states, terms.reference_price.expand(41, 4, 5)).mean(0)
    assert torch.allclose(terms.typical_demand, average)


def test_moves_between_devices_whole(truth):
    """On the meta device nothing may be left behind."""
    moved = truth.demand.to("meta")
    assert moved.parameters.own.device.type == "meta"
    assert moved.shop.reference_price.device.type == "meta"
    assert moved.realised.chain.device.type == "meta"
    assert replace(moved, realised=truth.demand.realised).periods == 40
