"""One market as a ``gymnasium.Env``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ..engine.actions import ActionMap, BoxActions
from ..engine.doubt import Halt
from ..engine.observation import Observation
from ..engine.rewards import CategoryProfit, Reward
from ..engine.running import Runner, as_written
from ..market import Market
from .batch import HORIZON, MarketBatch, Observe, Timed, nothing
from .misuse import ResetNeeded, named
from .picture import FPS, MODES, NO_MODE, Episode, drawn, known_mode


class MarketplaceEnv(Timed, gymnasium.Env[np.ndarray, np.ndarray]):
    """A retailer prices and replenishes every item at every location, period by period.

    To see, test and evaluate one market. Training belongs in the environments that play many markets in one
    batched step, ``MarketplaceVectorEnv`` (Gymnasium) and ``MarketplaceVecEnv`` (Stable-Baselines3): a step
    here costs nearly as much as one of a whole batch there.

    Observation:
        Box [-10, 10] of U · F float32, unit after unit; the F features are those that the market has, named
        by ``Observation.of(market).names`` (``mercato.envs.engine.observation``). A decision unit is a (price
        group, item), numbered group · I + item, U in all.

    Action:
        Box [-1, 1] of U · 2 float32, unit after unit: price, log-linear in the supported range, and
        order-up-to level, in periods of the demand expected at that price. What lies beyond [-1, 1] counts
        as its end. Other maps by ``actions``; with a discrete one the space is MultiDiscrete, one number a
        unit. Price rules and capacity then apply.

    Reward:
        Mean over the units of their reward (``CategoryProfit`` unless another is given): profit in multiples
        of typical revenue. ``info["profit"]`` is the period's cash profit in money; summed over an episode it
        charges opening stock and credits closing stock at unit cost. ``info["disagreement"]`` and
        ``info["off_support"]`` say how far to trust the period: how unsure the demand model was of mean
        demand (standard deviation of its logarithm) and how far prices lay outside the supported range (log
        distance), means over the series by typical revenue.

    Termination:
        At the end of the season, where the economics have one, and where ``halt`` says that the model is not
        to be trusted any more. Otherwise the episode truncates after ``horizon`` periods, which
        ``spec.max_episode_steps`` repeats.

    State:
        ``mercato.envs.engine.types.State`` of one market. ``reset(seed=s)`` plays episode 0 of slot 0 under
        seed s, a reset without seed the next one; the order of events is in ``mercato.envs.engine.step``.

    Args:
        market: the market, or the folder of a fitted one.
        horizon: periods an episode.
        actions: makes the action map for the market.
        reward: pays the units; ``Cautious(…)`` charges it for what the model is unsure of.
        halt: ends the episode where the model is unsure.
        run: how a period is run, ``as_written`` or ``Compiled()``.
        render_mode: None, or "rgb_array": ``render()`` returns a picture of the episode so far.
        observation: makes what is seen of the market.

    Raises:
        InputError: an argument is unknown or not what it should be; an action is not of the action space
            (``gymnasium.error.InvalidAction``); a step where no episode is being played, before the first
            reset or after the episode's end (``gymnasium.error.ResetNeeded``).
        UnplayableError: the market brings what is no finite number; says of which series in which period.
    """

    metadata: dict[str, Any] = {"render_modes": list(MODES), "render_fps": FPS}  # noqa: RUF012  (Gymnasium's)

    @named
    def __init__(
        self,
        market: Market | str | Path,
        horizon: int = HORIZON,
        actions: Callable[[Market], ActionMap] = BoxActions,
        reward: Reward | None = None,
        halt: Halt = Halt(),
        run: Runner = as_written,
        render_mode: str | None = None,
        observation: Observe = Observation.of,
    ) -> None:
        self.render_mode = known_mode(render_mode)
        keep = nothing if render_mode is None else drawn
        reward = reward or CategoryProfit()
        self.batch = MarketBatch(market, 1, horizon, actions, reward, halt, run, keep, observation)
        self.observation_space = self.batch.market_space()
        self.action_space = self.batch.market_actions()
        self._episode = Episode(self.batch.market, self.batch.horizon)
        self._begun, self._over = False, False

    def __repr__(self) -> str:
        return self.batch.told(type(self).__name__)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is None and self._begun:
            observation = self.batch.restart(self.batch.everywhere())
        else:
            observation = self.batch.begin(int(self.np_random.integers(2**31)) if seed is None else seed)
        self._begun, self._over = True, False
        self._episode.begin()
        return self.batch.array(observation, "observation").reshape(-1), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if self._over:
            raise ResetNeeded("the episode is over: expected reset() before the next step()")
        played = self.batch.step(self.batch.tensor(action, self.action_space.shape))
        info = {name: float(self.batch.array(value, name)[0]) for name, value in played.info.items()}
        if played.drawn:
            self._episode.add({name: float(value) for name, value in played.drawn.items()})
        observation = self.batch.array(played.observation, "observation").reshape(-1)
        reward = float(self.batch.array(played.reward, "reward").mean())
        terminated, truncated = bool(played.terminated), bool(played.truncated)
        self._over = terminated or truncated
        return observation, reward, terminated, truncated, info

    def render(self) -> np.ndarray | None:
        """(540, 720, 3) uint8 RGB: the episode so far; None, and a warning, without a ``render_mode``."""
        if self.render_mode is None:
            gymnasium.logger.warn(NO_MODE)
            return None
        if not self._begun:
            raise ResetNeeded("expected reset() before render()")
        return self._episode.picture()
