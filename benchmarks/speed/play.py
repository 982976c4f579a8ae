"""Markets played at random: prices in the supported range, orders around what is usually sold."""

from __future__ import annotations

import torch

from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.engine.running import Runner
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator

from .timing import Case

HORIZON = 26
_DIFFERENT = 4  # decisions that take turns


def decisions(market: Market, markets: int, seed: int = 0) -> list[Decision]:
    """Different ones for the same market; what a policy needs to find them is not part of the engine."""
    rng = torch.Generator().manual_seed(seed)
    terms = market.terms

    def share() -> torch.Tensor:
        return torch.rand((markets, *market.shape), generator=rng).to(market.device)

    def one() -> Decision:
        price = terms.price_low * (terms.price_high / terms.price_low) ** share()
        return Decision(price=price, order=(2 * share() * terms.typical_demand).round())

    return [one() for _ in range(_DIFFERENT)]


class Game:
    """A simulator in play; one call plays one period of all its markets."""

    def __init__(self, market: Market, markets: int, run: Runner) -> None:
        self.simulator = Simulator(market, markets, HORIZON, seed=0)
        self.step, self.decisions = run(self.simulator.step), decisions(market, markets)
        self.count = markets * market.shape[0] * market.shape[1]
        self.played = 0
        self.start()

    def start(self) -> None:
        self.state = self.simulator.reset()

    def __call__(self) -> None:
        decision = self.decisions[self.played % _DIFFERENT]
        self.state, self.outcome = self.step(self.state, decision)
        self.played += 1

    def case(self, name: str, threads: int) -> Case:
        """A period a call, from fresh episodes on in every turn."""
        return Case(name, self, self.count, self.start, threads)

    def resets(self, name: str, threads: int) -> Case:
        """All markets put to the beginning of an episode a call."""
        return Case(name, self.start, self.count, threads=threads)


def environment(market: Market, markets: int, name: str, threads: int) -> Case:
    """What a learner meets: action map, step, reward, observation, restarts; no numpy, no learner."""
    env = MarketplaceVecEnv(market, markets, HORIZON)
    rng = torch.Generator().manual_seed(0)
    actions = (2 * torch.rand((env.num_envs, 2), generator=rng) - 1).to(market.device)
    count = markets * market.shape[0] * market.shape[1]
    return Case(name, lambda: env.step_tensor(actions), count, env.reset_tensor, threads)
