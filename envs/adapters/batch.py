"""What all adapters share: markets played through actions, observations and rewards, in tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ...forecasters.errors import InputError
from ..engine.actions import ActionMap
from ..engine.doubt import Halt, over_market
from ..engine.observation import BOUND, FEATURES, observe
from ..engine.rewards import Reward
from ..engine.running import Runner, as_written
from ..engine.types import State
from ..market import Market
from ..simulator import LARGEST_SEED, Simulator

HORIZON = 26  # periods an episode, where the caller names none


@dataclass(frozen=True)
class Played:
    """What one period brought to the markets of a batch."""

    observation: Tensor  # (B, U, F) at the next decision
    reward: Tensor  # (B, U)
    terminated: Tensor  # (B,) bool the market was halted
    truncated: Tensor  # (B,) bool the episode reached its horizon
    info: dict[str, Tensor]  # each (B,): cash profit in money; disagreement and off_support, mean over series


class MarketBatch:
    """``n_markets`` markets, U decision units each, at the moment of decision.

    Args:
        market: the market, or the folder of a fitted one.
        actions: makes the action map for the market, such as ``BoxActions``.
        reward: pays the units.
        halt: ends episodes early, at its penalty.
        run: how a period is run, ``as_written`` or ``Compiled()``.
    """

    state: State  # at the moment of decision

    def __init__(
        self,
        market: Market | str | Path,
        n_markets: int,
        horizon: int,
        actions: Callable[[Market], ActionMap],
        reward: Reward,
        halt: Halt = Halt(),
        run: Runner = as_written,
    ) -> None:
        for name, value in (("n_markets", n_markets), ("horizon", horizon)):
            if value < 1:
                raise InputError(f"{name}: expected 1 or more, found {value}")
        self.market = as_market(market)
        self.n_markets, self.horizon, self.reward, self.halt = n_markets, horizon, reward, halt
        self.actions = actions(self.market)
        self.units = len(self.market.groups) * len(self.market.items)
        self._period = run(self._play)

    def begin(self, seed: int) -> Tensor:
        """Observations (B, U, F) of the first episodes under ``seed``."""
        seed %= LARGEST_SEED
        self.simulator = Simulator(self.market, self.n_markets, self.horizon, seed, halt=self.halt)
        return self.look(self.simulator.reset())

    def restart(self, which: Tensor) -> Tensor:
        """Observations (B, U, F) after the markets in ``which`` (B,) bool have begun their next episode."""
        return self.look(self.simulator.restart(self.state, which))

    def step(self, action: Tensor) -> Played:
        """Play ``action`` (B · U, …)."""
        self.state, played = self._period(self.state, action)
        return played

    @torch.no_grad()
    def _play(self, state: State, action: Tensor) -> tuple[State, Played]:
        """One period, pure: the state after it, and what it brought."""
        action = action.view(self.n_markets, self.units, *self.actions.space.shape)  # type: ignore[misc]
        decision = self.actions.to_decision(action, self.simulator.view(state))
        state, outcome = self.simulator.step(state, decision)
        reward = self.reward(outcome, self.market) - self.halt.penalty * state.halted.unsqueeze(1)
        played = Played(
            observation=observe(self.simulator.view(state)),
            reward=reward,
            terminated=state.halted,
            truncated=self.simulator.done(state) & ~state.halted,
            info={
                "profit": outcome.profit.sum((1, 2)),
                "disagreement": over_market(outcome.disagreement, self.market),
                "off_support": over_market(outcome.off_support, self.market),
            },
        )
        return state, played

    def everywhere(self) -> Tensor:
        """(B,) all markets, as ``restart`` takes them."""
        return torch.ones(self.n_markets, dtype=torch.bool, device=self.market.device)

    def tensor(self, actions: np.ndarray) -> Tensor:
        """Actions on the market's device; on a CPU the same memory.

        Raises:
            InputError: they are not of the batch's units, hold a number that is none or an option that there
                is not, or no episode has begun.
        """
        if not hasattr(self, "state"):
            raise InputError("expected reset() before the first step()")
        space, given = self.actions.space, np.asarray(actions)
        wanted = self.n_markets * self.units * int(np.prod(space.shape))  # type: ignore[arg-type]
        if given.size != wanted or not np.issubdtype(given.dtype, np.number):
            raise InputError(
                f"action: expected {wanted} numbers ({self.n_markets} markets × {self.units} decision units"
                f" × {int(np.prod(space.shape))}), found {given.size} of {given.dtype}"  # type: ignore[arg-type]
            )
        if not np.isfinite(given).all():
            bad = int(np.argmax(~np.isfinite(given.reshape(-1))))
            raise InputError(
                f"action: expected finite numbers, found {given.reshape(-1)[bad]} in place {bad}"
            )
        if isinstance(space, spaces.Discrete) and not ((given >= 0) & (given < space.n)).all():
            raise InputError(
                f"action: expected whole numbers from 0 to {space.n - 1}, found {given.min()} to"
                f" {given.max()}"
            )
        return torch.from_numpy(np.ascontiguousarray(given, dtype=space.dtype)).to(self.market.device)

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
    def look(self, state: State) -> Tensor:
        """Observations (B, U, F) of the batch in ``state``, which it is in from now on."""
        self.state = state
        return observe(self.simulator.view(state))


def as_market(market: Market | str | Path) -> Market:
    """The market itself, or the one fitted into a folder."""
    if isinstance(market, Market):
        return market
    from ..store import load_market

    return load_market(Path(market))
