"""Many copies of one market, stepped together, as a ``gymnasium.vector.VectorEnv``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import logger
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.names import positions
from ..engine.actions import ActionMap, BoxActions
from ..engine.doubt import Halt
from ..engine.observation import Observation
from ..engine.rewards import CategoryProfit, Reward
from ..engine.running import Runner, as_written
from ..market import Market
from .batch import HORIZON, MarketBatch, Observe, Timed, nothing
from .misuse import ResetNeeded, named
from .picture import FPS, MODES, NO_MODE, Episode, drawn, known_mode


class MarketplaceVectorEnv(Timed, VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """``num_envs`` copies of ``MarketplaceEnv`` in one batch; copy b is market slot b under the one seed.

    Observation, action, reward and termination are ``MarketplaceEnv``'s, along a first axis of copies.
    Training belongs here, or in ``MarketplaceVecEnv`` for Stable-Baselines3: one batched step plays all
    copies, without processes, and costs little more than that of one.

    State:
        One batched state. ``autoreset_mode`` (an ``AutoresetMode`` or its value) says when a finished copy
        begins anew: on the next step, whose action it ignores (default); in the same step, with the last
        observation in ``infos["final_obs"]``; or when ``reset(options={"reset_mask": …})`` asks for it.

    Args:
        num_envs: copies.
        max_episode_steps: Gymnasium's name for ``horizon``, as a ``spec`` has it; one of the two is enough.

    The others, and what is refused, are ``MarketplaceEnv``'s; ``render()`` returns a picture of each copy.
    """

    @named
    def __init__(
        self,
        num_envs: int,
        market: Market | str | Path,
        horizon: int = HORIZON,
        actions: Callable[[Market], ActionMap] = BoxActions,
        reward: Reward | None = None,
        halt: Halt = Halt(),
        run: Runner = as_written,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        observation: Observe = Observation.of,
    ) -> None:
        self.render_mode, keep = known_mode(render_mode), nothing if render_mode is None else drawn
        horizon, reward = _agreed(horizon, max_episode_steps), reward or CategoryProfit()
        self.batch = MarketBatch(market, num_envs, horizon, actions, reward, halt, run, keep, observation)
        self.num_envs = num_envs = self.batch.n_markets
        self.autoreset_mode = _known_autoreset(autoreset_mode)
        self.metadata = {
            "render_modes": list(MODES),
            "render_fps": FPS,
            "autoreset_mode": self.autoreset_mode,
        }
        copies = range(num_envs if render_mode else 0)
        self._episodes = [Episode(self.batch.market, self.batch.horizon) for _ in copies]
        self.single_observation_space = self.batch.market_space()
        self.single_action_space = self.batch.market_actions()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._over: Tensor | None = None  # (B,) copies whose episode has ended; None before the first reset

    def __repr__(self) -> str:
        return self.batch.told(type(self).__name__)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """First episodes under ``seed``; without one the next, of the copies in ``reset_mask`` or of all."""
        super().reset(seed=seed)
        which = self._mask(options)
        if seed is not None or self._over is None:
            observation = self.batch.begin(int(self.np_random.integers(2**31)) if seed is None else seed)
            self._over = torch.zeros_like(which)
        else:
            observation = self.batch.restart(which)
            self._over = self._over & ~which
        self._draw_anew(which)
        return self._array(observation), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        over = self._over
        if over is None:
            raise ResetNeeded("vector environment: expected reset before the first step")
        if self.autoreset_mode is AutoresetMode.DISABLED and bool(over.any()):
            raise ResetNeeded("vector environment: expected a reset of finished copies before the step")
        played = self.batch.step(self.batch.tensor(actions, self.action_space.shape))
        observation, reward = played.observation, played.reward.mean(1).masked_fill(over, 0)
        self._draw(played.drawn, over)
        terminated, truncated = played.terminated & ~over, played.truncated & ~over
        values = {
            name: self.batch.array(value.masked_fill(over, 0), name) for name, value in played.info.items()
        }
        if bool(over.any()):
            observation = self.batch.restart(over)
        done = terminated | truncated
        self._over = done
        infos = _infos(values, ~over.cpu().numpy())
        if self.autoreset_mode is AutoresetMode.SAME_STEP and bool(done.any()):
            infos |= self._final(self._array(observation), values, done.cpu().numpy())
            observation = self.batch.restart(done)
            self._over = torch.zeros_like(done)
            self._draw_anew(done)
        ends = (terminated.cpu().numpy(), truncated.cpu().numpy())
        return self._array(observation), self.batch.array(reward.double(), "reward"), *ends, infos

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One picture (540, 720, 3) uint8 a copy, of its episode so far; None and a warning without mode."""
        if self.render_mode is None:
            logger.warn(NO_MODE)
            return None
        if self._over is None:
            raise ResetNeeded("expected reset() before render()")
        return tuple(episode.picture() for episode in self._episodes)

    def _draw(self, drawn: dict[str, Tensor], over: Tensor) -> None:
        """Keep a period of the copies that played it; the others, whose episode was ``over``, begin anew."""
        if not drawn:
            return
        self._draw_anew(over)
        rows = {name: value.tolist() for name, value in drawn.items()}
        for copy in (~over).nonzero()[:, 0].tolist():
            self._episodes[copy].add({name: row[copy] for name, row in rows.items()})

    def _draw_anew(self, which: Tensor) -> None:
        for copy in which.nonzero()[:, 0].tolist() if self._episodes else ():
            self._episodes[copy].begin()

    def _mask(self, options: dict[str, Any] | None) -> Tensor:
        """(B,) the copies to reset: ``options["reset_mask"]``, or all."""
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return self.batch.everywhere()
        if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise InputError(f"reset_mask: expected a bool array of shape ({self.num_envs},), found {mask!r}")
        return torch.from_numpy(mask).to(self.batch.market.device)

    def _array(self, observation: Tensor) -> np.ndarray:
        return self.batch.array(observation, "observation").reshape(self.num_envs, -1)

    def _final(
        self, observation: np.ndarray, values: dict[str, np.ndarray], done: np.ndarray
    ) -> dict[str, Any]:
        """Gymnasium's ``final_obs`` and ``final_info`` of the copies that are done."""
        last = np.full(self.num_envs, None, dtype=object)
        for copy in np.flatnonzero(done):
            last[copy] = observation[copy]
        info = _infos({name: np.where(done, value, 0) for name, value in values.items()}, done)
        return {"final_obs": last, "_final_obs": done, "final_info": info, "_final_info": done}


def _agreed(horizon: int, max_episode_steps: int | None) -> int:
    if max_episode_steps is None or max_episode_steps == horizon:
        return horizon
    if horizon != HORIZON:
        raise InputError(
            f"max_episode_steps: expected the horizon {horizon}, found {max_episode_steps!r:.60}"
        )
    return max_episode_steps


def _known_autoreset(mode: AutoresetMode | str) -> AutoresetMode:
    if isinstance(mode, AutoresetMode):
        return mode
    known = [one.value for one in AutoresetMode]
    return AutoresetMode(known[positions([str(mode)], known, "an autoreset_mode")[0]])


def _infos(values: dict[str, np.ndarray], present: np.ndarray) -> dict[str, Any]:
    """Gymnasium's arrays of infos: each value (B,) with the mask of the copies that have it."""
    return values | {f"_{name}": present for name in values}
