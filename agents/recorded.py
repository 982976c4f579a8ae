"""Customers met once and met again: what tuning plays its many trials with.

A demand process' own memory costs most of a step, and hardly hangs on what a policy does: the noise is the
customers' own, and what a learned market remembers is freed of prices. So its states are recorded once, and
trials of prices ask them what demand is at other prices; trials of orders, at prices that do not look at the
stock, meet demand that is recorded itself. Where demand answers to past prices (stockpiling, carry-over) the
first is an approximation; where an observer sees only sales, both are. Customers who leave answer to stock:
they are no part of a recording, but play around it (``CustomerMarket``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..envs.engine import tree
from ..envs.engine.types import Decision
from ..envs.engine.view import View
from ..envs.market import Market
from ..envs.processes import CustomerMarket
from ..envs.simulator import Simulator
from ..forecasters.simulation import DemandProcess, Outlook, Period
from ..forecasters.tensors import NoiseKey
from .policy import Policy, PriceRule


@dataclass(frozen=True)
class RecordedState:
    """Where in a recording the markets are; all of them in the same period."""

    row: Tensor | None  # (B,) int64 the recorded episode that each market plays; None: all, in order
    age: int  # periods played


class _Recording:
    """What recorded processes share: a market plays the recorded episode of its own number."""

    def __init__(self, process: DemandProcess, episodes: int) -> None:
        self.process, self.episodes = process, episodes
        self.locations, self.items, self.periods = process.locations, process.items, process.periods

    @property
    def calendar(self) -> bool:
        return self.process.calendar

    def reset(self, start: Tensor, key: NoiseKey) -> RecordedState:
        row = key.episode
        every = torch.arange(self.episodes, device=row.device)
        return RecordedState(None if torch.equal(row, every) else row, 0)

    def advance(self, state: RecordedState, period: Period, key: NoiseKey) -> RecordedState:
        return RecordedState(state.row, state.age + 1)

    def disagreement(self, state: RecordedState, price: Tensor) -> Tensor:
        return torch.zeros_like(price)

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Any:
        raise NotImplementedError("recorded customers are met where they were recorded")

    def to(self, device: torch.device | str) -> Any:
        raise NotImplementedError("recorded customers are met where they were recorded")


class RecordedStates(_Recording):
    """The states of a process, period by period, whatever is charged and sold."""

    def __init__(self, process: DemandProcess, episodes: int, states: Sequence[Any]) -> None:
        super().__init__(process, episodes)
        self.states = states  # (H), of E markets each

    def at(self, state: RecordedState) -> Any:
        """The process' own state of each market."""
        states, row = self.states[state.age], state.row
        return states if row is None else tree.each(lambda tensor: tensor[row], states)

    def outlook(self, state: RecordedState) -> Outlook:
        return self.process.outlook(self.at(state))

    def expected(self, state: RecordedState, price: Tensor) -> Tensor:
        return self.process.expected(self.at(state), price)

    def later(self, state: RecordedState, price: Tensor, periods: int) -> Tensor:
        return self.process.later(self.at(state), price, periods)

    def sample(self, state: RecordedState, price: Tensor, key: NoiseKey) -> Tensor:
        return self.process.sample(self.at(state), price, key)


@dataclass(frozen=True)
class _Met:
    """What a period was like at the prices charged; every field (E, S, I)."""

    price: Tensor  # asked for
    demand: Tensor
    expected: Tensor  # at that price
    until_arrival: Tensor  # expected until the next order but one arrives
    mean: Tensor  # of the outlook
    spread: Tensor
    elasticity: Tensor


class RecordedDemand(_Recording):
    """Demand itself at the prices of a rule, and what was expected of it."""

    def __init__(self, process: DemandProcess, episodes: int, met: Sequence[_Met]) -> None:
        super().__init__(process, episodes)
        self.met = met  # (H)

    def _of(self, state: RecordedState, name: str) -> Tensor:
        values: Tensor = getattr(self.met[state.age], name)
        return values if state.row is None else values[state.row]

    def price(self, state: RecordedState) -> Tensor:
        """(B, S, I) what the rule asked for."""
        return self._of(state, "price")

    def outlook(self, state: RecordedState) -> Outlook:
        mean, spread, elasticity = (self._of(state, name) for name in ("mean", "spread", "elasticity"))
        return Outlook(mean, spread, elasticity)

    def expected(self, state: RecordedState, price: Tensor) -> Tensor:
        return self._of(state, "expected")

    def later(self, state: RecordedState, price: Tensor, periods: int) -> Tensor:
        return self._of(state, "until_arrival")  # the only question that order rules have

    def sample(self, state: RecordedState, price: Tensor, key: NoiseKey) -> Tensor:
        return self._of(state, "demand")


@dataclass(frozen=True)
class AsRecorded:
    """The prices at which demand was recorded."""

    def price(self, view: View) -> Tensor:
        process, state = untouched(view.market), view.state.demand
        assert isinstance(process, RecordedDemand)
        return process.price(state if process is view.market.demand else state.process)


def untouched(market: Market) -> DemandProcess:
    """What is recorded: demand before customers who leave."""
    demand = market.demand
    return demand.process if isinstance(demand, CustomerMarket) else demand


@torch.no_grad()
def record(market: Market, policy: Policy, episodes: int, horizon: int, seed: int) -> Market:
    """The market with the states that its customers go through under ``policy`` (``RecordedStates``)."""
    if isinstance(market.demand, CustomerMarket):
        inner = record(market.with_demand(market.demand.process), policy, episodes, horizon, seed)
        return market.with_demand(market.demand.around(inner.demand))
    horizon = market.economics.episode(horizon)
    simulator = Simulator(market, episodes, horizon, seed, evaluation=True)
    state, states = simulator.reset(), []
    for _ in range(simulator.horizon):
        states.append(state.demand)
        state, _ = simulator.step(state, policy.decide(simulator.view(state)))
    return market.with_demand(RecordedStates(market.demand, episodes, states))


@torch.no_grad()
def at_prices(market: Market, pricing: PriceRule, episodes: int, horizon: int, seed: int) -> Market:
    """The market whose customers have met the prices of a rule that does not look at the stock."""
    if isinstance(market.demand, CustomerMarket):
        inner = at_prices(market.with_demand(market.demand.process), pricing, episodes, horizon, seed)
        return market.with_demand(market.demand.around(inner.demand))
    horizon = market.economics.episode(horizon)
    simulator = Simulator(market, episodes, horizon, seed, evaluation=True)
    state, met = simulator.reset(), []
    for _ in range(simulator.horizon):
        view = simulator.view(state)
        price = pricing.price(view)
        expected, until = view.expected(price), view.expected_until_arrival(price)
        state, outcome = simulator.step(state, Decision(price=price, order=torch.zeros_like(price)))
        outlook = view.outlook
        told = _Met(price, outcome.demand, expected, until, outlook.mean, outlook.spread, outlook.elasticity)
        met.append(tree.laid_out(told))
    return market.with_demand(RecordedDemand(market.demand, episodes, met))
