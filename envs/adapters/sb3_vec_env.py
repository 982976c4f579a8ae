"""One learner slot a (market, decision unit), as Stable-Baselines3's ``VecEnv``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn
from torch import Tensor

from ..engine import tree
from ..engine.actions import ActionMap, BoxActions
from ..engine.doubt import Halt
from ..engine.observation import Observation
from ..engine.rewards import CategoryProfit, Reward
from ..engine.running import Runner, as_written
from ..market import Market
from .batch import HORIZON, MarketBatch, Observe
from .misuse import named

_DOUBTS = ("disagreement", "off_support")


@dataclass(frozen=True)
class Ended:
    """The episodes that a period ended, by slot; rows of slots that play on mean nothing."""

    done: Tensor  # (N,) bool
    terminated: Tensor  # (N,) bool halted or at the season's end, not truncated
    observation: Tensor  # (N, F) the last one
    doubt: Tensor  # (N, 2) disagreement and off_support of the slot's market, means over the episode

    def infos(self, running: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """SB3's infos: those of ``running`` but for the slots that are done."""
        infos, last = list(running), self.observation.cpu().numpy()
        terminated, doubt = self.terminated.tolist(), self.doubt.tolist()
        for slot in self.done.nonzero()[:, 0].tolist():
            infos[slot] = {
                "terminal_observation": last[slot],
                "TimeLimit.truncated": not terminated[slot],
                **dict(zip(_DOUBTS, doubt[slot], strict=True)),
            }
        return infos


class MarketplaceVecEnv(VecEnv):
    """``n_markets`` markets of U decision units as n_markets · U slots: slot = market · U + unit.

    A slot observes (F,), acts with one unit's action ((2,) or Discrete) and gets that unit's reward; slots
    share the policy. ``reset_tensor`` and ``step_tensor`` are the same without numpy. Without a ``halt`` all
    markets begin and end together, and no step has to ask the device when; with one they end apart.
    Training belongs here: one batched step for all markets, one policy for all units, and, with ``DevicePPO``
    and ``DeviceDQN``, nothing that leaves the device.

    The info of a finished episode has its mean ``disagreement`` and ``off_support``.

    Args:
        market: the market, or the folder of a fitted one.
        n_markets: markets side by side.
        horizon: periods an episode.
        seed: of the first reset, where ``seed()`` is not called.
        actions: makes the action map for the market.
        reward: pays the units; ``Cautious(…)`` charges it for what the model is unsure of.
        halt: ends a market's episode where the model is unsure: terminated, not truncated.
        run: how a period is run, ``as_written`` or ``Compiled()``.
        observation: makes what is seen of the market, ``Observation.of`` or one with more pipeline slots.
    """

    @named
    def __init__(
        self,
        market: Market | str | Path,
        n_markets: int,
        horizon: int = HORIZON,
        seed: int = 0,
        actions: Callable[[Market], ActionMap] = BoxActions,
        reward: Reward | None = None,
        halt: Halt = Halt(),
        run: Runner = as_written,
        observation: Observe = Observation.of,
    ) -> None:
        reward = reward or CategoryProfit()
        self.batch = MarketBatch(
            market, n_markets, horizon, actions, reward, halt, run, observation=observation
        )
        self.render_mode = None
        slots = self.batch.n_markets * self.batch.units
        super().__init__(slots, self.batch.unit_space(), self.batch.actions.space)
        self._begin_with: int | None = seed
        self._everywhere = self.batch.everywhere()
        self._nothing: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]  # infos, shared by all steps

    def __repr__(self) -> str:
        return self.batch.told(type(self).__name__)

    def reset_tensor(self) -> Tensor:
        """Observations (n_markets · U, F) of the next episodes, or of the first ones under a new seed."""
        if self._seeds[0] is not None:
            self._begin_with = self._seeds[0]
        seed, self._begin_with, self._steps = self._begin_with, None, 0
        self._sums = torch.zeros(self.batch.n_markets, len(_DOUBTS) + 1, device=self._everywhere.device)
        self._reset_seeds()
        observation = self.batch.restart(self._everywhere) if seed is None else self.batch.begin(seed)
        return observation.flatten(0, 1)

    def step_tensor(self, actions: Tensor) -> tuple[Tensor, Tensor, Ended | None]:
        """Play one period: observations (N, F), rewards (N,), and what ended with it, None for nothing.

        Where an episode ended, the observation is the first one of the next.

        Raises:
            ResetNeeded: no episode has begun.
            UnplayableError: the market brought what is no finite number; on a GPU, and where compiled, said
                at the end of the episode, when the device is asked for the first time.
        """
        played = self.batch.step(actions)
        observation, reward = played.observation.flatten(0, 1), played.reward.flatten()
        paid = played.reward.mean(1)
        self._sums = self._sums + torch.stack([*(played.info[name] for name in _DOUBTS), paid], dim=-1)
        self._steps += 1
        if self.batch.halt.never and self._steps % self.batch.horizon:
            return observation, reward, None
        done = played.terminated | played.truncated
        if not bool(done.any()):
            return observation, reward, None
        self.batch.refuse(self._sums.sum(1), "rewards and doubts of an episode")
        self.batch.refuse(played.observation, "observation")
        mean = self._sums[:, : len(_DOUBTS)] / self.batch.state.age.unsqueeze(1)
        by_slot = partial(Tensor.repeat_interleave, repeats=self.batch.units, dim=0)
        ended = Ended(by_slot(done), by_slot(played.terminated), observation, by_slot(mean))
        self._sums = self._sums.masked_fill(done.unsqueeze(1), 0)
        return self.batch.restart(done).flatten(0, 1), reward, ended

    def tensors(self) -> list[Tensor]:
        """All that the coming periods depend on, beside the seed."""
        return [self._sums, *tree.leaves(self.batch.state)]

    def put_back(self, tensors: list[Tensor]) -> None:
        """Go on from where ``tensors`` were taken; the environment has begun under the same seed."""
        self._sums, state = tensors[0].to(self._sums.device), tensors[1:]
        self.batch.state = tree.refilled(self.batch.state, state)
        self._steps = int(self.batch.state.age[0])

    def reset(self) -> np.ndarray:
        return self._array(self.reset_tensor(), "observation")

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        observation, reward, ended = self.step_tensor(self.batch.tensor(self._actions))
        dones, infos = np.zeros(self.num_envs, dtype=bool), self._nothing
        if ended is not None:
            dones, infos = ended.done.cpu().numpy(), ended.infos(self._nothing)
        return self._array(observation, "observation"), self._array(reward, "reward"), dones, infos

    def _array(self, values: Tensor, what: str) -> np.ndarray:
        """(N, …), slot after slot; refuses what is no number."""
        by_market = values.unflatten(0, (self.batch.n_markets, self.batch.units))
        return self.batch.array(by_market, what).reshape(values.shape)

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
