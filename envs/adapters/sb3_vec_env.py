"""One learner slot a (market, decision unit), as Stable-Baselines3's ``VecEnv``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn
from torch import Tensor

from ..engine.actions import ActionMap, BoxActions
from ..engine.rewards import CategoryProfit, Reward
from ..market import Market
from .batch import HORIZON, MarketBatch


class MarketplaceVecEnv(VecEnv):
    """``n_markets`` markets of U decision units as n_markets · U slots: slot = market · U + unit.

    A slot observes (F,), acts with one unit's action ((2,) or Discrete) and gets that unit's reward; slots
    share the policy. All markets begin and truncate together, so that no step has to ask the device when.
    ``reset_tensor`` and ``step_tensor`` are the same without numpy.

    Args:
        market: the market, or the folder of a fitted one.
        n_markets: markets side by side.
        horizon: periods an episode.
        seed: of the first reset, where ``seed()`` is not called.
        actions: makes the action map for the market.
        reward: pays the units.
    """

    def __init__(
        self,
        market: Market | str | Path,
        n_markets: int,
        horizon: int = HORIZON,
        seed: int = 0,
        actions: Callable[[Market], ActionMap] = BoxActions,
        reward: Reward | None = None,
    ) -> None:
        self.batch = MarketBatch(market, n_markets, horizon, actions, reward or CategoryProfit())
        self.render_mode = None
        super().__init__(n_markets * self.batch.units, self.batch.unit_space(), self.batch.actions.space)
        self._begin_with: int | None = seed
        self._age = 0
        self._everywhere = self.batch.everywhere()
        self._nothing: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]

    def reset_tensor(self) -> Tensor:
        """Observations (n_markets · U, F) of the next episodes, or of the first ones under a new seed."""
        if self._seeds[0] is not None:
            self._begin_with = self._seeds[0]
        seed, self._begin_with, self._age = self._begin_with, None, 0
        self._reset_seeds()
        observation = self.batch.restart(self._everywhere) if seed is None else self.batch.begin(seed)
        return observation.flatten(0, 1)

    def step_tensor(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Play one period: observations (N, F), rewards (N,), last observations (N, F) or None.

        The last observations come where the period ended the episode; then the first ones begin the next.
        """
        observation, reward, _, _ = self.batch.step(actions)
        self._age += 1
        if self._age < self.batch.horizon:
            return observation.flatten(0, 1), reward.flatten(), None
        self._age = 0
        return self.batch.restart(self._everywhere).flatten(0, 1), reward.flatten(), observation.flatten(0, 1)

    def reset(self) -> np.ndarray:
        return self.reset_tensor().cpu().numpy()

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        observation, reward, last = self.step_tensor(self.batch.tensor(self._actions))
        dones = np.full(self.num_envs, last is not None)
        return observation.cpu().numpy(), reward.cpu().numpy(), dones, self._infos(last)

    def _infos(self, last: Tensor | None) -> list[dict[str, Any]]:
        """Empty dicts, shared by all steps, but for finished episodes."""
        if last is None:
            return self._nothing
        return [{"terminal_observation": row, "TimeLimit.truncated": True} for row in last.cpu().numpy()]

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set for all slots: they are one object."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Called once, whatever the indices; its answer for every slot asked."""
        answer = getattr(self, method_name)(*method_args, **method_kwargs)
        return [answer for _ in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        return [False for _ in self._get_indices(indices)]
