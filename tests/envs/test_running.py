"""A compiled step gives what the step as it is written gives, and is compiled once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch._dynamo
from regulars import with_friends_of_two_shops, with_regulars
from small_markets import make_market
from untrained import untrained_market

from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.economics import Economics
from mercato.envs.engine.running import Compiled, as_written
from mercato.envs.market import Market
from mercato.envs.processes import Geometric
from mercato.forecasters.anchor import Anchor
from mercato.forecasters.errors import InputError
from mercato.forecasters.network.trunk import TrunkSettings
from mercato.forecasters.network.trunk.attention import KEYS

RULED = Economics(
    lead_time=2,
    waste_rate=0.1,
    shelf_life=3,
    issuing="lifo",
    season=3,
    salvage_rate=0.2,
    initial_cover=(0.5, 2.0),
    order_every=2,
    largest_order=2.0,
    order_budget=20.0,
    joint_order_cost=1.0,
    capacity=4.0,
    price_rules={
        "fairness": {"groups": {"all": ["location 1", "location 3"]}, "largest_spread": 0.1},
        "ending": 0.99,
        "largest_change": 0.2,
        "cadence": 2,
        "minimum_margin": 0.1,
    },
)


def anchored(market: Market) -> Market:
    demand = market.demand
    anchor = Anchor(torch.tensor([10, 20]), torch.tensor([[0.1, -0.1], [0.2, 0.3]]))
    return market.with_demand(demand.with_bases(replace(demand.model, anchor=anchor)))  # type: ignore[attr-defined]


MARKETS: dict[str, Callable[[], Market]] = {
    "closed form": lambda: make_market(2, 2, counts=Geometric(), elasticity=-2 * torch.eye(2)),
    "closed form, every rule": lambda: make_market(3, 2, groups=("a", "b", "b"), economics=RULED),
    "closed form, with customers": lambda: with_regulars(make_market(2, 2, elasticity=-2 * torch.eye(2))),
    "closed form, with customers who switch and follow": lambda: with_friends_of_two_shops(
        make_market(2, 2, elasticity=-2 * torch.eye(2))
    ),
    "learned, anchored, with customers": lambda: with_regulars(anchored(untrained_market(2, 3))),
    "learned": lambda: untrained_market(2, 3),
    "learned, of many locations": lambda: untrained_market(KEYS + 3, 2),
    "learned, anchored": lambda: anchored(untrained_market(2, 3)),
    **{
        f"learned, {kind}": partial(
            untrained_market, 2, 3, trunk=TrunkSettings(width=16, window=8, kind=kind)
        )
        for kind in ("gru", "lstm", "none")
    },
}


def rewards(env: MarketplaceVecEnv, periods: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    out = []
    for _ in range(periods):
        actions = torch.rand(env.num_envs, 2, generator=rng) * 2 - 1
        out.append(torch.cat([part.flatten() for part in env.step_tensor(actions)[:2]]))
    return torch.stack(out)


def check(market: Market, run: Compiled) -> None:
    """The same trajectory, and nothing is compiled again for new episodes or another seed.

    That it can be compiled in one piece at all says that no step asks the device for a number.
    """
    plain, fast = (MarketplaceVecEnv(market, 3, horizon=4, seed=1, run=how) for how in (as_written, run))
    torch.testing.assert_close(fast.reset_tensor(), plain.reset_tensor())
    torch.testing.assert_close(rewards(fast, 1), rewards(plain, 1), atol=1e-4, rtol=1e-4)
    with torch._dynamo.config.patch(error_on_recompile=True):
        torch.testing.assert_close(rewards(fast, 6), rewards(plain, 6), atol=1e-4, rtol=1e-4)
        for env in (plain, fast):
            env.seed(2)
            env.reset_tensor()
        torch.testing.assert_close(rewards(fast, 5), rewards(plain, 5), atol=1e-4, rtol=1e-4)


_SLOW = ("learned, gru", "learned, lstm", "learned, none", "learned, of many locations", "learned, anchored")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in _SLOW else ()) for name in MARKETS]
)
def test_the_whole_step_is_traced_once(name: str) -> None:
    check(MARKETS[name](), Compiled(backend="aot_eager"))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the compiler's own
@pytest.mark.parametrize("name", MARKETS)
def test_compiled_it_gives_the_same(name: str) -> None:
    check(MARKETS[name](), Compiled())


def test_a_machine_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="C\\+\\+ compiler"):
        Compiled()(torch.sin)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
@pytest.mark.parametrize("name", MARKETS)
def test_a_gpu_is_never_waited_for(name: str) -> None:
    env = MarketplaceVecEnv(MARKETS[name]().to("cuda"), 3, horizon=10, seed=1)
    env.reset_tensor()
    actions = torch.zeros(env.num_envs, 2, device="cuda")
    env.step_tensor(actions)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            env.step_tensor(actions)
    finally:
        torch.cuda.set_sync_debug_mode("default")
