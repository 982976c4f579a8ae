"""One market as a PettingZoo ``ParallelEnv``: several agents, each with decision units of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from ...forecasters.errors import InputError
from ..engine.actions import ActionMap, BoxActions
from ..engine.doubt import Halt
from ..engine.rewards import OwnProfit, Reward
from ..engine.running import Runner, as_written
from ..market import Market
from .batch import HORIZON, MarketBatch
from .misuse import InvalidAction, ResetNeeded, named

Owners = Callable[[Market], Mapping[str, Sequence[int]]]  # decision units of each agent, by its name


def sellers(market: Market) -> dict[str, list[int]]:
    """An agent an item: whoever sells it sets its price and orders it everywhere."""
    goods = len(market.items)
    return {
        item: [group * goods + i for group in range(len(market.groups))]
        for i, item in enumerate(market.items)
    }


def shops(market: Market) -> dict[str, list[int]]:
    """An agent a price group: whoever runs it sets all of its prices and orders."""
    goods = len(market.items)
    return {group: list(range(g * goods, (g + 1) * goods)) for g, group in enumerate(market.groups)}


class MarketplaceParallelEnv(ParallelEnv[str, np.ndarray, np.ndarray]):
    """Several agents price and replenish in one market; all decide at once, period by period.

    Observation, of an agent:
        Box [-10, 10] of U · F float32, its U units one after another; F as in ``MarketplaceEnv``.

    Action, of an agent:
        Box [-1, 1], its units one after another; with a discrete map MultiDiscrete, one number a unit.

    Reward, of an agent:
        Mean over its units of their reward (``OwnProfit`` unless another is given): rivals' profit is theirs.

    Termination:
        For all agents at once, as in ``MarketplaceEnv``.

    State:
        ``mercato.envs.engine.types.State`` of one market. ``reset(seed=s)`` plays episode 0 under seed s, a
        reset without seed the next one.

    Args:
        market: the market, or the folder of a fitted one.
        owners: whose the decision units are, ``sellers`` or ``shops`` or another such function; a unit is a
            (price group, item), numbered group · I + item.
        horizon: periods an episode.
        actions: makes the action map for the market.
        reward: pays the units.
        halt: ends the episode where the model is unsure.
        run: how a period is run, ``as_written`` or ``Compiled()``.

    Raises:
        InputError: an argument is unknown or not what it should be; a unit has no owner or two; an action is
            not of the action space, or an agent's is missing; a step where no episode is being played.
        UnplayableError: the market brings what is no finite number.
    """

    metadata: dict[str, Any] = {"name": "marketplace_v0", "render_modes": []}  # noqa: RUF012  (PettingZoo's)

    @named
    def __init__(
        self,
        market: Market | str | Path,
        owners: Owners = sellers,
        horizon: int = HORIZON,
        actions: Callable[[Market], ActionMap] = BoxActions,
        reward: Reward | None = None,
        halt: Halt = Halt(),
        run: Runner = as_written,
    ) -> None:
        self.batch = MarketBatch(market, 1, horizon, actions, reward or OwnProfit(), halt, run)
        self.render_mode = None
        self._units = _owned(owners(self.batch.market), self.batch.units)
        self.possible_agents = list(self._units)
        self.agents: list[str] = []
        one, option = self.batch.unit_space(), self.batch.actions.space
        self._observations = {
            agent: spaces.Box(one.low.min(), one.high.max(), (len(units) * one.shape[0],), dtype=np.float32)
            for agent, units in self._units.items()
        }
        self._actions: dict[str, spaces.Space] = {
            agent: spaces.MultiDiscrete([int(option.n)] * len(units))
            if isinstance(option, spaces.Discrete)
            else spaces.Box(-1.0, 1.0, (len(units) * int(np.prod(option.shape)),), dtype=np.float32)  # type: ignore[arg-type]
            for agent, units in self._units.items()
        }
        self._begun = False

    def __repr__(self) -> str:
        return f"{self.batch.told(type(self).__name__)[:-1]}, agents={len(self.possible_agents)})"

    def observation_space(self, agent: str) -> spaces.Box:
        return self._observations[agent]

    def action_space(self, agent: str) -> spaces.Space:
        return self._actions[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
        if seed is None and self._begun:
            observation = self.batch.restart(self.batch.everywhere())
        else:
            fresh = int(np.random.default_rng().integers(2**31)) if seed is None else seed
            observation = self.batch.begin(fresh)
        self._begun, self.agents = True, list(self.possible_agents)
        return self._split(self.batch.array(observation, "observation")[0]), {a: {} for a in self.agents}

    def step(
        self, actions: Mapping[str, np.ndarray]
    ) -> tuple[
        dict[str, np.ndarray], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:
        if not self.agents:
            raise ResetNeeded("no episode is being played: expected reset() before the next step()")
        played = self.batch.step(self.batch.tensor(self._joined(actions)))
        observations = self._split(self.batch.array(played.observation, "observation")[0])
        reward = self.batch.array(played.reward, "reward")[0]
        rewards = {agent: float(reward[units].mean()) for agent, units in self._units.items()}
        terminated, truncated = bool(played.terminated), bool(played.truncated)
        ends = dict.fromkeys(self.agents, terminated), dict.fromkeys(self.agents, truncated)
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        if terminated or truncated:
            self.agents = []
        return observations, rewards, *ends, infos

    def _split(self, observation: np.ndarray) -> dict[str, np.ndarray]:
        """Of each agent, from (U, F)."""
        return {agent: observation[units].reshape(-1) for agent, units in self._units.items()}

    def _joined(self, actions: Mapping[str, np.ndarray]) -> np.ndarray:
        """(U, …) actions of all units from those of the agents."""
        if missing := [agent for agent in self.agents if agent not in actions]:
            raise InvalidAction(f"action: expected one of every agent, found none of {missing[0]}")
        shape = self.batch.actions.space.shape
        whole = np.zeros((self.batch.units, *shape), dtype=np.float64)  # type: ignore[misc]
        for agent, units in self._units.items():
            given, space = np.asarray(actions[agent]), self._actions[agent]
            if given.shape != space.shape:
                raise InvalidAction(f"action of {agent}: expected shape {space.shape}, found {given.shape}")
            whole[units] = given.reshape(len(units), *shape)  # type: ignore[misc]
        return whole


def _owned(units: Mapping[str, Sequence[int]], count: int) -> dict[str, np.ndarray]:
    """Units of each agent.

    Raises:
        InputError: a unit has no owner, or two.
    """
    owned = {agent: np.asarray(list(mine), dtype=np.int64) for agent, mine in units.items()}
    everything = np.sort(np.concatenate(list(owned.values()))) if owned else np.zeros(0, dtype=np.int64)
    if not np.array_equal(everything, np.arange(count)):
        raise InputError(
            f"owners: expected every decision unit from 0 to {count - 1} to have one agent,"
            f" found {everything.tolist()}"
        )
    return owned
