"""Demand processes: their distributions, their monotony in the mean, and what an observer gets to see."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson
from torch import Tensor

from mercato.envs.processes import (
    DiscreteWeibull,
    Geometric,
    Independent,
    NegativeBinomial,
    ObservedDemand,
    Poisson,
    Replay,
)
from mercato.forecasters.errors import InputError
from mercato.forecasters.simulation.demand import DemandProcess, Period
from mercato.forecasters.tensors.noise import NoiseKey

BY_INVERSE = (Poisson(), Geometric(), DiscreteWeibull(0.6), DiscreteWeibull(2.5))


def key(n_markets: int = 1, period: int = 0, seed: int = 0) -> NoiseKey:
    zeros = torch.zeros(n_markets, dtype=torch.int64)
    return NoiseKey(seed, torch.arange(n_markets), zeros, zeros + period)


def discrete_weibull(shape: float, mean: float) -> scipy.stats.rv_discrete:
    """P(D >= k) = q^(k^β), q by root finding on the sum that the mean is, as a table of probabilities."""
    k = np.arange(20_000)

    def survival(log_rate: float) -> np.ndarray:
        return np.exp(-np.exp(log_rate) * k**shape)

    log_rate = scipy.optimize.brentq(lambda x: survival(x)[1:].sum() - mean, -15, 3, xtol=1e-13)
    probability = -np.diff(survival(log_rate), append=0.0)
    return scipy.stats.rv_discrete(values=(k, probability))()


@pytest.mark.parametrize("mean", [0.3, 5.0, 40.0])
@pytest.mark.parametrize(
    ("counts", "law"),
    [
        (Poisson(), lambda m: scipy.stats.poisson(m)),
        (Geometric(), lambda m: scipy.stats.geom(1 / (1 + m), loc=-1)),
        (DiscreteWeibull(0.7), lambda m: discrete_weibull(0.7, m)),
        (DiscreteWeibull(1.6), lambda m: discrete_weibull(1.6, m)),
        (NegativeBinomial(1.5), lambda m: scipy.stats.nbinom(1.5, 1.5 / (1.5 + m))),
    ],
)
def test_counts_follow_their_law(counts, law, mean: float) -> None:
    draws = 40_000
    process = Independent(counts, torch.full((1, 1), mean))
    state = process.reset(torch.zeros(draws, dtype=torch.int64), key(draws))
    sample = process.sample(state, torch.ones(draws, 1, 1), key(draws)).flatten().numpy()
    truth = law(mean)
    for count in range(int(truth.ppf(0.999)) + 1):
        probability = truth.cdf(count)
        error = (probability * (1 - probability) / draws) ** 0.5
        assert abs((sample <= count).mean() - probability) < 5 * error + 1e-4
    spread = process.outlook(state).spread[0].item()
    assert spread == pytest.approx(truth.std() / truth.mean(), rel=1e-4)
    assert truth.mean() == pytest.approx(mean, rel=1e-6)


@given(
    uniform=st.floats(2**-24, 1 - 2**-24, width=32),
    means=st.tuples(st.floats(0, 500, width=32), st.floats(0, 500, width=32)),
)
def test_a_higher_mean_never_gives_less_for_the_same_noise(
    uniform: float, means: tuple[float, float]
) -> None:
    low, high = sorted(means)
    for counts in BY_INVERSE:
        quantiles = counts.quantile(torch.tensor([uniform, uniform]), torch.tensor([low, high]))
        assert torch.isfinite(quantiles).all()
        assert quantiles[0] <= quantiles[1]
        assert (quantiles == quantiles.round()).all()


def test_a_higher_mean_never_gives_less_of_a_negative_binomial_either() -> None:
    means, family = torch.tensor([0.0, 0.2, 3.0, 3.1, 11.9, 12.1, 80.0]), NegativeBinomial(0.8)
    counts = torch.stack([family.sample(mean, key(2000), torch.arange(9)) for mean in means])
    assert (counts.diff(dim=0) >= 0).all()
    assert (counts[0] == 0).all()


def test_a_discrete_weibull_of_shape_one_is_geometric() -> None:
    uniform, mean = torch.linspace(1e-4, 1 - 1e-4, 997), torch.tensor([[0.0], [0.2], [3.0], [50.0]])
    same = DiscreteWeibull(1.0).quantile(uniform, mean) == Geometric().quantile(uniform, mean)
    assert same.float().mean() > 0.999  # but for roundings where a count is just reached
    spreads = DiscreteWeibull(1.0).spread(mean[1:, 0]), Geometric().spread(mean[1:, 0])
    assert spreads[0].tolist() == pytest.approx(spreads[1].tolist(), rel=1e-4)


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("mean", [0.01, 0.4, 2.7, 25.0, 4000.0])
def test_a_discrete_weibull_has_the_mean_it_is_asked_for(shape: float, mean: float) -> None:
    evenly = (torch.arange(2**19, dtype=torch.float64) + 0.5) * 2.0**-19
    counts = DiscreteWeibull(shape).quantile(evenly, torch.tensor(mean, dtype=torch.float64))
    assert counts.mean().item() == pytest.approx(mean, rel=1e-3)


def test_a_family_says_what_its_parameter_may_be() -> None:
    with pytest.raises(InputError, match="expected a shape of"):
        DiscreteWeibull(0)
    with pytest.raises(InputError, match="expected a dispersion above 0, found -1"):
        NegativeBinomial(-1)


def test_uniforms_stay_inside_the_open_interval() -> None:
    ids = torch.arange(2**21)
    for seed in range(16):  # 2^25 draws, enough to meet every rounding of a float32
        uniform = key(seed=seed).uniform(ids, 0)
        assert uniform.min() > 0
        assert uniform.max() < 1


def test_prices_move_the_mean_by_the_elasticities() -> None:
    elasticity = torch.tensor([[-3.0, 1.0], [0.5, -2.0]])
    reference = torch.tensor([[2.0, 4.0]])
    process = Independent(
        Poisson(), torch.tensor([[10.0, 20.0]]), reference_price=reference, elasticity=elasticity
    )
    state = process.reset(torch.zeros(1, dtype=torch.int64), key())
    mean = process.expected(state, torch.tensor([[[4.0, 4.0]]]))[0, 0]
    assert mean.tolist() == pytest.approx([10 * 2**-3, 20 * 2**0.5])
    assert process.outlook(state).elasticity[0, 0].tolist() == [-3.0, -2.0]


def test_elasticities_need_reference_prices() -> None:
    with pytest.raises(InputError, match="expected reference prices beside elasticities"):
        Independent(Poisson(), torch.ones(1, 1), elasticity=-torch.eye(1))


def test_a_replay_plays_the_record_whatever_is_charged() -> None:
    units = torch.tensor([[[3.0]], [[5.0]], [[10.0]]])
    process = Replay(units, ("shop",), ("tea",))
    state, played = process.reset(torch.tensor([1, 2]), key(2)), []
    for price in (1.0, 50.0, 3.0):
        prices = torch.full((2, 1, 1), price)
        assert (process.expected(state, prices) == 6.0).all()
        demand = process.sample(state, prices, key(2))
        played.append(demand.flatten().tolist())
        state = process.advance(state, Period(prices, demand, demand), key(2))
    assert played == [[5.0, 10.0], [10.0, 3.0], [3.0, 5.0]]


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (torch.ones(3, 2, 1), "expected units of shape"),
        (torch.full((3, 1, 1), np.nan), "negative or unknown"),
        (-torch.ones(3, 1, 1), "negative or unknown"),
    ],
)
def test_a_replay_refuses_what_it_cannot_play(units: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Replay(units, ("shop",), ("tea",))


def test_the_observer_sees_sales_and_that_stock_ran_out_but_not_what_was_wanted() -> None:
    nature, seen = Independent(Poisson(), torch.full((1, 1), 50.0)), []

    class Observer(Replay):
        def advance(self, state, period: Period, key: NoiseKey):
            seen.append(period)
            return super().advance(state, period, key)

    observer = Observer(torch.full((9, 1, 1), 6.0), nature.locations, nature.items)
    market = ObservedDemand(nature, observer)
    state = market.reset(torch.zeros(3, dtype=torch.int64), key(3))
    price = torch.ones(3, 1, 1)
    assert (market.outlook(state).mean == 6).all()
    assert (market.expected(state, price) == 6).all()
    assert torch.equal(market.sample(state, price, key(3)), nature.sample(state.nature, price, key(3)))
    demand, sales = (torch.tensor(x).view(3, 1, 1) for x in ([50.0, 50.0, 4.0], [2.0, 9.0, 4.0]))
    after = market.advance(state, Period(price, demand, sales), key(3))
    assert torch.equal(seen[0].sales, sales)
    beyond = [
        6 * poisson.sf(n - 2, 6) / poisson.sf(n - 1, 6) for n in (3, 10)
    ]  # E[D | D >= n], D ~ Poisson(6)
    assert seen[0].demand.flatten().tolist() == pytest.approx([*beyond, 4.0], rel=1e-3)
    assert after.observer.index.tolist() == [1, 1, 1]


def test_nature_and_observer_must_name_the_same_series() -> None:
    nature = Independent(Poisson(), torch.ones(1, 1))
    with pytest.raises(InputError, match="same locations and items"):
        ObservedDemand(nature, Replay(torch.ones(1, 1, 1), ("elsewhere",), nature.items))


def test_all_meet_the_protocol_and_move_to_a_device() -> None:
    nature = Independent(
        Geometric(), torch.ones(1, 2), reference_price=torch.ones(1, 2), elasticity=-torch.eye(2)
    )
    replay = Replay(torch.ones(4, 1, 2), nature.locations, nature.items)
    for process in (nature, replay, ObservedDemand(nature, replay)):
        assert isinstance(process, DemandProcess)
        moved = process.to("cpu")
        assert (moved.locations, moved.items, moved.periods) == (
            process.locations,
            process.items,
            process.periods,
        )
