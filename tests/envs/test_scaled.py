"""Scaled customers: the mean is the multiple, noise stays monotone, a scale of one changes nothing."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from mercato.envs.processes import Independent, Poisson
from mercato.envs.processes.scaled import ScaledDemand
from mercato.forecasters.simulation.demand import Period
from mercato.forecasters.tensors.noise import NoiseKey

BASE = torch.tensor([[4.0, 9.0], [0.5, 30.0]])
REFERENCE = torch.full((2, 2), 2.0)


def customers() -> Independent:
    return Independent(
        Poisson(), BASE, reference_price=REFERENCE, elasticity=torch.tensor([[-2.0, 0.5], [0.5, -2.0]])
    )


def rng(markets: int, seed: int = 1) -> NoiseKey:
    rows = torch.arange(markets)
    return NoiseKey(seed, torch.zeros_like(rows), rows, torch.zeros_like(rows))


def price(markets: int) -> torch.Tensor:
    return REFERENCE.expand(markets, 2, 2)


def test_the_mean_is_the_multiple() -> None:
    scale = torch.tensor([[1.3, 0.7], [2.5, 1.0]])
    scaled, key = ScaledDemand(customers(), scale), rng(20_000)
    state = scaled.reset(torch.zeros(20_000, dtype=torch.int64), key)
    torch.testing.assert_close(scaled.expected(state, price(1)), (BASE * scale).unsqueeze(0))
    torch.testing.assert_close(scaled.outlook(state).mean[0], BASE * scale)
    drawn = scaled.sample(state, price(20_000), key)
    error = (BASE * scale.square()).add(0.25).div(20_000).sqrt()
    assert ((drawn.mean(0) - BASE * scale).abs() < 4 * error).all()
    assert torch.equal(drawn, drawn.round())


def test_a_scale_of_one_changes_nothing() -> None:
    process, key = customers(), rng(500)
    state = process.reset(torch.zeros(500, dtype=torch.int64), key)
    same = ScaledDemand(process, torch.ones(2, 2))
    assert torch.equal(same.sample(state, price(500), key), process.sample(state, price(500), key))


@given(st.floats(0.1, 5.0), st.floats(1.0, 2.0), st.integers(0, 1000))
def test_more_scale_never_gives_fewer_for_the_same_noise(scale: float, more: float, seed: int) -> None:
    process, key = customers(), rng(8, seed)
    state = process.reset(torch.zeros(8, dtype=torch.int64), key)
    low, high = (ScaledDemand(process, torch.full((2, 2), s)) for s in (scale, scale * more))
    assert (high.sample(state, price(8), key) >= low.sample(state, price(8), key)).all()


def test_the_process_remembers_its_own_customers() -> None:
    class Witness(Independent):
        def advance(self, state, period, key):
            self.seen = period
            return state

    witness = Witness(Poisson(), BASE)
    scaled, key = ScaledDemand(witness, torch.full((2, 2), 2.0)), rng(1)
    state = scaled.reset(torch.zeros(1, dtype=torch.int64), key)
    wanted = scaled.sample(state, price(1), key)
    scaled.advance(state, Period(price(1), wanted, wanted / 4), key)
    assert torch.equal(witness.seen.demand, witness.sample(state, price(1), key))
    torch.testing.assert_close(witness.seen.sales, wanted / 8)


def test_what_is_not_sold_is_remembered_as_it_would_have_been_wanted() -> None:
    seen = []

    class Remembering(Independent):
        def advance(self, state, period, key):
            seen.append(period)
            return super().advance(state, period, key)

    process = Remembering(Poisson(), BASE, reference_price=REFERENCE, elasticity=-2 * torch.eye(2))
    scaled, key = ScaledDemand(process, torch.tensor([[0.0, 2.0], [1.0, 1.0]])), rng(3)
    state = scaled.reset(torch.zeros(3, dtype=torch.int64), key)
    units = scaled.sample(state, price(3), key)
    assert float(units[:, 0, 0].sum()) == 0
    assert float(scaled.outlook(state).mean[0, 0, 0]) == 0
    scaled.advance(state, Period(price(3), units, units), key)
    assert torch.equal(seen[0].demand, process.sample(state, price(3), key))


def test_what_is_weighed_stays_weighed() -> None:
    class Weighed(Independent):
        def sample(self, state, price, key):
            return super().sample(state, price, key) * 0.1

    process, key = Weighed(Poisson(), BASE, reference_price=REFERENCE, elasticity=-2 * torch.eye(2)), rng(50)
    state = process.reset(torch.zeros(50, dtype=torch.int64), key)
    own = process.sample(state, price(50), key)
    assert torch.equal(ScaledDemand(process, torch.ones(2, 2)).sample(state, price(50), key), own)
    more = ScaledDemand(process, torch.full((2, 2), 1.5)).sample(state, price(50), key)
    torch.testing.assert_close(more[own != own.round()], 1.5 * own[own != own.round()])


def test_a_multiple_of_a_multiple_is_their_product() -> None:
    half = torch.full((2, 2), 0.5)
    twice, key = ScaledDemand(ScaledDemand(customers(), half), half), rng(20_000)
    drawn = twice.sample(twice.reset(torch.zeros(20_000, dtype=torch.int64), key), price(20_000), key)
    error = (BASE * 0.25).add(0.5).div(20_000).sqrt()
    assert ((drawn.mean(0) - BASE * 0.25).abs() < 4 * error).all()
