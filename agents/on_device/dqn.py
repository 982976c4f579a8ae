"""DQN whose play, memory and updates never leave the device."""

from __future__ import annotations

from typing import Any, SupportsFloat, cast

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import RolloutReturn, TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional as F

from ...forecasters.errors import InputError
from ...forecasters.tensors import named, taken
from .base import OnDevice, descend, fuse
from .env import as_tensor_env
from .quick import quicken
from .replay import ReplayTensors


class DeviceDQN(OnDevice, DQN):
    """Stable-Baselines3's ``DQN`` over a ``TensorVecEnv``: the same arguments and files.

    Every slot explores with its own coin; the stock one draws a single coin for all of them. The host asks
    the device once a rollout that ended episodes, and for the loss when logs are written. ``train_freq``
    counts steps, and the replay buffer is the one here.
    """

    action_space: spaces.Discrete
    replay_buffer: ReplayTensors
    _loss: Tensor | None = None  # mean of the last update

    def _setup_model(self) -> None:
        if self.optimize_memory_usage or self.replay_buffer_class not in (
            None,
            ReplayBuffer,
            NStepReplayBuffer,
        ):
            raise InputError("DeviceDQN: expected its own replay buffer with all observations, found another")
        self.replay_buffer_class = None
        if self.replay_buffer is None:
            self.replay_buffer = ReplayTensors(
                self.buffer_size,
                self.observation_space,
                self.action_space,
                self.device,
                self.n_envs,
                self.n_steps,
                self.gamma,
            )
        super()._setup_model()
        if cast(TrainFreq, self.train_freq).unit != TrainFrequencyUnit.STEP:
            raise InputError("DeviceDQN: expected train_freq in steps, found episodes")
        quicken(self.policy)
        fuse(self.policy.optimizer)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "replay_buffer_class", "replay_buffer_kwargs", "_loss"]

    def snapshot(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        about, tensors = super().snapshot()
        return {**about, "place": self.replay_buffer.pos}, tensors | named(
            "memory", self.replay_buffer.filled()
        )

    def put_back(self, about: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        super().put_back(about, tensors)
        self.replay_buffer.fill(taken("memory", tensors), about["place"])

    def load_replay_buffer(self, path: Any, truncate_last_traj: bool = True) -> None:
        super().load_replay_buffer(path, truncate_last_traj)
        self.replay_buffer.to(self.device)

    def predict(
        self,
        observation: Any,
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        action, state = self.policy.predict(observation, state, episode_start, deterministic=True)
        if not deterministic:
            explores = np.random.random(action.shape) < self.exploration_rate
            action = np.where(
                explores, np.random.randint(int(self.action_space.n), size=action.shape), action
            )
        return action, state

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        train_freq: TrainFreq,
        replay_buffer: Any,
        action_noise: Any = None,
        learning_starts: int = 0,
        log_interval: int | None = None,
    ) -> RolloutReturn:
        """Play ``train_freq`` steps into the memory."""
        tensors, any_ended = as_tensor_env(env), False
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        for step in range(1, train_freq.frequency + 1):
            actions = self._explore(learning_starts)
            new_obs, rewards, ended = tensors.step_tensor(actions)
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return RolloutReturn(step * env.num_envs, 0, continue_training=False)
            any_ended |= ended is not None
            self._episodes.add(rewards, ended)
            replay_buffer.add(self._last_obs, new_obs, actions, rewards, ended)
            self._last_obs = new_obs
            self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
            self._on_step()
        new = self._tell_episodes(log_interval) if any_ended else 0
        callback.on_rollout_end()
        return RolloutReturn(train_freq.frequency * env.num_envs, new, continue_training=True)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Updates on what is remembered."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        losses = []
        for _ in range(gradient_steps):
            batch: Any = self.replay_buffer.sample(batch_size)
            with torch.no_grad():
                ahead = self.q_net_target(batch.next_observations).amax(1, keepdim=True)
                target = batch.rewards + (1 - batch.dones) * batch.discounts * ahead
            values = self.q_net(batch.observations).gather(1, batch.actions)
            loss = F.smooth_l1_loss(values, target)
            losses.append(loss.detach())
            descend(self.policy.optimizer, loss, self.max_grad_norm)
        self._n_updates += gradient_steps
        self._loss = torch.stack(losses).mean()
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def figures(self) -> dict[str, SupportsFloat]:
        return super().figures() | ({} if self._loss is None else {"train/loss": self._loss})

    def dump_logs(self) -> None:
        if self._loss is not None:
            self.logger.record("train/loss", self._loss.item())
        super().dump_logs()

    @torch.no_grad()
    def _explore(self, learning_starts: int) -> Tensor:
        """Actions (N,): random ones at first, later so with each slot's own probability ε."""
        shape = (self.n_envs,)
        random = torch.randint(int(self.action_space.n), shape, device=self.device)
        if self.num_timesteps < learning_starts:
            return random
        explores = torch.rand(shape, device=self.device) < self.exploration_rate
        return torch.where(explores, random, self.q_net(self._last_obs).argmax(1))

    def _tell_episodes(self, log_interval: int | None) -> int:
        """Count the episodes that ended, and write the logs where their number has passed the interval."""
        new, episodes = self._episodes.fetch()
        self.ep_info_buffer.extend(episodes)
        before, self._episode_num = self._episode_num, self._episode_num + new
        if log_interval is not None and before // log_interval < self._episode_num // log_interval:
            self.dump_logs()
        return new
