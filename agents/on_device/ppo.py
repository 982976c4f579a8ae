"""PPO whose rollouts and updates never leave the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional as F

from ...forecasters.errors import InputError
from .base import OnDevice, compiled, descend, fuse, unvalidated
from .env import Ended, as_tensor_env
from .quick import quicken
from .rollout import RolloutTensors

_FIGURES = ("policy_gradient_loss", "value_loss", "entropy_loss", "approx_kl", "clip_fraction", "loss")


class DevicePPO(OnDevice, PPO):
    """Stable-Baselines3's ``PPO`` over a ``TensorVecEnv``: the same arguments, results and files.

    The host asks the device twice an iteration, for the episodes that a rollout finished and for the figures
    of an update; a ``target_kl`` asks once a minibatch more. No gSDE, no rollout buffer of one's own.

    Args:
        compiled: compile a minibatch's loss and gradient. It takes a fifth off the update, and up to a minute
            at first: for trainings of tens of millions of steps.
    """

    rollout_buffer: RolloutTensors

    def __init__(self, *args: Any, compiled: bool = False, **kwargs: Any) -> None:
        self.compiled = compiled
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        if self.use_sde or self.rollout_buffer_class not in (None, RolloutBuffer, RolloutTensors):
            found = "use_sde" if self.use_sde else self.rollout_buffer_class
            raise InputError(f"DevicePPO: expected neither gSDE nor a rollout buffer class, found {found}")
        self.rollout_buffer_class = RolloutTensors
        super()._setup_model()
        quicken(self.policy)
        fuse(self.policy.optimizer)
        if self.compiled:
            self._loss = compiled(self._loss, self.device)  # type: ignore[method-assign]
        if isinstance(self.action_space, spaces.Box):
            bounds = np.stack([self.action_space.low, self.action_space.high])
            self._bounds = torch.as_tensor(bounds, device=self.device)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "rollout_buffer_class", "_bounds", "_loss"]

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Fill the buffer; False where the callback ended the training."""
        tensors = as_tensor_env(env)
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        nobody = torch.zeros(env.num_envs, dtype=torch.bool, device=self.device)
        callback.on_rollout_start()

        for _ in range(n_rollout_steps):
            with torch.no_grad(), unvalidated():
                actions, values, log_probs = self.policy(self._last_obs)
            new_obs, rewards, ended = tensors.step_tensor(self._allowed(actions))
            dones = nobody if ended is None else ended.done
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._episodes.add(rewards, ended)
            if ended is not None:
                rewards = rewards + self.gamma * self._cut_off(ended)
            rollout_buffer.add(
                self._last_obs,
                actions,
                rewards,
                self._last_episode_starts,
                values,
                log_probs,
            )
            self._last_obs, self._last_episode_starts = new_obs, dones

        with torch.no_grad():
            values = self.policy.predict_values(self._last_obs)
        rollout_buffer.compute_returns_and_advantage(last_values=values, dones=dones)
        self.ep_info_buffer.extend(self._episodes.fetch()[1])
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """``n_epochs`` passes over the rollout."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        left = self._current_progress_remaining
        clip = self.clip_range(left)  # type: ignore[operator]
        value_clip = None if self.clip_range_vf is None else self.clip_range_vf(left)  # type: ignore[operator]
        epochs: list[list[Tensor]] = []
        with unvalidated():
            while len(epochs) < self.n_epochs and not (epochs and self._strayed(epochs[-1][-1])):
                epochs.append(self._epoch(clip, value_clip))
        self._n_updates += len(epochs)
        self._record_update(epochs, clip, value_clip)

    def _epoch(self, clip: float, value_clip: float | None) -> list[Tensor]:
        """One pass over the rollout; the figures (6,) of each minibatch."""
        figures = []
        for batch in self.rollout_buffer.get(self.batch_size):
            loss, figure = self._loss(batch, clip, value_clip)
            figures.append(figure)
            if self._strayed(figure):
                break
            descend(self.policy.optimizer, loss, self.max_grad_norm)
        return figures

    def _loss(
        self, batch: RolloutBufferSamples, clip: float, value_clip: float | None
    ) -> tuple[Tensor, Tensor]:
        """The clipped loss of a minibatch (Schulman et al. 2017, equation 9) and its ``_FIGURES``."""
        discrete = isinstance(self.action_space, spaces.Discrete)
        actions = batch.actions.flatten() if discrete else batch.actions
        values, log_prob, entropy = self.policy.evaluate_actions(batch.observations, actions)
        advantages = batch.advantages
        if self.normalize_advantage and len(advantages) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_ratio = log_prob - batch.old_log_prob
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - clip, 1 + clip)
        policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
        values = values.flatten()
        if value_clip is not None:
            values = batch.old_values + (values - batch.old_values).clamp(-value_clip, value_clip)
        value_loss = F.mse_loss(values, batch.returns)
        entropy_loss = (log_prob if entropy is None else -entropy).mean()
        loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss
        with torch.no_grad():
            divergence = (ratio - 1 - log_ratio).mean()  # http://joschu.net/blog/kl-approx.html
            beyond = ((ratio - 1).abs() > clip).float().mean()
            parts = (policy_loss, value_loss, entropy_loss, divergence, beyond, loss)
            return loss, torch.stack(parts)

    def _strayed(self, figure: Tensor) -> bool:
        """Whether the policy has moved too far from the one that played, where there is a limit."""
        limit = self.target_kl
        return limit is not None and bool(figure[_FIGURES.index("approx_kl")] > 1.5 * limit)

    def _record_update(self, epochs: list[list[Tensor]], clip: float, value_clip: float | None) -> None:
        """Write what stock PPO logs: means over the update, but the last epoch's KL and the last loss."""
        values, returns = self.rollout_buffer.values, self.rollout_buffer.returns
        explained = 1 - (returns - values).var() / returns.var()
        spread = getattr(self.policy, "log_std", torch.zeros_like(explained)).exp().mean()
        figures = [figure for epoch in epochs for figure in epoch]
        *rows, explained_variance, std = torch.cat([*figures, explained.view(1), spread.view(1)]).tolist()
        table = np.reshape(rows, (-1, len(_FIGURES)))
        told = dict(zip(_FIGURES, table.mean(0), strict=True))
        told["approx_kl"] = table[-len(epochs[-1]) :, _FIGURES.index("approx_kl")].mean()
        told["loss"] = table[-1, _FIGURES.index("loss")]
        for name, value in told.items():
            self.logger.record(f"train/{name}", float(value))
        self.logger.record("train/explained_variance", explained_variance)
        if hasattr(self.policy, "log_std"):
            self.logger.record("train/std", std)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip)
        if value_clip is not None:
            self.logger.record("train/clip_range_vf", value_clip)

    def _allowed(self, actions: Tensor) -> Tensor:
        """Actions as the environment takes them."""
        return actions.clamp(*self._bounds) if isinstance(self.action_space, spaces.Box) else actions

    @torch.no_grad()
    def _cut_off(self, ended: Ended) -> Tensor:
        """(N,) what truncated episodes would have gone on to earn, by the critic; 0 for all others."""
        values = self.policy.predict_values(ended.observation).flatten()
        return torch.where(ended.done & ~ended.terminated, values, 0.0)
