"""PPO's rollout, on the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from torch import Tensor


class RolloutTensors(RolloutBuffer):
    """T steps of N slots, (T, N, …); what is not filled yet holds NaN."""

    observations: Tensor  # type: ignore[assignment]  # (T, N, F)
    actions: Tensor  # type: ignore[assignment]  # (T, N, A)
    rewards: Tensor  # type: ignore[assignment]  # (T, N), with the value of what a truncation cut off
    episode_starts: Tensor  # type: ignore[assignment]  # (T, N) bool
    values: Tensor  # type: ignore[assignment]  # (T, N)
    log_probs: Tensor  # type: ignore[assignment]  # (T, N)
    advantages: Tensor  # type: ignore[assignment]  # (T, N)
    returns: Tensor  # type: ignore[assignment]  # (T, N)

    def reset(self) -> None:
        def empty(*shape: int, like: Any = np.float32) -> Tensor:
            return unfilled((self.buffer_size, self.n_envs, *shape), like, self.device)

        self.observations = empty(*self.obs_shape, like=self.observation_space.dtype)
        self.actions = empty(self.action_dim, like=self.action_space.dtype)
        self.rewards, self.values, self.log_probs = empty(), empty(), empty()
        self.advantages, self.returns = empty(), empty()
        self.episode_starts = empty(like=np.bool_)
        self.pos, self.full = 0, False

    def add(  # type: ignore[override]
        self,
        obs: Tensor,
        action: Tensor,
        reward: Tensor,
        episode_start: Tensor,
        value: Tensor,
        log_prob: Tensor,
    ) -> None:
        """Write a step of all slots."""
        step = self.pos
        self.observations[step] = obs.view_as(self.observations[step])
        self.actions[step] = action.view_as(self.actions[step])
        self.rewards[step] = reward
        self.episode_starts[step] = episode_start
        self.values[step] = value.flatten()
        self.log_probs[step] = log_prob
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def compute_returns_and_advantage(self, last_values: Tensor, dones: Tensor) -> None:  # type: ignore[override]
        """Advantages and returns, given the values (N, 1) of what comes next and which slots are done."""
        following = torch.cat([self.values[1:], last_values.view(1, -1)])
        lives = ~torch.cat([self.episode_starts[1:], dones.view(1, -1)])
        self.advantages = generalised_advantages(
            self.rewards, self.values, following, lives, self.gamma, self.gae_lambda
        )
        self.returns = self.advantages + self.values

    def get(self, batch_size: int | None = None) -> Iterator[RolloutBufferSamples]:  # type: ignore[override]
        """Minibatches of one pass over all T · N samples in random order."""
        whole = (
            self.observations,
            self.actions,
            self.values,
            self.log_probs,
            self.advantages,
            self.returns,
        )
        flat = [tensor.flatten(0, 1) for tensor in whole]
        order = torch.randperm(self.buffer_size * self.n_envs, device=self.device)
        for chosen in order.split(batch_size or len(order)):
            yield RolloutBufferSamples(*(tensor.index_select(0, chosen) for tensor in flat))


def generalised_advantages(
    rewards: Tensor, values: Tensor, following: Tensor, lives: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalised advantage estimation (Schulman et al. 2016, equation 16), (T, N).

    Args:
        rewards, values: (T, N).
        following: (T, N) value of the state that comes after.
        lives: (T, N) bool, the episode goes on after the step.
    """
    discount = gamma * lives
    advantages = torch.addcmul(rewards, discount, following).sub_(values)  # the one-step errors
    decay = gae_lambda * discount
    for step in range(len(rewards) - 2, -1, -1):
        advantages[step].addcmul_(decay[step], advantages[step + 1])
    return advantages


def unfilled(shape: tuple[int, ...], like: Any, device: torch.device) -> Tensor:
    """A tensor for values of numpy's dtype ``like``: NaN where it can be, else zero."""
    dtype = torch.from_numpy(np.empty(0, like)).dtype
    return torch.full(shape, torch.nan if dtype.is_floating_point else 0, dtype=dtype, device=device)
