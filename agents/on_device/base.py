"""What PPO and DQN on the device share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, SupportsFloat

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.utils import safe_mean
from torch import Tensor, nn
from torch.distributions import Distribution

from ...forecasters.tensors import moments, named, put_back, taken
from .env import as_tensor_env
from .episodes import Episodes

_COUNTS = ("num_timesteps", "_n_updates", "_n_calls", "_current_progress_remaining", "exploration_rate")


class OnDevice(BaseAlgorithm):
    """An SB3 algorithm that plays a ``TensorVecEnv``; put before the stock class in the list of bases.

    Callbacks are called at every step as ever; what ``self.locals`` has of the step are tensors, and
    ``ended`` in the place of ``infos``. Saved files hold nothing that stock SB3 does not know.
    """

    _last_obs: Any  # (N, F) tensor
    _last_episode_starts: Any  # (N,) bool tensor
    ep_info_buffer: Any
    _episodes: Episodes

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        tb_log_name: str = "run",
        progress_bar: bool = False,
    ) -> tuple[int, BaseCallback]:
        slots = as_tensor_env(self.env).num_envs
        begins = reset_num_timesteps or self._last_obs is None
        answer = super()._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        if begins:
            self._last_obs = torch.as_tensor(self._last_obs, device=self.device)
            self._last_episode_starts = torch.as_tensor(self._last_episode_starts, device=self.device)
            self._episodes = Episodes(slots, self._stats_window_size, self.device)
        return answer

    def snapshot(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """All that the coming rollouts depend on, numbers and tensors by name; taken between two of them."""
        about = {name: getattr(self, name) for name in _COUNTS if hasattr(self, name)}
        tensors = {
            "observation": self._last_obs,
            "begins": self._last_episode_starts,
            "chance": torch.get_rng_state(),
            **named("policy", self.policy.state_dict()),
            **named("optimiser", moments(self.policy.optimizer)),
        }
        if self.device.type == "cuda":
            tensors["chance there"] = torch.cuda.get_rng_state(self.device)
        return about, tensors

    def put_back(self, about: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Go on from a ``snapshot``, as ``learn`` begins."""
        for name in _COUNTS:
            if name in about:
                setattr(self, name, about[name])
        self._last_obs = tensors["observation"].to(self.device)
        self._last_episode_starts = tensors["begins"].to(self.device)
        self.policy.load_state_dict(taken("policy", tensors))
        put_back(self.policy.optimizer, taken("optimiser", tensors))
        torch.set_rng_state(tensors["chance"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["chance there"], self.device)

    def figures(self) -> dict[str, SupportsFloat]:
        """What the last update and the last episodes tell, under the names that SB3 logs them by."""
        logged = self.logger.name_to_value.items()
        told: dict[str, SupportsFloat] = {name: value for name, value in logged if name.startswith("train/")}
        if self.ep_info_buffer:
            told["rollout/ep_rew_mean"] = safe_mean([episode["r"] for episode in self.ep_info_buffer])
        return told

    def _maybe_recommend_cpu(self, *_: Any) -> None:
        """Nothing is copied to the host and back, so that a GPU is no worse for a small network."""

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_last_obs", "_last_episode_starts", "_episodes"]


@contextmanager
def unvalidated() -> Iterator[None]:
    """Distributions that believe their arguments: a check of them would ask the device."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, max_grad_norm: float) -> None:
    """A gradient step on ``loss``, the gradient no longer than ``max_grad_norm``."""
    optimizer.zero_grad()
    loss.backward()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    nn.utils.clip_grad_norm_(parameters, max_grad_norm, foreach=loss.device.type != "cpu")
    optimizer.step()


def compiled(function: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """``function`` compiled; itself, with a warning that says so, where nothing can be compiled."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1, device=device))
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        warnings.warn(f"not compiled, the update runs operation by operation: {reason}", stacklevel=2)
        return function
    return torch.compile(function)


def fuse(optimizer: torch.optim.Optimizer) -> None:
    """One kernel a step for all parameters, where the optimiser knows how to."""
    if type(optimizer) in (torch.optim.Adam, torch.optim.AdamW):
        for group in optimizer.param_groups:
            group.update(fused=True, foreach=False)
