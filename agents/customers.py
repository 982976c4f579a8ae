"""A learner's markets all meet the same customers, so that what differs between them is what they did.

Paid the excess over the other markets' mean, a unit's reward loses the noise that all markets share: common
random numbers as a control variate. The others' mean does not depend on the unit's own action, so the best
policy is the same.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..envs.adapters.batch import MarketBatch
from ..envs.adapters.sb3_vec_env import MarketplaceVecEnv
from ..envs.engine.actions import ActionMap
from ..envs.engine.rewards import CategoryProfit, Reward
from ..envs.engine.types import Outcome
from ..envs.market import Market
from ..envs.simulator import Simulator


class Excess:
    """A reward less the mean of the other markets' rewards; the reward itself where there is no other."""

    def __init__(self, reward: Reward) -> None:
        self.reward = reward

    def __call__(self, outcome: Outcome, market: Market) -> Tensor:
        reward = self.reward(outcome, market)
        return reward - (reward.sum(0) - reward) / max(len(reward) - 1, 1)


class SameCustomers(MarketBatch):
    """Markets side by side that play the same episode of the same customers."""

    def begin(self, seed: int) -> Tensor:
        self.simulator = Simulator(self.market, self.n_markets, self.horizon, seed, evaluation=True)
        return self.look(self.simulator.reset(torch.zeros(self.n_markets, dtype=torch.int64)))


class LearnerVecEnv(MarketplaceVecEnv):
    """One slot a (market, decision unit); every market meets the same customers and is paid its excess."""

    def __init__(
        self,
        market: Market,
        n_markets: int,
        horizon: int,
        seed: int,
        actions: Callable[[Market], ActionMap],
        reward: Reward = CategoryProfit(),
    ) -> None:
        super().__init__(market, n_markets, horizon, seed, actions)
        self.batch = SameCustomers(market, n_markets, horizon, actions, Excess(reward))
