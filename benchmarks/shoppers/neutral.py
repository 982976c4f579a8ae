"""Customers whom nobody treated otherwise than the log did change nothing (row 1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mercato.envs.market import Market
from mercato.envs.processes import CustomerMarket
from mercato.envs.simulator import Simulator
from mercato.envs.structural import own_elasticities
from mercato.forecasters.simulation import Period
from mercato.forecasters.tensors import NoiseKey

from ..speed.markets import untrained
from ..tables.piece import Figure, Found, Plan, within
from .people import made_up, peopled

_MARKETS, _PERIODS, _PRICES = 8, 26, 20
_LARGEST = 1e-6


def neutrality(plan: Plan) -> Found:
    """Multipliers at prices from half to twice the usual, own elasticities, and counts of episodes in which
    customers meet what they usually do."""
    market = untrained(3, 2) if plan.quick else untrained(12, 6)
    with_customers = peopled(market, made_up(market, 500 if plan.quick else 5000))
    found = _played(market, with_customers)
    figures = [
        within("largest |multiplier − 1|, 26 periods, any price", found["multiplier"], _LARGEST),
        within("largest change of an own elasticity", found["elasticity"], _LARGEST),
        Figure("counts drawn that differ", str(found["counts"]), "none", found["counts"] == 0),
    ]
    return Found(figures, found)


@torch.no_grad()
def _played(market: Market, with_customers: Market) -> dict[str, Any]:
    demand, plain = with_customers.demand, market.demand
    assert isinstance(demand, CustomerMarket)
    reference, rng = market.terms.reference_price, torch.Generator().manual_seed(0)
    state = Simulator(with_customers, _MARKETS, _PERIODS, seed=0).reset()
    now, found = state.demand, {"multiplier": 0.0, "elasticity": 0.0, "counts": 0}
    usual = reference.expand(_MARKETS, -1, -1)
    for period in range(_PERIODS):
        key = NoiseKey(state.seed, state.slot, state.episode, torch.full_like(state.slot, period))
        for price in _prices(reference, rng):
            off = float((demand.multiplier(now, price) - 1).abs().max())
            found["multiplier"] = max(found["multiplier"], off)
        own = (own_elasticities(one, s, usual) for one, s in ((demand, now), (plain, now.process)))
        found["elasticity"] = max(found["elasticity"], float((next(own) - next(own)).abs().max()))
        wanted = demand.sample(now, usual, key)
        found["counts"] += int((wanted != plain.sample(now.process, usual, key)).sum())
        sales = wanted * (1 - demand.population.usual_stock_out)
        now = demand.advance(now, Period(usual, wanted, sales), key)
    return found


def _prices(reference: Tensor, rng: torch.Generator) -> list[Tensor]:
    """(B, S, I) each."""
    size = (_MARKETS, *reference.shape)
    return [reference * 2 ** (2 * torch.rand(size, generator=rng) - 1) for _ in range(_PRICES)]
