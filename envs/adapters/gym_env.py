"""One market as a ``gymnasium.Env``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ..engine.actions import ActionMap, BoxActions
from ..engine.doubt import Halt
from ..engine.rewards import CategoryProfit, Reward
from ..engine.running import Runner, as_written
from ..market import Market
from .batch import HORIZON, MarketBatch


class MarketplaceEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """A retailer prices and replenishes every item at every location, period by period.

    Observation:
        Box [-10, 10] of U · F float32, unit after unit; the F features are named and defined in
        ``mercato.envs.engine.observation.FEATURES``. A decision unit is a (price group, item), numbered
        group · I + item, U in all.

    Action:
        Box [-1, 1] of U · 2 float32, unit after unit: price, log-linear in the supported range, and
        order-up-to level, in periods of the demand expected at that price. Other maps by ``actions``; with a
        discrete one the space is MultiDiscrete, one number a unit. Price rules and capacity then apply.

    Reward:
        Mean over the units of their reward (``CategoryProfit`` unless another is given): profit in multiples
        of typical revenue. ``info["profit"]`` is the period's cash profit in money; summed over an episode it
        charges opening stock and credits closing stock at unit cost. ``info["disagreement"]`` and
        ``info["off_support"]`` say how far to trust the period: how unsure the demand model was of mean
        demand (standard deviation of its logarithm) and how far prices lay outside the supported range (log
        distance), means over the series by typical revenue.

    Termination:
        Where ``halt`` says that the model is not to be trusted any more; never, unless one is given. The
        episode truncates after ``horizon`` periods.

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
        render_mode: None; nothing is drawn.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium's own declaration)

    def __init__(
        self,
        market: Market | str | Path,
        horizon: int = HORIZON,
        actions: Callable[[Market], ActionMap] = BoxActions,
        reward: Reward | None = None,
        halt: Halt = Halt(),
        run: Runner = as_written,
        render_mode: str | None = None,
    ) -> None:
        self.batch = MarketBatch(market, 1, horizon, actions, reward or CategoryProfit(), halt, run)
        self.observation_space = self.batch.market_space()
        self.action_space = self.batch.market_actions()
        self.render_mode = render_mode
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is None and self._begun:
            observation = self.batch.restart(self.batch.everywhere())
        else:
            observation = self.batch.begin(int(self.np_random.integers(2**31)) if seed is None else seed)
        self._begun = True
        return observation.flatten().cpu().numpy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        played = self.batch.step(self.batch.tensor(action))
        info = {name: float(value) for name, value in played.info.items()}
        observation, reward = played.observation.flatten().cpu().numpy(), float(played.reward.mean())
        return observation, reward, bool(played.terminated), bool(played.truncated), info
