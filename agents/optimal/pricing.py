"""Problems whose price is decided: optima by dynamic program, bounds, and policies from tables."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import torch

from ...envs.engine.types import Decision
from ...envs.engine.view import View
from ...envs.problems import Pricing
from .series import Plan, Program, Series

PRICES = 41  # candidates, evenly over the logarithms of the range
_PRECISION = 1e-6


@dataclass(frozen=True)
class Tabulated:
    """A policy of a market of one series, from the tables of a plan."""

    name: str
    plan: Plan
    prices: np.ndarray  # (P,)
    program: Program

    def decide(self, view: View) -> Decision:
        """Price and order (B, 1, 1)."""
        state = view.state
        date = (state.age % len(self.plan.price)).cpu().numpy()
        held = (state.on_hand - state.backorders)[:, 0, 0].round().long().cpu().numpy()
        ages = state.cohorts[:, :, 0, 0].round().long().cpu().numpy()
        due = state.pipeline[:, : max(self.program.lead_time - 1, 0), 0, 0].round().long().cpu().numpy()
        place = (date, self.program.place(held, ages), *due.clip(max=self.program.series.most_order).T)
        price = torch.as_tensor(self.prices[self.plan.price[place]])
        order = torch.as_tensor(self.plan.order[place])
        price, order = (x.to(view.state.last_price).view(-1, 1, 1) for x in (price, order))
        return Decision(price=price, order=order)


def best_pricing(problem: Pricing) -> tuple[Tabulated, float]:
    """The optimal policy on a grid of prices, and its value."""
    program = _program(problem, _grid(problem))
    if problem.economics.season is None:
        plan = program.long_run(_PRECISION)
    else:
        plan = program.season(problem.opening)
    return Tabulated("optimum", plan, program.series.prices, program), plan.value


def best_static_price(problem: Pricing) -> tuple[Tabulated, float]:
    """The best price that stays, with the best orders at it, and its value."""
    program = _program(problem, _grid(problem))
    if problem.economics.season is None:
        values = program.long_run_at_each_price(_PRECISION)
    else:
        values = program.season_at_each_price(problem.opening)
    best = int(values.argmax())
    alone = _program(problem, program.series.prices[best : best + 1])
    plan = alone.long_run(_PRECISION) if problem.economics.season is None else alone.season(problem.opening)
    return Tabulated("static price", plan, alone.series.prices, alone), float(values[best])


def continuous_time(stock: int, sales: float) -> float:
    """Gallego and van Ryzin 1994, section 2.3: the optimal revenue of exponential demand in continuous time,
    ln Σ_{i <= n} (a / e)^i / i!, a price being changed at any moment."""
    terms, term = [1.0], 1.0
    for i in range(1, stock + 1):
        term *= sales / i
        terms.append(term)
    return log(sum(terms))


def fluid_bound(stock: int, sales: float) -> float:
    """Gallego and van Ryzin 1994, section 3: revenue where exponential demand comes as expected, at least the
    optimum. Price 1, or the one that just sells the stock."""
    return sales if stock >= sales else stock * (1 + log(sales / stock))


def _grid(problem: Pricing) -> np.ndarray:
    return np.geomspace(problem.low, problem.high, PRICES)


def _program(problem: Pricing, prices: np.ndarray) -> Program:
    return Program(Series.of(problem.market(), prices, problem.most_stock, problem.most_order))
