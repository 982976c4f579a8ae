import json

import pytest
import torch
from safetensors.torch import save_file
from shops import shop

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import (
    BaseStock,
    CappedBaseStock,
    ConstantOrder,
    FixedCover,
    ReorderPoint,
    WasteAware,
)
from mercato.agents.baselines.prices import StaticPrice
from mercato.agents.corrections import OfLevel
from mercato.agents.learned import LearnedPolicy, _seal
from mercato.agents.network import PolicyNetwork, Standardise
from mercato.agents.policy import Pair
from mercato.agents.residual import Residual, ResidualGrid
from mercato.envs.economics import Economics
from mercato.envs.engine.observation import Observation
from mercato.envs.engine.view import View
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError

BASE = Pair("base", MyopicPrice(), BaseStock(1.1))
FEATURES = Observation.of(shop([[-3.0]])).names
RESIDUAL = Residual.of(BASE, price_reach=0.2, orders=OfLevel(0.5))


def look(market: Market, markets: int = 3) -> View:
    simulator = Simulator(market, markets, 10, seed=0)
    return simulator.view(simulator.reset())


def drawn(outputs: int, actions: Residual | ResidualGrid, activation: str = "tanh") -> LearnedPolicy:
    """A policy of random weights."""
    torch.manual_seed(0)
    network = PolicyNetwork([len(FEATURES), 16, 8, outputs], activation)
    network.standardise = Standardise.of(torch.randn(50, len(FEATURES)) * 3 + 1)
    return LearnedPolicy("drawn", network, actions, {"steps": 1}, FEATURES)


def _neutral(grid: ResidualGrid) -> int:
    price, cover = grid.neutral
    return price * len(grid.covers) + cover


def test_no_correction_is_the_baseline():
    view = look(shop([[-3.0, 0.5], [0.2, -4.0]], locations=3, groups=("a", "a", "b")))
    base = BASE.decide(view)
    units = len(view.market.groups) * len(view.market.items)
    nothing = RESIDUAL.to_decision(torch.zeros(3, units, 2), view)
    assert torch.allclose(nothing.price, base.price)
    assert torch.allclose(nothing.order, base.order, atol=1e-3)
    grid = ResidualGrid(RESIDUAL)
    same = grid.to_decision(torch.full((3, units), _neutral(grid)), view)
    assert torch.allclose(same.price, base.price)
    assert torch.allclose(same.order, base.order, atol=1e-3)


def test_corrections_move_price_and_level_by_their_reach():
    view = look(shop([[-3.0]], economics=Economics(initial_cover=0.0)))
    base = BASE.decide(view)
    dearer = RESIDUAL.to_decision(torch.tensor([1.0, 0.0]).expand(3, 1, 2), view)
    assert torch.allclose(dearer.price, base.price * 4.0**0.2, rtol=1e-4)  # the range is a factor of 4
    fuller = RESIDUAL.to_decision(torch.tensor([0.0, 1.0]).expand(3, 1, 2), view)
    assert torch.allclose(fuller.order, base.order * torch.tensor(0.5).exp(), rtol=1e-4)


def test_corrections_stay_in_the_range_and_in_the_group():
    view = look(shop([[-1.2]], locations=3, groups=("a", "b", "a")))
    price = RESIDUAL.to_decision(torch.tensor([[9.0, 0.0], [-9.0, 0.0]]).expand(3, 2, 2), view).price
    assert float(price.max()) <= 3.6 * (1 + 1e-5)
    assert torch.equal(price[:, 0], price[:, 2])


def test_a_lattice_names_every_correction_once():
    grid = ResidualGrid(RESIDUAL, prices=(-1.0, 0.0, 1.0), covers=(0.0, 1.0))
    view = look(shop([[-3.0]], economics=Economics(initial_cover=0.0)), markets=6)
    decision = grid.to_decision(torch.arange(6).view(6, 1), view)
    pairs = torch.stack([decision.price, decision.order], -1).flatten(0, 2).unique(dim=0)
    assert len(pairs) == grid.space.n == 6


@pytest.mark.parametrize("actions", [RESIDUAL, ResidualGrid(RESIDUAL)])
def test_a_saved_policy_decides_the_same(tmp_path, actions):
    policy = drawn(2 if actions is RESIDUAL else 8, actions, "tanh" if actions is RESIDUAL else "relu")
    path = tmp_path / "folder" / "p.safetensors"
    policy.save(path)
    loaded = LearnedPolicy.load(path)
    view = look(shop([[-3.0, 0.5], [0.2, -4.0]], locations=2))
    a, b = policy.decide(view), loaded.decide(view)
    assert torch.equal(a.price, b.price)
    assert torch.equal(a.order, b.order)
    assert (loaded.name, loaded.training, loaded.actions) == (policy.name, policy.training, policy.actions)
    assert [leaf.name for leaf in path.parent.iterdir()] == ["p.safetensors"]


