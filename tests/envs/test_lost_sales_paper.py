"""Zipkin 2008, "Old and new methods for lost-sales inventory systems", Operations Research 56(5).

Lost sales, lead time 4, holding cost 1, lost-sale penalty 4, demand of mean 5, base-stock policies: the
average cost a period pins the order of events down to the period.
"""

from __future__ import annotations

import pytest
import torch
from small_markets import make_market

from mercato.envs.economics import Economics
from mercato.envs.engine.types import Decision
from mercato.envs.processes import Geometric, Poisson
from mercato.envs.simulator import Simulator

WARM_UP, PERIODS, MARKETS = 40, 240, 8192


def average_cost(counts: Poisson | Geometric, level: float, lead_time: int = 4) -> tuple[float, float]:
    """Holding plus penalty a period under base-stock ``level``, and its standard error over markets."""
    economics = Economics(lead_time=lead_time, holding_rate=1.0, shortage_rate=4.0, initial_cover=level / 5)
    market = make_market(1, 1, economics=economics, counts=counts, mean=5.0, price=1.0, cost=1.0)
    simulator = Simulator(market, MARKETS, WARM_UP + PERIODS, seed=1)
    state, cost = simulator.reset(), torch.zeros(MARKETS, dtype=torch.float64)
    for period in range(WARM_UP + PERIODS):
        position = simulator.view(state).position()
        state, outcome = simulator.step(state, Decision(state.last_price, (level - position).clamp(min=0)))
        if period >= WARM_UP:
            cost += (outcome.holding + outcome.shortage).flatten()
    cost /= PERIODS
    return cost.mean().item(), cost.std().item() / MARKETS**0.5


@pytest.mark.parametrize(
    ("counts", "level", "published"), [(Poisson(), 25.0, 5.198), (Geometric(), 21.0, 11.438)]
)
def test_base_stock_costs_what_was_published(counts, level: float, published: float) -> None:
    mean, error = average_cost(counts, level)
    assert error < 0.02
    assert abs(mean - published) < 3 * error + 0.0005  # half of the last printed digit


def test_a_lead_time_one_period_off_would_show() -> None:
    costs = {lead_time: average_cost(Poisson(), 25.0, lead_time)[0] for lead_time in (3, 4, 5)}
    assert abs(costs[3] - costs[4]) > 0.1
    assert abs(costs[5] - costs[4]) > 0.1
