"""The price at which a stock lasts until it is filled up again, or sells before it perishes or has to go."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.view import View
from .myopic import best_price

_LEAST = 1e-3  # units, a standard deviation
_PLENTY = 1e9  # units, where the stock is filled up before demand comes


@dataclass(frozen=True)
class FluidPrice:
    """The price that would earn most if it were held until the next order arrives or the season ends.

    Solved anew every period, jointly over the items of a location (Gallego and van Ryzin 1994, Management
    Science 40(8), section 3; re-solving: Maglaras and Meissner 2006, Manufacturing & Service Operations
    Management 8(2)). Of demand D in that time and a stock n, on order included, E min(D, n) are sold. A unit
    left is worth its cost where it saves ordering one, and its salvage where the season is over; one that
    perishes by then is thrown away.

    Args:
        iterations: of the ascent in prices.
        doubt: how much D varies around its mean, in multiples of the outlook's spread; 0 takes demand as
            certain, as the fluid problem does. D is taken as normal, its variance in proportion to its mean.
    """

    iterations: int = 6
    doubt: float = 0.0

    def price(self, view: View) -> Tensor:
        economics, terms = view.market.economics, view.market.terms
        refilled = until_refilled(view)
        periods, worth = refilled.clamp(min=1), terms.unit_cost
        if view.left is not None:
            worth = torch.where(refilled >= view.left, economics.salvage_rate, 1.0) * worth
            periods = torch.minimum(periods, view.left)
        kept = (1.0 - economics.waste_rate) ** periods
        thrown = economics.waste_cost_rate * terms.unit_cost
        worth = kept * worth - (1.0 - kept) * thrown
        stock = torch.where(refilled == 0, _PLENTY, view.position().clamp(min=0.0))
        old = _perishing(view, periods)
        goodwill = economics.shortage_rate * terms.reference_price
        usual = terms.reference_price.expand_as(stock)
        spread = self.doubt * view.outlook.spread * (view.expected_over(usual, periods) / periods).sqrt()

        def profit(price: Tensor) -> Tensor:
            wanted = view.expected_over(price, periods)
            deviation = spread * wanted.sqrt()
            met = expected_sales(wanted, deviation, stock)
            if economics.issuing == "fifo":
                saved = expected_sales(wanted, deviation, old)
            else:
                saved = met - expected_sales(wanted, deviation, stock - old)
            paid = met if economics.unmet == "lost" else wanted
            owed = terms.unit_cost * (paid - met)
            return price * paid - owed - worth * met + (worth + thrown) * saved - goodwill * (wanted - met)

        return best_price(profit, view.market, [usual], iterations=self.iterations)


def until_refilled(view: View) -> Tensor:
    """(B, 1, 1) periods that begin before the next order arrives, 0 where it does at once; all that are left
    where nothing is ordered."""
    economics = view.market.economics
    if economics.decide == "price" and view.left is not None:
        return view.left
    waits = (-view.state.age % economics.order_every).view(-1, 1, 1)
    return waits + economics.lead_time


def _perishing(view: View, periods: Tensor) -> Tensor:
    """(B, S, I) units on hand that are past their life after ``periods`` (B, 1, 1)."""
    cohorts = view.state.cohorts
    lives = torch.arange(1, cohorts.shape[1] + 1, device=cohorts.device).view(1, -1, 1, 1)
    return (cohorts * (lives <= periods.unsqueeze(1))).sum(1)


def expected_sales(mean: Tensor, deviation: Tensor, stock: Tensor) -> Tensor:
    """E min(D, n) of normal demand D: mean - σ·(φ(z) - z·(1 - Φ(z))), z = (n - mean) / σ."""
    deviation = deviation.clamp(min=_LEAST)
    z = (stock - mean) / deviation
    density = (-z.square() / 2).exp() / (2 * torch.pi) ** 0.5
    return mean - deviation * (density - z * torch.special.ndtr(-z))