def test_a_policy_runs_on_any_market():
    policy = drawn(2, RESIDUAL)
    for market in (shop([[-3.0]]), shop([[-3.0, 0.5], [0.2, -4.0]], locations=7)):
        decision = policy.decide(look(market))
        assert decision.price.shape == (3, *market.shape)
        assert bool(decision.order.isfinite().all())


def test_a_unit_does_not_depend_on_its_neighbours_in_the_batch():
    policy = drawn(2, RESIDUAL)
    view = look(shop([[-3.0]], locations=4))
    assert torch.allclose(policy.decide(view).price[0], policy.decide(look(view.market, 1)).price[0])


def test_the_network_is_the_mlp_it_was_copied_from():
    torch.manual_seed(1)
    first, second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)
    sample = torch.randn(100, 3) * torch.tensor([1.0, 5.0, 0.0]) + 2.0
    standardise = Standardise.of(sample)
    network = PolicyNetwork.copied(standardise, [first, second], "tanh")
    x = torch.randn(5, 3)
    scaled = (x - sample.mean(0)) / torch.tensor([*sample.std(0, correction=0)[:2], 1.0])
    assert torch.allclose(network(x), second(first(scaled.clamp(-5, 5)).tanh()), atol=1e-5)
    with torch.no_grad():
        first.weight.zero_()
    assert float(network.layers[0].weight.abs().sum()) > 0


@pytest.mark.parametrize(
    "ordering",
    [FixedCover(2.0), CappedBaseStock(1.1, 1.5), ConstantOrder(0.9), ReorderPoint(1.0, 0.7), WasteAware(1.2)],
)
def test_a_policy_remembers_static_prices_and_any_order_rule(tmp_path, ordering):
    market = shop([[-3.0, 0.5], [0.2, -4.0]], locations=2)
    static = StaticPrice(torch.tensor([[1.5, 1.6], [1.7, 1.8]]), market.locations, market.items, 0.9)
    residual = Residual.of(Pair("static", static, ordering), 0.2, OfLevel(0.5))
    drawn(2, residual).save(tmp_path / "p.safetensors")
    loaded = LearnedPolicy.load(tmp_path / "p.safetensors")
    assert loaded.actions == residual
    assert torch.equal(loaded.decide(look(market)).price, drawn(2, residual).decide(look(market)).price)
    unknown = shop([[-3.0]], locations=3)  # the third location is new to it, and charged 0.9 of the usual
    price = loaded.actions.to_decision(torch.zeros(3, 3, 2), look(unknown)).price
    assert price[0].flatten().tolist() == pytest.approx([1.5, 1.7, 0.9 * 1.8])


def test_wrong_files_are_named(tmp_path):
    path = tmp_path / "p.safetensors"
    with pytest.raises(InputError, match="found none"):
        LearnedPolicy.load(path)
    with pytest.raises(InputError, match="a directory"):
        LearnedPolicy.load(tmp_path)
    path.write_bytes(b"not a policy")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        LearnedPolicy.load(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="expected format"):
        LearnedPolicy.load(path)


def test_a_policy_refuses_a_market_with_other_features_and_plays_any_lead_time():
    policy = drawn(2, RESIDUAL)
    for lead_time in (0, 1, 3):
        view = look(shop([[-3.0]], economics=Economics(lead_time=lead_time)))
        assert policy.decide(view).price.shape == (3, 1, 1)
    for economics, name in (
        (Economics(season=9), "season_left"),
        (Economics(shelf_life=2), "life_cover_1, life_cover_2"),
        (Economics(order_every=7), "until_order"),
    ):
        with pytest.raises(InputError, match=f"policy drawn: .*difference in {name};"):
            policy.decide(look(shop([[-3.0]], economics=economics)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": ["stock_cover", "shoe_size"]}, "features of this version, found 'shoe_size'"),
        ({"features": ["stock_cover"]}, "expected 14 features, found 1"),
        ({"sizes": [14, 5, 2]}, r": damaged \("),
        ({"actions": {"pricing": {"rule": "guess"}}}, r": damaged \("),
        ({"activation": None}, r": damaged \("),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, message):
    from safetensors import safe_open

    path = tmp_path / "p.safetensors"
    drawn(2, RESIDUAL).save(path)
    with safe_open(path, framework="pt") as file:
        metadata, weights = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    metadata["policy"] = json.dumps({**json.loads(metadata["policy"]), **change})
    metadata["fingerprint"] = _seal(metadata["policy"], weights)  # whoever forges it forges this, too
    save_file(weights, path, metadata=metadata)
    with pytest.raises(InputError, match=message):
        LearnedPolicy.load(path)


def test_observation_statistics_make_features_comparable():
    view = look(shop([[-3.0, 0.5], [0.2, -4.0]], locations=5, spread=0.5))
    seen = Observation.of(view.market)(view).flatten(0, 1)
    scaled = Standardise.of(seen)(seen)
    varies = seen.std(0, correction=0) > 1e-3
    assert torch.allclose(scaled.mean(0), torch.zeros(len(FEATURES)), atol=1e-4)
    assert torch.allclose(scaled.std(0, correction=0)[varies], torch.ones(int(varies.sum())), atol=1e-2)
