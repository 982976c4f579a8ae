"""What PPO and DQN share: fixed observation statistics, the best iterate kept, progress, interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from ..envs.adapters.sb3_vec_env import MarketplaceVecEnv
from ..envs.market import Market
from ..forecasters.progress import Progress, Stage
from .evaluation import play
from .learned import LearnedPolicy
from .network import Standardise
from .policy import Policy
from .seeds import seed_for

_WARM_UP = 8  # periods watched to fix the observation's statistics
_THREADS = 4  # more only get in each other's way with so small a network


@dataclass(frozen=True)
class Validation:
    """How the best iterate is chosen, on customers of its own."""

    times: int = 8  # in the course of training
    episodes: int = 4
    horizon: int = 26  # periods


class Schedule(Protocol):
    """The part of a learner's settings that all learners share."""

    @property
    def steps(self) -> int: ...

    @property
    def validation(self) -> Validation: ...


def validation_profit(market: Market, policy: Policy, seed: int, validation: Validation) -> float:
    """Mean profit an episode on validation customers, the same for every policy under one seed."""
    episodes = torch.arange(validation.episodes)
    earned = play(market, policy, episodes, validation.horizon, seed_for("validate", seed))
    return float(earned["profit"].mean())


class StandardFeatures(BaseFeaturesExtractor):
    """Observations standardised inside the policy, so that the statistics travel with it."""

    def __init__(self, observation_space: spaces.Box, mean: Tensor, deviation: Tensor) -> None:
        super().__init__(observation_space, int(np.prod(observation_space.shape)))
        self.standardise = Standardise(self.features_dim)
        self.standardise.mean.copy_(mean)
        self.standardise.deviation.copy_(deviation)

    def forward(self, observations: Tensor) -> Tensor:
        return self.standardise(observations)


@torch.no_grad()
def watch(env: MarketplaceVecEnv, seed: int) -> Standardise:
    """Statistics of the observation over a warm-up at random actions."""
    env.action_space.seed(seed)
    seen = [env.reset_tensor()]
    for _ in range(_WARM_UP):
        actions = np.stack([env.action_space.sample() for _ in range(env.num_envs)])
        seen.append(env.step_tensor(env.batch.tensor(actions))[0])
    env.seed(seed)
    standardise = Standardise(seen[0].shape[-1]).to(seen[0].device)
    standardise.measure(torch.cat(seen))
    return standardise


class SlotwiseDQN(DQN):
    """DQN whose slots explore independently; the stock one draws a single coin for all of them."""

    action_space: spaces.Discrete

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        action, state = self.policy.predict(observation, state, episode_start, deterministic=True)
        if not deterministic and action.ndim:
            explores = np.random.random(len(action)) < self.exploration_rate
            action = np.where(explores, np.random.randint(int(self.action_space.n), size=len(action)), action)
        return action, state


class KeepBest(BaseCallback):
    """Advances the progress, validates the policy at even intervals and keeps the best."""

    def __init__(
        self,
        policy: Callable[[], LearnedPolicy],
        worth: Callable[[Policy], float],
        interval: int,
        stage: Stage,
        checkpoint: Path | None,
    ) -> None:
        super().__init__()
        self.policy, self.worth, self.interval = policy, worth, interval
        self.stage, self.checkpoint = stage, checkpoint
        self.best = policy()
        self.start = self.most = worth(self.best)
        self.next_at = interval

    def consider(self) -> None:
        """Keep the policy as it is now if it earns more than any before."""
        policy = self.policy()
        profit = self.worth(policy)
        gain = (profit - self.start) / max(abs(self.start), 1e-9)
        self.stage.note(f"{self.num_timesteps:,} unit-periods: {gain:+.2%} on the start in validation")
        if profit > self.most:
            self.most, self.best = profit, policy
            if self.checkpoint is not None:
                policy.save(self.checkpoint)

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self.next_at:
            self.next_at += self.interval
            self.consider()

    def _on_step(self) -> bool:
        self.stage.advance(self.training_env.num_envs)
        return True


@contextmanager
def few_threads() -> Iterator[None]:
    """Torch on few threads while a small network trains."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, _THREADS))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def learn(
    model: BaseAlgorithm,
    policy: Callable[[], LearnedPolicy],
    worth: Callable[[Policy], float],
    settings: Schedule,
    progress: Progress,
    checkpoint: Path | None,
) -> LearnedPolicy:
    """Train ``model`` and return the best of the iterates that ``policy`` reads off it.

    Interrupted (KeyboardInterrupt), it returns the best so far.
    """
    first = policy()
    with progress.stage(f"train {first.name}", total=settings.steps) as stage, few_threads():
        keeper = KeepBest(
            policy, worth, max(1, settings.steps // settings.validation.times), stage, checkpoint
        )
        try:
            model.learn(settings.steps, callback=keeper, log_interval=None)  # type: ignore[arg-type]
            keeper.consider()
        except KeyboardInterrupt:
            stage.note("interrupted: the best policy so far is kept")
    return keeper.best
