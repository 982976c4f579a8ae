"""PPO and DQN end to end, collection and update apart, beside stock SB3 with the same settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from math import ceil
from statistics import median
from typing import Any

import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from mercato.agents.on_device.dqn import DeviceDQN
from mercato.agents.on_device.ppo import DevicePPO
from mercato.agents.train import DQNSettings, PPOSettings
from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.engine.actions import GridActions
from mercato.envs.market import Market

from .markets import copies
from .plan import Plan
from .play import HORIZON
from .timing import Rate, finish, threads

NOT_PLAYED = (
    "stock DQN, Gymnasium envs: not possible, a market's action is MultiDiscrete and DQN's is Discrete"
)


class Training:
    """A learner in its environment; a turn is one rollout and its update, timed apart."""

    def __init__(self, model: BaseAlgorithm, periods: int, count: int) -> None:
        self.model, self.periods, self.count = model, periods, count
        self.spent = {"collection": 0.0, "update": 0.0}
        for name, part in (("collect_rollouts", "collection"), ("train", "update")):
            setattr(model, name, self._watched(getattr(model, name), part))

    def turn(self) -> dict[str, float]:
        """Seconds spent on each part."""
        self.spent = dict.fromkeys(self.spent, 0.0)
        slots = self.model.env.num_envs  # type: ignore[union-attr]
        self.model.learn(self.periods * slots, log_interval=None, reset_num_timesteps=False)  # type: ignore[arg-type]
        return self.spent

    def _watched(self, method: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            answer = method(*args, **kwargs)
            finish(self.model.device)
            self.spent[part] += time.perf_counter() - began
            return answer

        return run


def learner_rates(market: Market, plan: Plan, device: torch.device | str = "cpu") -> list[dict[str, Any]]:
    """Series-steps a second of whole trainings and of their two parts, one row a learner."""
    with threads(plan.threads):
        learners = _learners(market.to(device), plan, device)
        for training in learners.values():
            training.turn()
        turns: dict[str, list[dict[str, float]]] = {name: [] for name in learners}
        for _ in range(plan.learning.rounds):
            for name, training in learners.items():
                turns[name].append(training.turn())
    return [_row(name, training, turns[name], plan.threads) for name, training in learners.items()]


def _row(name: str, training: Training, turns: list[dict[str, float]], used: int) -> dict[str, Any]:
    work = training.count * training.periods
    whole = Rate(tuple(work / sum(turn.values()) for turn in turns), used, 1.0).record()
    del whole["share"]
    parts = {part: work / median(turn[part] for turn in turns) for part in training.spent}
    return {"name": name, "series": training.count, **whole, **parts}


def _learners(market: Market, plan: Plan, device: torch.device | str) -> dict[str, Training]:
    series = market.shape[0] * market.shape[1]
    markets = copies(market, plan.series)

    def slots(**more: Any) -> MarketplaceVecEnv:
        return MarketplaceVecEnv(market, markets, HORIZON, **more)

    def single(_: int) -> Callable[[], MarketplaceEnv]:
        return partial(MarketplaceEnv, market, HORIZON)

    every = DQNSettings().every
    ppo, dqn = partial(_ppo, device=device), partial(_dqn, device=device)
    gymnasium = DummyVecEnv([single(k) for k in range(plan.gymnasium)])
    rollout, all_series = PPOSettings().rollout, markets * series
    fastest = list(plan.runs.values())[-1]
    return {
        "PPO": Training(ppo(DevicePPO, slots(run=fastest)), rollout, all_series),
        "stock PPO, numpy VecEnv": Training(ppo(PPO, slots()), rollout, all_series),
        "stock PPO, Gymnasium envs": Training(ppo(PPO, gymnasium), rollout, plan.gymnasium * series),
        "DQN": Training(dqn(DeviceDQN, slots(actions=GridActions, run=fastest)), every, all_series),
        "stock DQN, numpy VecEnv": Training(dqn(DQN, slots(actions=GridActions)), every, all_series),
    }


def _ppo(kind: type[PPO], env: VecEnv, device: torch.device | str) -> PPO:
    """Minibatches as many as the slots of a market call for, whatever a frame holds."""
    settings = PPOSettings()
    frames = settings.rollout * env.num_envs
    fewest = max(8, ceil(frames / settings.batch))
    batch = next(frames // parts for parts in range(fewest, frames + 1) if frames % parts == 0)
    return kind(
        "MlpPolicy",
        env,
        n_steps=settings.rollout,
        batch_size=batch,
        n_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        gae_lambda=settings.gae_lambda,
        policy_kwargs={"net_arch": list(settings.hidden)},
        seed=0,
        device=device,
    )


def _dqn(kind: type[DQN], env: VecEnv, device: torch.device | str) -> DQN:
    settings = DQNSettings()
    replayed = settings.replays * settings.every * env.num_envs
    return kind(
        "MlpPolicy",
        env,
        buffer_size=max(settings.buffer, 2 * env.num_envs),
        learning_starts=0,
        train_freq=settings.every,
        gradient_steps=max(1, round(replayed / settings.batch)),
        batch_size=settings.batch,
        learning_rate=settings.learning_rate,
        n_steps=settings.returns,
        tau=settings.tau,
        target_update_interval=env.num_envs,
        policy_kwargs={"net_arch": list(settings.hidden)},
        seed=0,
        device=device,
    )
