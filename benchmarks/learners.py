"""Learners as the benchmarks of known optima train them: what a family of problems needs, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mercato.agents.corrections import InUnits, OfLevel
from mercato.agents.learner import Validation
from mercato.agents.pathwise import PathwiseSettings, train_pathwise
from mercato.agents.policy import Pair, Policy
from mercato.agents.train import DQNSettings, PPOSettings, train_dqn, train_ppo
from mercato.envs.market import Market
from mercato.forecasters.progress import SILENT, Progress

SEED = 0
UPDATES = 300  # of pathwise gradients in a market of lost sales
MARKETS = 512  # side by side there
Settings = PPOSettings | DQNSettings | PathwiseSettings


def lost_sales(market: Market) -> PathwiseSettings:
    """A window is what five orders in a row take to arrive; episodes are so long that their start is rare."""
    window = 5 * (market.economics.lead_time + 1)
    return PathwiseSettings(
        steps=UPDATES * window * MARKETS,
        markets=MARKETS,
        window=window,
        horizon=16 * window,
        learning_rate=8e-3,
        orders=OfLevel(1.0),
        average=0.98,
        validation=Validation(times=4, episodes=1024, horizon=60),
    )


def lost_sales_lattice(market: Market) -> DQNSettings:
    """Orders unit by unit, and rewards followed for as long as they take to arrive and to be sold."""
    cycle = market.economics.lead_time + market.economics.order_every
    return DQNSettings(
        steps=600_000,
        warm_up=20_000,
        prices=(0.0,),
        orders=InUnits(1.0),
        exploration=0.1,
        returns=cycle + 3,
        gamma=1 - 1 / (2.5 * cycle),
    )


@dataclass(frozen=True)
class Learner:
    """An algorithm with its settings: those of ``mercato train`` but in the families named."""

    train: Callable[..., Policy]
    settings: Settings
    families: Mapping[str, Callable[[Market], Settings]] = field(default_factory=dict)

    def settings_in(self, market: Market) -> Settings:
        """In the market of a problem, whose name is ``family/cell``."""
        own = self.families.get(market.name.partition("/")[0])
        return self.settings if own is None else own(market)

    def policy(
        self, market: Market, base: Pair, share: float = 1.0, seed: int = SEED, progress: Progress = SILENT
    ) -> Policy:
        """Trained from ``base``, for a share of the usual steps."""
        settings: Any = self.settings_in(market)
        settings = replace(settings, steps=max(1, round(share * settings.steps)))
        return self.train(market, settings, seed, base=base, progress=progress)


LEARNERS = {
    "PPO": Learner(train_ppo, PPOSettings()),
    "DQN": Learner(
        train_dqn,
        DQNSettings(),
        {"lost-sales": lost_sales_lattice, "prices-and-orders": lambda _: DQNSettings(orders=InUnits(1.0))},
    ),
    "pathwise": Learner(train_pathwise, PathwiseSettings(), {"lost-sales": lost_sales}),
}
