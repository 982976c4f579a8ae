"""What a demand process expects of several periods together."""

from __future__ import annotations

import pytest
import torch

from mercato.envs.processes import Independent, ObservedDemand, Poisson, Replay
from mercato.envs.processes.joined import Joined, Namesake
from mercato.envs.processes.perceived import PerceivedPrice
from mercato.envs.processes.rivalled import RivalledDemand
from mercato.envs.processes.rivals import Follower
from mercato.envs.processes.scaled import ScaledDemand
from mercato.envs.processes.wrapped import Wrapped
from mercato.envs.structural import FAMILIES, Size
from mercato.forecasters.simulation.demand import DemandProcess, Period
from mercato.forecasters.tensors import NoiseKey

PERIODS = 4


def key(markets: int, period: int) -> NoiseKey:
    zeros = torch.zeros(markets, dtype=torch.int64)
    return NoiseKey(7, torch.arange(markets), zeros, zeros + period)


def simulated(process: DemandProcess, start: int, factor: float, markets: int) -> torch.Tensor:
    """(S, I) mean demand of the periods together, over markets that go on as they may."""
    state = process.reset(torch.full((1,), start), key(1, 0))
    first = process.outlook(state).mean
    state = process.reset(torch.full((markets,), start), key(markets, 0))
    price, total = (process.shop.reference_price * factor).expand(markets, -1, -1), torch.zeros_like(first[0])
    for period in range(PERIODS):
        total = total + process.expected(state, price).mean(0)
        units = process.sample(state, price, key(markets, period))
        state = process.advance(state, Period(price, units, units), key(markets, period))
    return total


@pytest.mark.parametrize("kind", ["log-linear", "nested-logit", "stockpiling"])
@pytest.mark.parametrize("factor", [1.0, 0.8])
def test_a_true_market_expects_what_it_brings_on_average(kind: str, factor: float) -> None:
    process = FAMILIES[kind].make(seed=2, size=Size(2, 3, 30))[1].demand
    state = process.reset(torch.tensor([20]), key(1, 0))
    price = (process.shop.reference_price * factor).unsqueeze(0)
    told = process.later(state, price, PERIODS)[0]
    torch.testing.assert_close(told, simulated(process, 20, factor, 3000), rtol=0.03, atol=0.0)


def test_one_period_is_the_coming_one_and_wrapped_processes_say_what_they_wrap() -> None:
    reference = torch.full((2, 3), 2.0)
    iid = Independent(Poisson(), 5 * reference, reference_price=reference, elasticity=-2.0 * torch.eye(3))
    dear, keen = torch.full((2, 3), 1.2), torch.full((2, 3), 1.5)
    wrapped = (
        ScaledDemand(iid, torch.rand(2, 3)),
        ObservedDemand(iid, iid),
        PerceivedPrice(iid, reference, dear, keen),
        ScaledDemand(PerceivedPrice(iid, reference, dear, keen), torch.rand(2, 3)),
        Namesake(iid, iid.locations, ("a", "b", "c")),
        Joined(PerceivedPrice(iid, reference, dear, keen), Namesake(iid, ("x", "y"), iid.items), "locations"),
    )
    for process in (iid, *wrapped):
        price = torch.full((4, len(process.locations), 3), 1.7)
        state = process.reset(torch.zeros(4, dtype=torch.int64), key(4, 0))
        assert torch.equal(process.later(state, price, 1), process.expected(state, price))
        together = process.later(state, price, PERIODS)
        torch.testing.assert_close(together, PERIODS * process.expected(state, price))
    price = torch.full((4, 2, 3), 1.7)
    replay = Replay(torch.rand(9, 2, 3), iid.locations, iid.items)
    state = replay.reset(torch.zeros(4, dtype=torch.int64), key(4, 0))
    torch.testing.assert_close(replay.later(state, price, 3), 3 * replay.expected(state, price))


def test_whoever_is_undercut_expects_it_of_later_periods_too() -> None:
    reference = torch.full((2, 3), 2.0)
    iid = Independent(Poisson(), 5 * reference, reference_price=reference, elasticity=-2.0 * torch.eye(3))
    rival = Follower(reference, torch.full((2, 3), 0.1))
    process = RivalledDemand(iid, rival, reference, torch.full((2, 3), 0.5))
    state = process.reset(torch.zeros(4, dtype=torch.int64), key(4, 0))
    price = torch.full((4, 2, 3), 1.5)
    assert torch.equal(process.later(state, price, 1), process.expected(state, price))
    usual = iid.expected(state.process, price)
    told = usual * (0.9**0.5 + (PERIODS - 1) * (0.9 * 0.75) ** 0.5)
    torch.testing.assert_close(process.later(state, price, PERIODS), told)


def test_whoever_says_what_is_expected_says_it_of_later_periods_too() -> None:
    kinds = Wrapped.__subclasses__()
    assert len(kinds) >= 4
    for kind in kinds:
        assert ("later" in vars(kind)) == ("expected" in vars(kind)), kind
