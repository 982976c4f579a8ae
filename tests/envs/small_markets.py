"""Small shops with independent demand, for the tests of the engine and its adapters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mercato.envs.economics import Economics
from mercato.envs.engine.types import State
from mercato.envs.market import Market, Terms
from mercato.envs.processes import Geometric, Independent, Poisson


def make_market(
    places: int = 2,
    goods: int = 3,
    *,
    economics: Economics = Economics(),
    groups: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    counts: Poisson | Geometric = Poisson(),
    mean: float | Tensor = 10.0,
    price: float = 2.0,
    cost: float = 1.0,
    elasticity: Tensor | None = None,
    weeks: int = 60,
) -> Market:
    """A shop whose supported prices are 0.5 to 2 times the reference price."""
    shape = (places, goods)
    base = torch.as_tensor(mean, dtype=torch.float32).expand(shape).clone()
    reference = torch.full(shape, price)
    demand = Independent(counts, base, reference_price=reference, elasticity=elasticity, periods=weeks)
    return Market(
        name="small",
        dates=np.datetime64("2024-01-01") + 7 * np.arange(weeks),
        frequency="W",
        categories=tuple(categories or ("all",) * goods),
        price_groups=tuple(groups or demand.locations),
        economics=economics,
        terms=Terms(reference, 0.5 * reference, 2 * reference, torch.full(shape, cost), base),
        demand=demand,
    )


def random_state(market: Market, n_markets: int, seed: int, largest: int = 30) -> State:
    """Any state at all: whole units on hand, on order and, where unmet demand waits, owed."""
    rng = torch.Generator().manual_seed(seed)
    shape = (n_markets, *market.shape)

    def units(*sizes: int) -> Tensor:
        return torch.randint(0, largest, sizes, generator=rng).float()

    life = market.economics.shelf_life or 0
    cohorts = units(n_markets, life, *market.shape)
    owed = units(*shape) if market.economics.unmet == "backorder" else torch.zeros(shape)
    clock = torch.zeros(n_markets, dtype=torch.int64)
    return State(
        on_hand=cohorts.sum(1) if life else units(*shape),
        cohorts=cohorts,
        pipeline=units(n_markets, market.economics.lead_time, *market.shape),
        backorders=owed,
        last_price=market.terms.reference_price * (0.5 + torch.rand(shape, generator=rng)),
        last_sales=units(*shape),
        since_change=torch.randint(1, 9, shape, generator=rng),
        halted=torch.zeros(n_markets, dtype=torch.bool),
        start=clock,
        age=clock,
        seed=torch.full_like(clock, seed),
        slot=torch.arange(n_markets),
        episode=clock,
        demand=market.demand.reset(clock, None),  # type: ignore[arg-type]
    )
