"""Made-up customers of any market, for what does not depend on who they are."""

from __future__ import annotations

import numpy as np
import torch

from mercato.envs.market import Market
from mercato.envs.processes import CustomerMarket
from mercato.forecasters.customers import Leaving, Population

SEGMENTS = ("high value, calm", "high value, keen", "low value, calm", "low value, keen")


def made_up(market: Market, customers: int, seed: int = 0) -> Population:
    """About so many particles, in equal parts for locations and segments, who mind prices alike."""
    rng = np.random.default_rng(seed)
    places, goods = market.shape
    size = (places, len(SEGMENTS), -(-customers // (places * len(SEGMENTS))))

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).float()

    visit, taste = tensor(rng.beta(2, 5, size)), tensor(rng.gamma(0.7, 1.0, (*size, goods)))
    leaving = tensor(rng.normal(-3.5, 0.5, size))
    return Population(
        locations=market.locations,
        items=market.items,
        segments=SEGMENTS,
        weight=torch.ones(size),
        visit=visit,
        taste=taste,
        basket=taste.sum(-1),
        leaving=leaving,
        hazard=leaving.sigmoid(),
        price=torch.zeros(places, len(SEGMENTS), goods),
        usual_stock_out=torch.full((places, goods), 0.03),
        known=torch.ones(places, goods),
        moved_by=Leaving(
            stock_out=4.0, dear=1.0, covariance=torch.diag(torch.tensor([0.04, 0.01])), back=0.01
        ),
    )


def peopled(market: Market, population: Population) -> Market:
    """The market before customers who remember how they were treated."""
    return market.with_demand(CustomerMarket(market.demand, population, market.terms.reference_price))
