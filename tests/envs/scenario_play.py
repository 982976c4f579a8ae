"""Small markets, and episodes of plans played in them, for the tests of scenarios."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from mercato.envs.economics import Economics
from mercato.envs.engine.types import Decision, Outcome
from mercato.envs.market import Market
from mercato.envs.scenarios import Plan, read_scenarios
from mercato.envs.scenarios.played import Played
from mercato.envs.structural import FAMILIES, Size, true_market
from tests.agents.shops import shop

HORIZON, EPISODES = 8, 6


@cache
def market(lead_time: int = 1, unmet: str = "lost") -> Market:
    economics = Economics(lead_time=lead_time, unmet=unmet)  # type: ignore[arg-type]
    return shop([[-2.0, 0.5], [0.5, -2.0]], locations=3, base=40.0, economics=economics)


@cache
def town() -> Market:
    """Four stores with coordinates and a calendar."""
    return true_market(FAMILIES["zone-season"].make(0, Size(4, 3, 80))[1])


def plan(scenario: dict[str, Any], where: Market | None = None) -> Plan:
    (asked,) = read_scenarios({"horizon": HORIZON, **scenario})
    return asked.plan(where or market())


def play(planned: Plan, order: float = 40.0, price: float = 1.0) -> tuple[list[Outcome], Tensor, Tensor]:
    """Outcomes of each period, opening stock (B, S, I), and the inventory position at the end."""
    game = Played(planned, EPISODES, seed=4)
    state, out = game.reset(torch.arange(EPISODES)), []
    opening = state.on_hand
    reference = planned.market.terms.reference_price
    for t in range(planned.horizon):
        view = game.view(state, t)
        orders = torch.full_like(state.on_hand, order)
        decision = Decision((price * reference).expand_as(orders), orders)
        state, outcome = game.step(state, game.enacted(decision, view, t), t)
        out.append(outcome)
    return out, opening, state.on_hand + state.pipeline.sum(1) - state.backorders


def expectations(planned: Plan, price: float = 1.0) -> Tensor:
    """(H, B, S, I) the mean demand of each period at the price that is charged in it."""
    game = Played(planned, EPISODES, seed=4)
    state, out = game.reset(torch.arange(EPISODES)), []
    charged = (price * planned.market.terms.reference_price).expand_as(state.on_hand)
    for t in range(planned.horizon):
        view = game.view(state, t)
        out.append(view.expected(charged))
        decision = Decision(charged, torch.full_like(charged, 40.0))
        state, _ = game.step(state, game.enacted(decision, view, t), t)
    return torch.stack(out)


def each(outcomes: list[Outcome], field: str) -> Tensor:
    """(H, S, I) mean of the episodes."""
    return torch.stack([getattr(outcome, field).mean(0) for outcome in outcomes])
