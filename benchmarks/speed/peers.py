"""Other simulators, those that are installed, played at random in their own loops: item-decisions a second.

One item-decision is one quantity ordered by one stage or link of a network (with its price, where there is
one). Actions are drawn beforehand; episodes begin anew when they end. None of them has a learned demand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import gymnasium
import numpy as np

from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.adapters.vector_env import MarketplaceVectorEnv
from mercato.envs.market import Market

from .markets import copies
from .plan import Plan
from .play import HORIZON
from .timing import Case, rates

_DRAWN = 64  # actions drawn beforehand
_ABREAST = 64  # copies in a vector environment


class Single:
    """One environment with Gymnasium's reset and step, actions in turns; a call is one step."""

    def __init__(self, env: Any, actions: Sequence[Any]) -> None:
        self.env, self.actions, self.played = env, actions, 0
        env.reset(seed=0)

    def __call__(self) -> None:
        *_, terminated, truncated, _ = self.env.step(self._next())
        if terminated or truncated:
            self.env.reset()

    def _next(self) -> Any:
        self.played += 1
        return self.actions[self.played % len(self.actions)]


class Abreast(Single):
    """A vector environment, which begins its episodes anew by itself."""

    def __call__(self) -> None:
        self.env.step(self._next())


def drawn(space: Any) -> list[Any]:
    """Actions of a space, the same every time."""
    space.seed(0)
    return [space.sample() for _ in range(_DRAWN)]


def gym_invmgmt() -> list[Case]:
    import gym_invmgmt  # noqa: F401  (registers its environments)

    return _registered({"GymInvMgmt/MultiEchelon-v0": "network", "GymInvMgmt/Serial-v0": "serial"})


def or_gym_inventory() -> list[Case]:
    import or_gym_inventory  # noqa: F401  (registers its environments)

    names = {"Newsvendor": "newsvendor", "InvManagementLostSales": "serial", "NetInvMgmtLostSales": "network"}
    return _registered({f"or_gym_inventory/{name}-v0": said for name, said in names.items()})


def decisionrl() -> list[Case]:
    from decisionrl.envs import InventoryManagement, JointPricingInventory, SupplyChain
    from decisionrl.wrappers import SyncVectorEnv

    kinds = {InventoryManagement: 1, JointPricingInventory: 1, SupplyChain: 2}
    cases = []
    for kind, items in kinds.items():
        env = kind()
        cases.append(Case(kind.__name__, Single(env, drawn(env.action_space)), items))
    rng = np.random.default_rng(0)
    actions = [rng.uniform(-1, 1, (_ABREAST, 2)).astype(np.float32) for _ in range(_DRAWN)]
    abreast = Abreast(SyncVectorEnv([JointPricingInventory] * _ABREAST), actions)
    return [*cases, Case(f"JointPricingInventory × {_ABREAST}", abreast, _ABREAST)]


def stockpyl() -> list[Case]:
    from stockpyl.instances import load_instance
    from stockpyl.sim import simulation

    network, periods = load_instance("example_6_1"), 100
    nodes = len(network.nodes)

    def run() -> None:
        simulation(network, periods, rand_seed=0, progress_bar=False, consistency_checks="N")

    return [Case("serial system of example 6.1, base stock", run, nodes * periods)]


PEERS: dict[str, Callable[[], list[Case]]] = {
    "gym-invmgmt": gym_invmgmt,
    "or-gym-inventory": or_gym_inventory,
    "decisionrl": decisionrl,
    "stockpyl": stockpyl,
}


def peers(market: Market, plan: Plan) -> list[dict[str, Any]]:
    """Every peer in turns with this project's environments on a learned market; what is missing says so."""
    cases, missing = _ours(market, plan), []
    about = {case.name: "mercato" for case in cases}
    for package, make in PEERS.items():
        try:
            release = version(package)
            found = [replace(case, name=f"{package} {release}, {case.name}") for case in make()]
        except (PackageNotFoundError, ImportError) as error:
            missing.append({"package": package, "name": package, "rate": None, "missing": str(error)})
            continue
        cases += found
        about |= {case.name: package for case in found}
    found_rates = rates(cases, plan.effort)
    return [
        {"package": about[name], "name": name, **rate.record()} for name, rate in found_rates.items()
    ] + missing


def _ours(market: Market, plan: Plan) -> list[Case]:
    series, markets = market.shape[0] * market.shape[1], copies(market, plan.series)
    one, many = MarketplaceEnv(market, HORIZON), MarketplaceVectorEnv(markets, market, HORIZON)
    return [
        Case("mercato, Env with a Transformer", Single(one, drawn(one.action_space)), series),
        Case(
            "mercato, VectorEnv with a Transformer",
            Abreast(many, drawn(many.action_space)),
            markets * series,
            threads=plan.threads,
        ),
    ]


def _registered(names: dict[str, str]) -> list[Case]:
    """One environment, and several abreast, of each registered name."""
    cases = []
    for name, said in names.items():
        one = gymnasium.make(name, disable_env_checker=True)
        items = int(np.prod(one.action_space.shape or 1))
        cases.append(Case(said, Single(one, drawn(one.action_space)), items))
        together = gymnasium.make_vec(name, _ABREAST, vectorization_mode="sync")
        abreast = Abreast(together, drawn(together.action_space))
        cases.append(Case(f"{said} × {_ABREAST}", abreast, items * _ABREAST))
    return cases
