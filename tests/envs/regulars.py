"""Made-up customers of any market, for the tests of what they do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mercato.envs.market import Market
from mercato.envs.processes.customers import CustomerMarket
from mercato.forecasters.customers import Channels, Contagion, Leaving, Population, Switching

LEAVING = Leaving(stock_out=3.0, dear=1.0, covariance=torch.diag(torch.tensor([0.25, 0.04])), back=0.01)


def regulars(market: Market, particles: int = 20, moved_by: Leaving = LEAVING, seed: int = 0) -> Population:
    """Two segments, the second of which minds prices more; the last particle of each stands for nobody."""
    rng = np.random.default_rng(seed)
    places, goods = market.shape
    size = (places, 2, particles)

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).float()

    weight = tensor(rng.uniform(0.5, 2.0, size))
    weight[..., -1] = 0.0
    taste = tensor(rng.gamma(0.5, 0.4, (*size, goods)) + 0.01)
    bought = (weight.unsqueeze(-1) * taste).sum(2)
    leaving = tensor(rng.normal(-3.0, 0.5, size))
    minds = torch.tensor([0.3, -0.4]).view(1, 2, 1).expand(places, 2, goods)
    return Population(
        locations=market.locations,
        items=market.items,
        segments=("calm", "keen"),
        weight=weight,
        visit=tensor(rng.uniform(0.1, 0.9, size)),
        taste=taste,
        basket=taste.sum(-1),
        leaving=leaving,
        hazard=leaving.sigmoid(),
        price=minds - (minds * bought).sum(1, keepdim=True) / bought.sum(1, keepdim=True),
        usual_stock_out=tensor(rng.uniform(0.0, 0.1, (places, goods))),
        known=torch.ones(places, goods),
        moved_by=moved_by,
    )


def certain(effect: float = 3.0, dear: float = 1.0) -> Leaving:
    """Effects that are known exactly."""
    return replace(LEAVING, stock_out=effect, dear=dear, covariance=torch.zeros(2, 2))


def with_regulars(market: Market, particles: int = 20, moved_by: Leaving = LEAVING) -> Market:
    population = regulars(market, particles, moved_by)
    return market.with_demand(CustomerMarket(market.demand, population, market.terms.reference_price))


def with_friends_of_two_shops(market: Market) -> Market:
    """Customers of two locations who go from one to the other, and half of whom follow the other half."""
    people = regulars(market)
    law = Switching(stock_out=4.0, dear=2.0, covariance=torch.diag(torch.tensor([0.25, 0.04])))
    elsewhere, swap = torch.full_like(people.weight, 0.4), 1 - torch.eye(2)
    tells = (torch.arange(people.weight.shape[-1]) % 2).float().expand_as(people.weight)
    people = replace(
        people,
        channels=Channels(elsewhere, swap, torch.ones(market.shape), law),
        contagion=Contagion(tells, 1 - tells, 0.5, 0.1),
    )
    return market.with_demand(CustomerMarket(market.demand, people, market.terms.reference_price))
