"""What all adapters share: markets played through actions, observations and rewards, in tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ..engine.actions import ActionMap
from ..engine.observation import BOUND, FEATURES, observe
from ..engine.rewards import Reward
from ..engine.types import Outcome, State
from ..market import Market
from ..simulator import LARGEST_SEED, Simulator

HORIZON = 26  # periods an episode, where the caller names none


class MarketBatch:
    """``n_markets`` markets, U decision units each, at the moment of decision.

    Args:
        market: the market, or the folder of a fitted one.
        actions: makes the action map for the market, such as ``BoxActions``.
        reward: pays the units.
    """

    def __init__(
        self,
        market: Market | str | Path,
        n_markets: int,
        horizon: int,
        actions: Callable[[Market], ActionMap],
        reward: Reward,
    ) -> None:
        self.market = as_market(market)
        self.n_markets, self.horizon, self.reward = n_markets, horizon, reward
        self.actions = actions(self.market)
        self.units = len(self.market.groups) * len(self.market.items)

    def begin(self, seed: int) -> Tensor:
        """Observations (B, U, F) of the first episodes under ``seed``."""
        self.simulator = Simulator(self.market, self.n_markets, self.horizon, seed % LARGEST_SEED)
        return self._look(self.simulator.reset())

    def restart(self, which: Tensor) -> Tensor:
        """Observations (B, U, F) after the markets in ``which`` (B,) bool have begun their next episode."""
        return self._look(self.simulator.restart(self.view.state, which))

    @torch.no_grad()
    def step(self, action: Tensor) -> tuple[Tensor, Tensor, Tensor, Outcome]:
        """Play ``action`` (B · U, …): observations (B, U, F), rewards (B, U), truncated (B,), outcome."""
        action = action.view(self.n_markets, self.units, *self.actions.space.shape)  # type: ignore[misc]
        decision = self.actions.to_decision(action, self.view)
        state, outcome = self.simulator.step(self.view.state, decision)
        return self._look(state), self.reward(outcome, self.market), self.simulator.done(state), outcome

    def everywhere(self) -> Tensor:
        """(B,) all markets, as ``restart`` takes them."""
        return torch.ones(self.n_markets, dtype=torch.bool, device=self.market.device)

    def tensor(self, actions: np.ndarray) -> Tensor:
        """Actions on the market's device; on a CPU the same memory."""
        actions = np.ascontiguousarray(actions, dtype=self.actions.space.dtype)
        return torch.from_numpy(actions).to(self.market.device)

    def unit_space(self) -> spaces.Box:
        """Observation of one unit: (F,)."""
        return spaces.Box(-BOUND, BOUND, (len(FEATURES),), dtype=np.float32)

    def market_space(self) -> spaces.Box:
        """Observation of one market: (U · F,), unit after unit."""
        return spaces.Box(-BOUND, BOUND, (self.units * len(FEATURES),), dtype=np.float32)

    def market_actions(self) -> spaces.Space:
        """Action of one market: that of a unit, unit after unit."""
        space = self.actions.space
        if isinstance(space, spaces.Discrete):
            return spaces.MultiDiscrete([int(space.n)] * self.units)
        return spaces.Box(-1.0, 1.0, (self.units * int(np.prod(space.shape)),), dtype=np.float32)  # type: ignore[arg-type]

    @torch.no_grad()
    def _look(self, state: State) -> Tensor:
        self.view = self.simulator.view(state)
        return observe(self.view)


def as_market(market: Market | str | Path) -> Market:
    """The market itself, or the one fitted into a folder."""
    if isinstance(market, Market):
        return market
    from ..store import load_market

    return load_market(Path(market))


def money(outcome: Outcome) -> Tensor:
    """(B,) cash profit of each market in the period."""
    return outcome.profit.sum((1, 2))
