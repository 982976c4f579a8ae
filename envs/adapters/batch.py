"""What all adapters share: markets played through actions, observations and rewards, in tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from torch import Tensor

from ...forecasters.errors import InputError, UnplayableError, whole
from ..engine.actions import ActionMap
from ..engine.doubt import Halt, over_market
from ..engine.finite import all_finite
from ..engine.observation import BOUND, Observation
from ..engine.rewards import Reward
from ..engine.running import Runner, as_written
from ..engine.types import Outcome, State
from ..market import Market
from ..simulator import LARGEST_SEED, Simulator
from .misuse import InvalidAction, ResetNeeded

HORIZON = 26  # periods an episode, where the caller names none


@dataclass(frozen=True)
class Played:
    """What one period brought to the markets of a batch."""

    observation: Tensor  # (B, U, F) at the next decision
    reward: Tensor  # (B, U)
    terminated: Tensor  # (B,) bool the market was halted or its season has ended
    truncated: Tensor  # (B,) bool the episode reached its horizon
    info: dict[str, Tensor]  # each (B,): cash profit in money; disagreement and off_support, mean over series
    drawn: dict[str, Tensor]  # each (B,): what a picture shows of the period; empty where none is wanted


# of the state before a period and what it brought: what a picture shows, each (B,)
Drawn = Callable[[State, Outcome, Market], dict[str, Tensor]]

# what is seen of a market, such as ``Observation.of``
Observe = Callable[[Market], Observation]


def nothing(state: State, outcome: Outcome, market: Market) -> dict[str, Tensor]:
    """Where no picture is wanted."""
    return {}


class MarketBatch:
    """``n_markets`` markets, U decision units each, at the moment of decision.

    Args:
        market: the market, or the folder of a fitted one.
        actions: makes the action map for the market, such as ``BoxActions``.
        reward: pays the units.
        halt: ends episodes early, at its penalty.
        run: how a period is run, ``as_written`` or ``Compiled()``.
        drawn: what is kept of a period for a picture.
        observation: makes what is seen of the market; ``partial(Observation.of, slots=8)`` shows more of the
            pipeline than the lead time has, for a policy of several lead times.

    Raises:
        InputError: no market, no period, or something else in an argument's place.
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
        drawn: Drawn = nothing,
        observation: Observe = Observation.of,
    ) -> None:
        self.n_markets, horizon = whole("n_markets", n_markets), whole("horizon", horizon)
        for name, value, meant, right in (
            ("actions", actions, "what makes an action map, like BoxActions", callable(actions)),
            ("reward", reward, "an object that pays, like CategoryProfit()", _callable_object(reward)),
            ("halt", halt, "a Halt", isinstance(halt, Halt)),
            ("run", run, "as_written or Compiled()", _callable_object(run)),
            ("observation", observation, "what makes an Observation", callable(observation)),
        ):
            if not right:
                raise InputError(f"{name}: expected {meant}, found {value!r:.60}")
        self.market, self.reward, self.halt, self.drawn = as_market(market), reward, halt, drawn
        self.horizon = self.market.economics.episode(horizon)
        self.actions, self.observation = actions(self.market), observation(self.market)
        self.units = len(self.market.groups) * len(self.market.items)
        self._period = run(self._play)

    def told(self, kind: str) -> str:
        """One line on an environment of that kind."""
        size = f"markets={self.n_markets}, units={self.units}, horizon={self.horizon}"
        return f"{kind}({self.market.name!r}, {size})"

    def begin(self, seed: int) -> Tensor:
        """Observations (B, U, F) of the first episodes under ``seed``."""
        seed %= LARGEST_SEED
        self.simulator = Simulator(self.market, self.n_markets, self.horizon, seed, halt=self.halt)
        return self.look(self.simulator.reset())

    def restart(self, which: Tensor) -> Tensor:
        """Observations (B, U, F) after the markets in ``which`` (B,) bool have begun their next episode."""
        return self.look(self.simulator.restart(self.state, which))

    def step(self, action: Tensor) -> Played:
        """Play ``action`` (B · U, …).

        Raises:
            ResetNeeded: no episode has begun.
        """
        if not hasattr(self, "state"):
            raise ResetNeeded("expected reset() before the first step()")
        self.state, played = self._period(self.state, action)
        return played

    @torch.no_grad()
    def _play(self, state: State, action: Tensor) -> tuple[State, Played]:
        """One period, pure: the state after it, and what it brought."""
        action = action.view(self.n_markets, self.units, *self.actions.space.shape)  # type: ignore[misc]
        decision = self.actions.to_decision(action, self.simulator.view(state))
        before = state
        state, outcome = self.simulator.step(state, decision)
        terminated = self.simulator.terminated(state)
        reward = self.reward(outcome, self.market) - self.halt.penalty * state.halted.unsqueeze(1)
        played = Played(
            observation=self.observation(self.simulator.view(state)),
            reward=reward,
            terminated=terminated,
            truncated=self.simulator.done(state) & ~terminated,
            info={
                "profit": outcome.profit.sum((1, 2)),
                "disagreement": over_market(outcome.disagreement, self.market),
                "off_support": over_market(outcome.off_support, self.market),
            },
            drawn=self.drawn(before, outcome, self.market),
        )
        return state, played

    def everywhere(self) -> Tensor:
        """(B,) all markets, as ``restart`` takes them."""
        return torch.ones(self.n_markets, dtype=torch.bool, device=self.market.device)

    def tensor(self, actions: Any, shape: tuple[int, ...] | None = None) -> Tensor:
        """Actions of ``shape``, all units' in order, on the market's device; on a CPU the same memory.

        Args:
            shape: that is expected; (B · U, …), one row a decision unit, where None.

        Raises:
            InvalidAction: another shape, no numbers, one that is not finite, an option that there is not.
        """
        space = self.actions.space
        shape = shape or (self.n_markets * self.units, *space.shape)  # type: ignore[misc]
        try:
            given = np.asarray(actions)
        except (ValueError, TypeError, RuntimeError):  # ragged lists; tensors with a gradient or on a GPU
            raise InvalidAction(
                f"action: expected an array of shape {shape}, found {type(actions).__name__} that is none"
            ) from None
        if given.shape != shape or given.dtype.kind not in "iuf":
            raise InvalidAction(
                f"action: expected numbers of shape {shape}, {self.n_markets} markets × {self.units} decision"
                f" units × {self._numbers}, found {given.dtype} of shape {given.shape}"
            )
        self._refuse(given, ~np.isfinite(given), "finite numbers")
        if isinstance(space, spaces.Discrete):
            wrong = (given < 0) | (given >= space.n) | (given != np.floor(given))
            self._refuse(given, wrong, f"whole numbers from 0 to {space.n - 1}")
        with np.errstate(over="ignore"):  # what is beyond float32 is beyond the ends of any map
            narrow = np.ascontiguousarray(given, dtype=space.dtype)
        return torch.from_numpy(narrow).to(self.market.device)

    @property
    def _numbers(self) -> int:
        """Of which the action of a unit consists."""
        return int(np.prod(self.actions.space.shape))  # type: ignore[arg-type]

    def _refuse(self, given: np.ndarray, wrong: np.ndarray, expected: str) -> None:
        """Raises InvalidAction for the first number that is ``wrong``: which it is, and of which unit."""
        if not wrong.any():
            return
        place = int(np.argmax(wrong.reshape(-1)))
        slot, number = divmod(place, self._numbers)
        market, unit = divmod(slot, self.units)
        raise InvalidAction(
            f"action: expected {expected}, found {given.reshape(-1)[place]} in place {place}: number {number}"
            f" of market {market}, {self._unit(unit)}"
        )

    def refuse(self, values: Tensor, what: str) -> None:
        """``array``'s refusal, without bringing the values over."""
        if not all_finite(values):
            self.array(values, what)

    def _unit(self, unit: int) -> str:
        group, item = divmod(unit, len(self.market.items))
        return f"price group {self.market.groups[group]}, item {self.market.items[item]}"

    def array(self, values: Tensor, what: str) -> np.ndarray:
        """``values`` (B, …) for the world outside.

        Raises:
            UnplayableError: one is no finite number; says what it is and of which market and unit.
        """
        out = values.cpu().numpy()
        if not np.isfinite(out.sum()) and not (finite := np.isfinite(out)).all():
            first = tuple(np.argwhere(~finite)[0].tolist())
            raise UnplayableError(
                f"{what}: expected finite numbers, found {out[first]} in market {first[0]}"
                + (f", {self._unit(first[1])}" if len(first) > 1 else "")
                + (f": {self.observation.names[first[2]]}" if len(first) > 2 else "")
            )
        return out

    def unit_space(self) -> spaces.Box:
        """Observation of one unit: (F,)."""
        return spaces.Box(-BOUND, BOUND, (len(self.observation),), dtype=np.float32)

    def market_space(self) -> spaces.Box:
        """Observation of one market: (U · F,), unit after unit."""
        return spaces.Box(-BOUND, BOUND, (self.units * len(self.observation),), dtype=np.float32)

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
        return self.observation(self.simulator.view(state))


def as_market(market: Market | str | Path) -> Market:
    """The market itself, or the one fitted into a folder.

    Raises:
        InputError: it is neither, or the folder holds none.
    """
    if isinstance(market, Market):
        return market
    if not isinstance(market, str | Path):
        raise InputError(f"market: expected a Market or the folder of a fitted one, found {market!r:.60}")
    from ..store import load_market

    return load_market(Path(market))


def _callable_object(value: Any) -> bool:
    """An object that can be called; not the class that makes one."""
    return callable(value) and not isinstance(value, type)


class Timed:
    """Gymnasium's ``spec``, which says after how many periods the environment truncates by itself."""

    batch: MarketBatch
    _spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = spec and replace(spec, max_episode_steps=self.batch.horizon)
