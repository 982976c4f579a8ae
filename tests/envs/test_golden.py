"""Golden trajectories: speed never changes results.

The numbers were written by the engine that reproduces the papers (``test_lost_sales_paper``), before any of
it was made faster; those of learned markets once more when substitution became one of shares, those of a shop
whose stock spoils when waste became binomial.
"""

from __future__ import annotations

import pytest
import torch
from small_markets import make_market
from untrained import untrained_market

from mercato.envs.economics import Economics
from mercato.envs.engine.types import Decision
from mercato.envs.market import Market
from mercato.envs.processes import Geometric, Poisson
from mercato.envs.simulator import Simulator

_SHOP = Economics(
    lead_time=2,
    unmet="backorder",
    fixed_order_cost=3.0,
    holding_rate=0.01,
    shortage_rate=0.1,
)
_SPOILS = _SHOP.model_copy(update={"waste_rate": 0.05})
_PERIODS = 12


def played(market: Market) -> tuple[list[int], list[float]]:
    """Units wanted in each period, and the profit of each market, under a policy that depends on nothing."""
    simulator = Simulator(market, 3, _PERIODS, seed=7)
    state = simulator.reset()
    wanted, profit = [], torch.zeros(3, dtype=torch.float64)
    for period in range(_PERIODS):
        multiple = 0.8 + 0.1 * (period % 5)
        price = (market.terms.reference_price * multiple).expand_as(state.on_hand)
        state, outcome = simulator.step(state, Decision(price, torch.full_like(price, 8.0 + period % 3)))
        wanted.append(int(outcome.demand.sum()))
        profit += outcome.profit.double().sum((1, 2))
    return wanted, profit.tolist()


MARKETS = {
    "poisson": lambda: make_market(counts=Poisson(), economics=_SHOP, elasticity=-2 * torch.eye(3)),
    "geometric": lambda: make_market(counts=Geometric(), economics=_SHOP, elasticity=-2 * torch.eye(3)),
    "geometric, spoiling": lambda: make_market(
        counts=Geometric(), economics=_SPOILS, elasticity=-2 * torch.eye(3)
    ),
    "learned": lambda: untrained_market(economics=_SHOP),
    "learned, in bulk": lambda: untrained_market(mean=80.0, economics=_SHOP),
}
GOLDEN = {
    "poisson": ([288, 214, 189, 154, 107, 256, 237, 188, 151, 128, 300, 202], [233.96, 319.62, 320.98]),
    "geometric": ([277, 205, 217, 150, 82, 176, 277, 186, 135, 131, 336, 188], [106.70, 295.49, 246.83]),
    "geometric, spoiling": (
        [277, 205, 217, 150, 82, 176, 277, 186, 135, 131, 336, 188],
        [106.70, 266.81, 204.05],
    ),
    "learned": ([498, 296, 314, 258, 209, 433, 322, 259, 218, 155, 486, 517], [459.01, 492.19, 546.36]),
    "learned, in bulk": (
        [4408, 3031, 3038, 2475, 2091, 3927, 3124, 2547, 2153, 1705, 4108, 4432],
        [-996.80, 766.23, -99.24],
    ),
}


@pytest.mark.parametrize("name", MARKETS)
def test_the_trajectory_is_the_one_it_always_was(name: str) -> None:
    wanted, profit = played(MARKETS[name]())
    assert wanted == GOLDEN[name][0]
    assert profit == pytest.approx(GOLDEN[name][1], abs=0.01)
