"""Independent demand: its families' probabilities, price curves, calendar, and its markets on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from small_markets import make_market

from mercato.envs.economics import Economics, PriceRules
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.processes import (
    Counts,
    DiscreteWeibull,
    Geometric,
    Independent,
    NegativeBinomial,
    Poisson,
    Replay,
    constant_elasticity,
    exponential,
    linear,
)
from mercato.envs.simulator import Simulator
from mercato.envs.store import load_market, write_market
from mercato.forecasters.errors import InputError
from mercato.forecasters.simulation import Period
from mercato.forecasters.tensors import NoiseKey

ELASTICITY = torch.tensor([[-3.0, 1.0], [0.5, -2.0]])
FAMILIES = (Poisson(), Geometric(), DiscreteWeibull(1.5), NegativeBinomial(2.0))
CURVES = (constant_elasticity, exponential, linear)


def key(markets: int = 1) -> NoiseKey:
    none = torch.zeros(markets, dtype=torch.int64)
    return NoiseKey(0, none, none, none)


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        (Poisson(), stats.poisson(5)),
        (Geometric(), stats.geom(1 / 6, loc=-1)),
        (NegativeBinomial(2.0), stats.nbinom(2, 2 / 7)),
    ],
)
def test_probabilities_are_those_of_the_distribution(counts: Counts, known) -> None:
    found = counts.probabilities(torch.tensor([5.0, 0.0]), 40).numpy()
    np.testing.assert_allclose(found[0], known.pmf(np.arange(40)), rtol=1e-9)
    np.testing.assert_allclose(found[1], np.eye(40)[0])


@pytest.mark.parametrize("counts", FAMILIES)
def test_counts_are_drawn_as_often_as_they_are_probable(counts: Counts) -> None:
    drawn = counts.sample(torch.full((1,), 3.0), key(), torch.arange(100_000)).flatten()
    share = torch.bincount(drawn.long())[:12] / len(drawn)
    expected = counts.probabilities(torch.tensor(3.0), 12)
    assert (share - expected).abs().max() < 0.006
    k = torch.arange(400)
    all_of_them = counts.probabilities(torch.tensor(3.0), 400)
    mean = float(all_of_them @ k.double())
    assert mean == pytest.approx(3, rel=1e-3)
    spread = float((all_of_them @ k.double().square() - mean**2).sqrt() / mean)
    assert spread == pytest.approx(float(counts.spread(torch.tensor(3.0))), rel=2e-3)


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_has_its_elasticities_at_the_reference_price(curve) -> None:
    relative = torch.ones(2, dtype=torch.float64)
    slopes = torch.autograd.functional.jacobian(lambda r: curve(r, ELASTICITY.double()).log(), relative)
    torch.testing.assert_close(slopes, ELASTICITY.double())


def test_curves_are_what_their_names_say() -> None:
    relative, own = torch.tensor([[0.5], [1.0], [2.0], [9.0]]), torch.tensor([[-0.2]])
    assert linear(relative, own).flatten().tolist() == pytest.approx([1.1, 1.0, 0.8, 0.0])
    assert exponential(relative, own).log().flatten().tolist() == pytest.approx([0.1, 0.0, -0.2, -1.6])
    assert constant_elasticity(relative, own)[2].item() == pytest.approx(2**-0.2)


@pytest.mark.parametrize("counts", FAMILIES)
def test_nobody_comes_where_the_curve_ends(counts: Counts) -> None:
    demand = Independent(
        counts,
        torch.full((1, 1), 10.0),
        reference_price=torch.ones(1, 1),
        elasticity=-torch.eye(1),
        curve=linear,
    )
    state = demand.reset(torch.zeros(64, dtype=torch.int64), key(64))
    assert float(demand.sample(state, torch.full((64, 1, 1), 2.5), key(64)).sum()) == 0


def test_means_follow_the_calendar_and_begin_again() -> None:
    base = torch.tensor([[[2.0]], [[4.0]], [[8.0]]])
    demand = Independent(
        Poisson(), base, reference_price=torch.ones(1, 1), elasticity=-torch.eye(1), periods=9
    )
    state, met = demand.reset(torch.tensor([0, 2]), key(2)), []
    price = torch.full((2, 1, 1), 2.0)
    for _ in range(4):
        met.append(demand.outlook(state).mean.flatten().tolist())
        torch.testing.assert_close(demand.expected(state, price), demand.outlook(state).mean / 2)
        wanted = demand.sample(state, price, key(2))
        state = demand.advance(state, Period(price, wanted, wanted), key(2))
    assert met == [[2, 8], [4, 2], [8, 4], [2, 8]]
    assert demand.select().base.shape == base.shape


def test_means_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected means \(S, I\) or \(T, S, I\), found \(3,\)"):
        Independent(Poisson(), torch.ones(3))


def play(market: Market) -> list[float]:
    """Profit of eight periods of ordering what is expected."""
    simulator = Simulator(market, 3, 8, seed=5)
    state, profit = simulator.reset(), []
    for _ in range(8):
        view = simulator.view(state)
        state, outcome = simulator.step(state, Decision(state.last_price * 1.1, view.outlook.mean.round()))
        profit.append(float(outcome.profit.sum()))
    return profit


@pytest.mark.parametrize("counts", FAMILIES)
@pytest.mark.parametrize("curve", CURVES)
def test_a_market_comes_back_from_disk_as_it_was(tmp_path: Path, counts: Counts, curve) -> None:
    economics = Economics(lead_time=2, unmet="backorder", price_rules=PriceRules(ceiling=1.5))
    market = make_market(2, 2, economics=economics, groups=("a", "b"), elasticity=ELASTICITY)
    assert isinstance(market.demand, Independent)
    demand = Independent(
        counts,
        torch.rand(7, 2, 2) * 20,
        reference_price=market.demand.reference_price,
        elasticity=ELASTICITY,
        curve=curve,
        locations=("here", "there"),
        items=("tea", "coffee"),
        periods=30,
    )
    market = market.with_demand(demand)
    write_market(market, tmp_path / "market")
    loaded = load_market(tmp_path / "market")
    assert loaded.economics == economics
    assert loaded.economics.given() == economics.given()
    assert (loaded.locations, loaded.items, loaded.groups) == (market.locations, market.items, market.groups)
    assert loaded.name == market.name
    assert play(loaded) == play(market)
    write_market(loaded, tmp_path / "market")  # a market may be replaced


def test_what_is_no_market_of_independent_demand_is_refused(tmp_path: Path) -> None:
    market = make_market(1, 1)
    replayed = market.with_demand(Replay(torch.ones(3, 1, 1), market.locations, market.items))
    with pytest.raises(InputError, match="expected a market of independent demand, found Replay"):
        write_market(replayed, tmp_path / "market")
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="expected a market folder to replace"):
        write_market(market, tmp_path)


def test_a_damaged_market_is_refused(tmp_path: Path) -> None:
    write_market(make_market(1, 1), tmp_path / "market")
    file = tmp_path / "market" / "independent.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"found that independent\.safetensors is damaged"):
        load_market(tmp_path / "market")
