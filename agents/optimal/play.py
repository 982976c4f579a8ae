"""Policies of problems in their markets: what they are worth in simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...envs.engine.rewards import accrued_profit
from ...envs.engine.view import View
from ...envs.problems import Problem
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


def simulated(
    problem: Problem, policy: Policy, seed: int, *, markets: int = 4096, periods: int = 240, warm_up: int = 60
) -> tuple[float, float]:
    """What a policy makes of a problem's objective in its market, and the standard error of that mean.

    It is over ``markets`` independent ``runs``.
    """
    value = runs(problem, policy, seed, markets=markets, periods=periods, warm_up=warm_up)
    return mean_error(value)


def mean_error(values: np.ndarray) -> tuple[float, float]:
    """Mean of independent ``values`` (N,), and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


@torch.no_grad()
def runs(
    problem: Problem, policy: Policy, seed: int, *, markets: int = 4096, periods: int = 240, warm_up: int = 60
) -> np.ndarray:
    """(N,) a problem's objective in each of ``markets`` independent runs, in which all policies meet the same
    customers.

    A run is a season where the problem has one, else ``periods`` periods, after ``warm_up`` uncounted ones.
    Accounts are those that rewards are made of, which say where a long run goes and not what stock it ends
    with.
    """
    market, objective = problem.market(), problem.objective
    first, last = (0, market.economics.episode(periods)) if objective.season else (warm_up, warm_up + periods)
    simulator = Simulator(market, markets, last, seed)
    state, earned = simulator.reset(), torch.zeros(markets, dtype=torch.float64)
    for period in range(last):
        state, outcome = simulator.step(state, policy.decide(simulator.view(state)))
        if period >= first:
            profit = outcome.profit if objective.season else accrued_profit(outcome, market)
            earned += profit.double().sum((1, 2)).cpu()
    value: np.ndarray = (objective.sign * earned / (1 if objective.season else periods)).numpy()
    return value
