"""Of a learner's markets some meet the same customers, so that what differs between them is what they did.

Paid the excess over the mean of the others of its crowd, a unit's reward loses the noise that they share:
common random numbers as a control variate. The others' mean does not depend on the unit's own action, so the
best policy is the same. Were all in one crowd, a small shop would learn from one day of demand at a time, by
heart (decision 31).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..envs.adapters.batch import MarketBatch
from ..envs.adapters.sb3_vec_env import MarketplaceVecEnv
from ..envs.engine.actions import ActionMap
from ..envs.engine.rewards import CategoryProfit, Reward
from ..envs.engine.types import Outcome
from ..envs.market import Market
from ..envs.simulator import Simulator

_CROWD = 8  # markets or more that meet the same customers


def crowds_of(n_markets: int, device: torch.device) -> Tensor:
    """(B,) int64 which customers each market meets: as many crowds as there is room for."""
    return torch.arange(n_markets, device=device) % max(1, n_markets // _CROWD)


class Excess:
    """A reward less the mean reward of the other markets of its crowd; the reward itself where alone.

    Args:
        crowds: (B,) of all markets, as ``crowds_of`` deals them out.
    """

    def __init__(self, reward: Reward, crowds: Tensor) -> None:
        self.reward, self.crowds = reward, crowds
        members = crowds.bincount()
        self.others = (members[crowds] - 1).clamp(min=1).unsqueeze(1)
        self.shape = (int(members.max()), len(members))  # rows of one market of each crowd

    def __call__(self, outcome: Outcome, market: Market) -> Tensor:
        reward = self.reward(outcome, market)
        rows, crowds = self.shape
        full = pad(reward, (0, 0, 0, rows * crowds - len(reward)))
        sums = full.unflatten(0, self.shape).sum(0)[self.crowds]  # always in the same order, on a GPU too
        return reward - (sums - reward) / self.others


class SharedCustomers(MarketBatch):
    """Markets side by side, of which those of a crowd play the same episode of the same customers."""

    reward: Excess

    def begin(self, seed: int) -> Tensor:
        self.simulator = Simulator(self.market, self.n_markets, self.horizon, seed, evaluation=True)
        return self.look(self.simulator.reset(self.reward.crowds))


class LearnerVecEnv(MarketplaceVecEnv):
    """One slot a (market, decision unit); a market is paid its excess over its crowd."""

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
        excess = Excess(reward, crowds_of(n_markets, market.device))
        self.batch = SharedCustomers(market, n_markets, horizon, actions, excess)
