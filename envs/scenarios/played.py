"""A plan played: a simulator for each period, whose states pass from one to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...forecasters.simulation import Period
from ...forecasters.tensors import NoiseKey
from ..engine.rules import enforce
from ..engine.types import Decision, Outcome, State
from ..engine.view import View
from ..market import Market
from ..processes.wrapped import Wrapped
from ..simulator import Simulator
from . import supply
from .plan import Plan


class Final(Wrapped):
    """Customers in the last period of an episode: nobody asks what they learn in it."""

    def advance(self, state: Any, period: Period, key: NoiseKey) -> Any:
        return state


class Played:
    """``n_markets`` episodes of a plan side by side; episodes are numbered, as in an evaluation.

    The same seed has the same customers in every plan of a market.
    """

    def __init__(self, plan: Plan, n_markets: int, seed: int) -> None:
        self.plan, self._retimed = plan, supply.changed(plan)
        markets = plan.markets()
        slots = supply.slots(plan) if self._retimed else plan.market.economics.lead_time
        first = _with_lead(markets[0], slots)
        game = Simulator(first, n_markets, plan.horizon, seed, evaluation=True)
        made: dict[tuple[int, int], tuple[Market, Simulator]] = {}
        self._periods = []
        for t, market in enumerate(markets):
            lead = supply.announced(plan, t) if self._retimed else slots
            if (id(market), lead) not in made:
                made[id(market), lead] = _with_lead(market, lead), game.before(_with_lead(market, slots))
            self._periods.append(made[id(market), lead])
        view, last = self._periods[-1]
        self._periods[-1] = view, last.before(last.market.with_demand(Final(last.market.demand)))

    def reset(self, episodes: Tensor) -> State:
        """Markets at the beginning of ``episodes`` (B,) int64."""
        _, first = self._periods[0]
        if self.plan.start is None:
            return first.reset(episodes)
        return first.initial_state(torch.full_like(episodes, self.plan.start), episodes=episodes)

    def view(self, state: State, t: int) -> View:
        """What a policy may look at in period ``t``, from 0."""
        market, simulator = self._periods[t]
        view, action = replace(simulator.view(state), market=market), self.plan.actions[t]
        return view if action is None else view.addressed(action)

    def enacted(self, decision: Decision, view: View, t: int) -> Decision:
        """What becomes of a policy's decision: prices as planned, orders for the demand at them."""
        decision = self._repriced(decision, view, t)
        most = torch.where(self.plan.taken[t] > 0, self.plan.limit[t], 0.0)
        planned, own = self.plan.actions[t], decision.customers
        both = own if planned is None else planned if own is None else planned.with_(own)
        return replace(decision, order=torch.minimum(decision.order, most), customers=both)

    def _repriced(self, decision: Decision, view: View, t: int) -> Decision:
        plan, price = self.plan, decision.price
        fixed = plan.fixed[t]
        moved = torch.where(fixed.isnan(), price, fixed.nan_to_num()) * plan.repriced[t]
        moved = moved.maximum(plan.floor[t]).minimum(plan.cap[t])
        if torch.equal(moved, price):
            return decision
        change = view.expected(moved) / view.expected(price).clamp(min=1e-9)
        order = decision.order + (change - 1.0) * (view.position() + decision.order)
        return replace(
            decision, price=moved, order=torch.where(decision.order > 0, order.clamp(min=0.0), 0.0)
        )

    def step(self, state: State, decision: Decision, t: int) -> tuple[State, Outcome]:
        """Play period ``t`` of every market."""
        _, simulator = self._periods[t]
        if self._retimed:
            decision = enforce(decision, state, simulator.market)
            state = supply.placed(state, decision.order, self.plan, t, simulator.key(state))
        return simulator.step(state, decision)


def _with_lead(market: Market, lead_time: int) -> Market:
    if lead_time == market.economics.lead_time:
        return market
    return replace(market, economics=market.economics.model_copy(update={"lead_time": lead_time}))
