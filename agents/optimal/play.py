"""Policies of the lost-sales problem in its market: what they cost in simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...envs.engine.view import View
from ...envs.market import Market
from ...envs.simulator import Simulator
from ..policy import Policy
from .pipeline import Orders


@dataclass(frozen=True)
class ByState:
    """An order rule that reads stock on hand and every order on its way, in a market of one series."""

    orders: Orders

    def order(self, view: View, price: Tensor) -> Tensor:
        """Units (B, 1, 1)."""
        stock, pipeline = view.state.on_hand.flatten(1), view.state.pipeline.flatten(1)[:, :-1]
        states = torch.cat([stock, pipeline], dim=1).round().long().cpu().numpy()
        return torch.as_tensor(self.orders(states), dtype=price.dtype).view(-1, 1, 1).to(price.device)


@torch.no_grad()
def simulated_cost(
    market: Market, policy: Policy, seed: int, *, markets: int = 4096, periods: int = 240, warm_up: int = 60
) -> tuple[float, float]:
    """Holding and shortage a period in the long run, and the standard error of that mean.

    It is over ``markets`` independent runs of ``periods`` periods each, after ``warm_up`` uncounted ones.
    """
    simulator = Simulator(market, markets, warm_up + periods, seed)
    state, cost = simulator.reset(), torch.zeros(markets, dtype=torch.float64)
    for period in range(warm_up + periods):
        state, outcome = simulator.step(state, policy.decide(simulator.view(state)))
        if period >= warm_up:
            cost += (outcome.holding + outcome.shortage).sum((1, 2)).cpu()
    means = (cost / periods).numpy()
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(markets))
