"""Sub-markets keep their customers; a batch that cannot fit is refused before it is made."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from small_markets import make_market
from untrained import untrained_market

from mercato.envs.engine.types import Decision, Outcome
from mercato.envs.market import Market
from mercato.envs.processes import Geometric, ObservedDemand, Replay
from mercato.envs.processes.scaled import ScaledDemand
from mercato.envs.simulator import Simulator
from mercato.envs.sub_markets import sub_markets
from mercato.forecasters.errors import InputError
from mercato.forecasters.network.trunk import TrunkSettings
from mercato.forecasters.tensors import machine_memory

PLACES, GOODS = ("location 1", "location 3"), ("item 2", "item 3")


def independent() -> Market:
    return make_market(3, 4, counts=Geometric(), elasticity=-2 * torch.eye(4))


def replayed() -> Market:
    market = independent()
    return market.with_demand(Replay(torch.arange(60.0 * 12).view(60, 3, 4), market.locations, market.items))


def scaled() -> Market:
    market = independent()
    return market.with_demand(ScaledDemand(market.demand, 1 + torch.arange(12.0).view(3, 4)))


def observed() -> Market:
    market = independent()
    return market.with_demand(ObservedDemand(market.demand, market.demand))


def outcome(market: Market, places: torch.Tensor, goods: torch.Tensor) -> Outcome:
    """Of a first period at 0.9, 1.0, … times the reference price, series by series of the whole market."""
    multiple = (0.9 + 0.02 * torch.arange(12.0).view(3, 4))[places][:, goods]
    simulator = Simulator(market, 2, 10, seed=5)
    state = simulator.reset()
    price = (market.terms.reference_price * multiple).expand_as(state.on_hand)
    return simulator.step(state, Decision(price, torch.full_like(price, 5.0)))[1]


@pytest.mark.parametrize("make", [independent, replayed, scaled, observed, untrained_market])
def test_a_series_meets_the_same_customers_in_any_sub_market(make: Callable[[], Market]) -> None:
    market = make()
    part = market.select(PLACES, GOODS)
    assert part.locations == PLACES
    assert part.items == GOODS
    places, goods = torch.tensor([0, 2]), torch.tensor([1, 2])
    whole = outcome(market, torch.arange(3), torch.arange(4))
    cut = outcome(part, places, goods)
    assert part.terms.typical_demand.shape == (2, 2)
    if make is untrained_market:  # what it expects hangs on who else is there, the noise does not
        rng = (cut.demand - whole.demand[:, places][:, :, goods]).abs() / whole.demand.mean()
        assert float(rng.mean()) < 0.25
    else:
        torch.testing.assert_close(cut.profit, whole.profit[:, places][:, :, goods])


def test_a_learned_market_cut_to_all_of_itself_is_itself() -> None:
    market = untrained_market()
    every = torch.arange(3), torch.arange(4)
    torch.testing.assert_close(outcome(market.select(), *every).profit, outcome(market, *every).profit)


def test_a_name_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="item 9"):
        independent().select(items=["item 9"])
    with pytest.raises(InputError, match="expected a list of names, found 'item 1'"):
        independent().select(items="item 1")


def test_scenarios_play_side_by_side_in_one_batch() -> None:
    market = independent()
    scale = torch.tensor([1.0, 3.0]).view(2, 1, 1).expand(2, 3, 4)
    both = market.with_demand(ScaledDemand(market.demand, scale))
    every = torch.arange(3), torch.arange(4)
    plain, side_by_side = outcome(market, *every), outcome(both, *every)
    torch.testing.assert_close(side_by_side.demand[0], plain.demand[0])
    torch.testing.assert_close(side_by_side.demand[1], 3 * plain.demand[1])


def test_start_dates_may_differ_in_one_batch() -> None:
    market = untrained_market()
    simulator = Simulator(market, 3, 10, seed=5)
    starts = torch.tensor([5, 20, 40])
    together = simulator.initial_state(starts)
    alone = Simulator(market, 1, 10, seed=5)
    expected = simulator.view(together).outlook.mean
    first = alone.view(alone.initial_state(starts[:1])).outlook.mean
    torch.testing.assert_close(expected[:1], first)
    assert not torch.allclose(expected[0], expected[1])


def test_a_batch_that_cannot_fit_says_how_many_markets_would(monkeypatch: pytest.MonkeyPatch) -> None:
    market = independent()
    monkeypatch.setattr(machine_memory, "available", lambda device: 2**20)
    with pytest.raises(InputError, match=r"markets of 12 series .* at most [\d,]+ fit") as refused:
        Simulator(market, 10_000, 10, seed=0)
    most = int(re.findall(r"at most ([\d,]+) fit", str(refused.value))[0].replace(",", ""))
    Simulator(market, most, 10, seed=0)
    with pytest.raises(InputError):
        Simulator(market, most + 1, 10, seed=0)


def test_a_history_that_cannot_fit_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    market = untrained_market(trunk=TrunkSettings(width=64))
    monkeypatch.setattr(machine_memory, "available", lambda device: 2**16)
    with pytest.raises(InputError, match="series of a learned market"):
        Simulator(market, 1, 10, seed=0).reset()


def test_the_machine_says_what_is_free() -> None:
    free = machine_memory.available(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50


def test_parts_hold_every_series_once_and_keep_groups_and_categories_whole() -> None:
    market = make_market(7, 9, groups=[*"aab", *"bcdd"], categories=[*"xxxyyzzzz"])
    parts = list(sub_markets(market, most=9))
    series = [(place, item) for part in parts for place in part.locations for item in part.items]
    assert len(series) == len(set(series)) == 63
    for label in "abcd":
        assert len({part.locations for part in parts if label in part.price_groups}) == 1
    for label in "xyz":
        assert len({part.items for part in parts if label in part.categories}) == 1
    assert list(sub_markets(market, most=63)) == [market]
