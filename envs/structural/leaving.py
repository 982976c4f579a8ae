"""Log-linear demand of customers who leave: individuals who come, fill a basket, and may stay away for good.

Each location has places for customers, some of them taken. In a week a customer comes with chance ``visit``;
a week's demand is what ``log_linear`` says, times what the customers who are there buy over what those who
are usually there do,

    log μ = … + log Σ_c present_c·taste_c / Σ_c usual_c·taste_c

A visitor leaves for good with a chance whose logit is

    leaving + stock_out·(share of the basket that was not there) + dear·(log of its price to the usual)

the basket weighted by taste. A free place is taken by a new customer with chance ``arrival`` a week.
Who comes is drawn apart from how much is wanted; units sold fall to the visitors by taste (``receipts``).
Stock-outs that cost later orders: Anderson, Fitzsimons and Simester 2006, "Measuring and mitigating the costs
of stockouts".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...forecasters.simulation import Period
from ...forecasters.tensors import NoiseKey, stable_id
from .log_linear import LogLinear, LogLinearDemand
from .records import shallow
from .shocks import Customers

_VISIT, _LEAVE, _ARRIVE = 5, 6, 7  # streams of noise, after those of counts and shocks
_USUAL_STOCK_OUT = 0.05  # share of a basket, by which the usual number of customers is reckoned
_LEAST = 1e-6


@dataclass(frozen=True)
class Leaving(LogLinear):
    """Parameters of the market; C places a location."""

    visit: Tensor  # (S, C) chance that a customer comes in a week
    taste: Tensor  # (S, C, I) units that a customer buys in an ordinary week at reference prices, expected
    basket: Tensor  # (S, C) the same of all items, those of no part in a sub-market too
    usual: Tensor  # (S, C) share of the weeks in which a place is taken
    leaving: float  # logit of the chance to leave at a visit that finds everything at the usual price
    stock_out: float  # what a basket that is not there adds
    dear: float  # what the log of its price to the usual adds
    arrival: float  # chance a week that a free place is taken

    def select(self, places: Tensor, goods: Tensor) -> Self:
        return replace(
            super().select(places, goods),
            visit=self.visit[places],
            taste=self.taste[places][:, :, goods],
            basket=self.basket[places],
            usual=self.usual[places],
        )


@dataclass(frozen=True)
class Regulars(Customers):
    """What customers are like in the coming week, and who is there."""

    present: Tensor  # (B, S, C) 1 where a place is taken, 0 where it is free; a mean in what is expected

    def select(self, places: Tensor, goods: Tensor) -> Self:
        return replace(super().select(places, goods), present=self.present[:, places])


@dataclass(frozen=True)
class LeavingDemand(LogLinearDemand):
    """The market's customers."""

    parameters: Leaving
    realised: Regulars

    @cached_property
    def owner(self) -> Tensor:
        """(S,) location whose places' customers these are."""
        return torch.arange(len(self.locations), device=self.parameters.visit.device)

    @cached_property
    def _ids(self) -> Tensor:
        """(S, C) whose noise it is."""
        visit = self.parameters.visit
        names = [self.locations[at] for at in self.owner.tolist()]
        first = torch.tensor([stable_id(name, "customers") for name in names], device=visit.device)
        return first.unsqueeze(-1) + torch.arange(visit.shape[1], device=visit.device)

    def calm(self, state: Any) -> Regulars:
        """The same week without any shock, as many customers as usual: no shop looks into their heads."""
        present = self.parameters.usual.expand_as(state.present)
        return replace(super().calm(state), present=present)

    def log_mean(self, state: Any, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        bought = torch.einsum("bsc,sci->bsi", self.there(state), self.parameters.taste)
        there = bought.clamp(min=_LEAST).log() - self.parameters.level
        return super().log_mean(state, price, promo) + there

    def there(self, state: Any) -> Tensor:
        """(B, S, C) of a customer who is always there and comes as usual, how much of one there is."""
        present: Tensor = state.present
        return present

    def visitors(self, state: Any, key: NoiseKey) -> Tensor:
        """(B, S, C) bool who comes in the week."""
        return self.came(state, key, self.parameters.visit)

    def came(self, state: Any, key: NoiseKey, chance: Tensor) -> Tensor:
        """The same by another ``chance`` (B, S, C) of a visit."""
        return (state.present > 0) & (key.uniform(self._ids, _VISIT) < chance)

    def hazard(self, missing: Tensor, price: Tensor) -> Tensor:
        """(B, S, C) chance to leave at a visit, where shares ``missing`` (B, S, I) of the items were not to
        be had at ``price`` (B, S, I)."""
        p = self.parameters
        return (p.leaving + self.met(p.stock_out * missing + p.dear * self.dear(price))).sigmoid()

    def met(self, moved: Tensor) -> Tensor:
        """(B, S, C) mean of what items (B, S, I) have, over a customer's basket."""
        return torch.einsum("sci,bsi->bsc", self.parameters.taste, moved) / self.parameters.basket.unsqueeze(
            0
        )

    def dear(self, price: Tensor) -> Tensor:
        """(B, S, I) log of a price to the usual."""
        return (price / self.shop.reference_price).log()

    def missing(self, period: Period) -> Tensor:
        """(B, S, I) share of what was wanted that was not there."""
        wanted = period.demand > 0
        return torch.where(wanted, 1 - period.sales / period.demand.clamp(min=_LEAST), 0.0)

    def advance(self, state: Any, period: Period, key: NoiseKey, promo: Tensor | float = 0.0) -> Regulars:
        hazard = self.hazard(self.missing(period), self.heard(state, period.price))
        leaves = self.visitors(state, key) & (key.uniform(self._ids, _LEAVE) < hazard)
        comes = (state.present == 0) & (key.uniform(self._ids, _ARRIVE) < self.parameters.arrival)
        present = torch.where(comes, 1.0, torch.where(leaves, 0.0, state.present))
        return _among(super().advance(state, period, key), present)

    def ahead(self, state: Any, price: Tensor, weeks: int) -> Regulars:
        """Customers who find everything, as many as there are on average."""
        p = self.parameters
        left = p.visit * self.hazard(torch.zeros_like(price), self.heard(state, price))
        settled, kept = p.arrival / (p.arrival + left), (1 - p.arrival - left) ** weeks
        return _among(super().ahead(state, price, weeks), settled + (state.present - settled) * kept)

    def laws(self) -> dict[str, pd.DataFrame]:
        p = self.parameters
        names = ("leaving", "stock_out", "dear", "arrival")
        return {"leaving": pd.DataFrame({"name": names, "value": [getattr(p, name) for name in names]})}


def _among(customers: Customers, present: Tensor) -> Regulars:
    return Regulars(**shallow(customers) | {"present": present})


def with_leaving(
    market: LogLinearDemand,
    seed: int,
    places: int = 1000,
    leaving: float = -3.6,
    stock_out: float = 4.0,
    dear: float = 1.0,
    arrival: float = 0.008,
) -> LeavingDemand:
    """The market of customers who leave, so many ``places`` a location, of which half are taken at first."""
    rng = np.random.default_rng([seed, 5])
    level = market.parameters.level.double().numpy()
    size = (len(market.locations), places)
    visit = rng.beta(2.0, 5.0, size).clip(0.02, 0.95)
    likes = rng.gamma(0.7, 1.0, (*size, len(market.items))) * visit[..., None]
    left = visit / (1 + np.exp(-leaving - stock_out * _USUAL_STOCK_OUT))
    usual = arrival / (arrival + left)
    taste = likes * (np.exp(level) / (likes * usual[..., None]).sum(1))[:, None]
    drawn = {"visit": visit, "taste": taste, "basket": taste.sum(-1), "usual": usual}
    tensors: dict[str, Any] = {name: torch.as_tensor(x, dtype=torch.float32) for name, x in drawn.items()}
    parameters = Leaving(
        **shallow(market.parameters),
        **tensors,
        leaving=leaving,
        stock_out=stock_out,
        dear=dear,
        arrival=arrival,
    )
    present = torch.as_tensor(rng.random(size) < usual, dtype=torch.float32).unsqueeze(0)
    return LeavingDemand(market.shop, parameters, _among(market.realised, present))
