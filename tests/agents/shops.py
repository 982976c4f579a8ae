"""Small markets whose best decisions are known."""

import numpy as np
import torch

from mercato.envs.economics import Economics
from mercato.envs.market import Market, Terms
from mercato.envs.processes import Independent, Poisson


def shop(
    elasticity: list[list[float]] | None,
    *,
    locations: int = 1,
    base: float = 20.0,
    cost: float = 1.0,
    reference: float = 1.8,
    economics: Economics | None = None,
    groups: tuple[str, ...] | None = None,
    spread: float = 0.0,
) -> Market:
    """Independent Poisson demand at constant elasticities; prices from half to twice the reference.

    ``spread`` makes the items' base demand differ: from base / (1 + spread) to base · (1 + spread).
    """
    items = 1 if elasticity is None else len(elasticity)
    price = torch.full((locations, items), reference)
    tilt = torch.linspace(-1, 1, items) if items > 1 else torch.zeros(1)
    mean = (base * (1 + spread) ** tilt).expand(locations, items).contiguous()
    names = tuple(f"shop {k}" for k in range(locations))
    demand = Independent(
        Poisson(),
        mean,
        reference_price=price,
        elasticity=None if elasticity is None else torch.tensor(elasticity),
        locations=names,
        items=[f"item {k}" for k in range(items)],
        periods=60,
    )
    return Market(
        name="test",
        dates=np.datetime64("2020-01-06") + 7 * np.arange(60),
        frequency="W",
        categories=("all",) * items,
        price_groups=groups or names,
        economics=economics or Economics(),
        terms=Terms(price, price * 0.5, price * 2.0, torch.full_like(price, cost), mean),
        demand=demand,
        logged_price=price.expand(60, -1, -1) * torch.linspace(0.9, 1.1, 60).view(-1, 1, 1),
    )
