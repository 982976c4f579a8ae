"""Sellers of one product each before logit customers: Calvano, Calzolari, Denicolò and Pastorello 2020
("Artificial intelligence, algorithmic pricing, and collusion", American Economic Review 110(10), 3267-3297).

Seller i sells q_i = e^((a - p_i)/μ) / (Σ_j e^((a - p_j)/μ) + e^(a₀/μ)) a customer and earns (p_i - c)·q_i.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ...forecasters.errors import InputError
from ..economics import Economics
from ..market import Market, Terms
from ..processes import Logit, LogitDemand

_ROUNDS = 200  # of bisection


@dataclass(frozen=True)
class LogitDuopoly:
    """The paper's market (section II.A), which has two sellers; every one is an item at one location.

    Args:
        sellers: n, 2 or more.
        value: a, worth of a product.
        cost: c of a unit.
        scale: μ, how little prices tell products apart.
        outside: a₀, worth of buying nothing.
        margin: ξ, how far prices may go beyond those of Nash and of monopoly, share of their distance.
        customers: who come in a period.

    Raises:
        InputError: a value outside its range.
    """

    sellers: int = 2
    value: float = 2.0
    cost: float = 1.0
    scale: float = 0.25
    outside: float = 0.0
    margin: float = 0.1
    customers: float = 1e4

    def __post_init__(self) -> None:
        if not 2 <= self.sellers <= 100:
            raise InputError(f"duopoly: expected 2 to 100 sellers, found {self.sellers}")
        for name in ("cost", "scale", "customers"):
            if not getattr(self, name) > 0:
                raise InputError(f"duopoly: expected a {name} above 0, found {getattr(self, name)}")

    def share(self, price: float) -> float:
        """Of each seller where all charge ``price``."""
        return float(1 / (self.sellers + np.exp((self.outside - self.value + price) / self.scale)))

    @property
    def nash(self) -> float:
        """Price of the one-shot Bertrand-Nash equilibrium: p = c + μ / (1 - q)."""
        return self._root(lambda price: self.scale / (1 - self.share(price)))

    @property
    def monopoly(self) -> float:
        """Price of greatest joint profit: p = c + μ / (1 - n·q)."""
        return self._root(lambda price: self.scale / (1 - self.sellers * self.share(price)))

    def profit(self, price: float) -> float:
        """A customer, of each seller where all charge ``price``."""
        return (price - self.cost) * self.share(price)

    def gain(self, profit: float) -> float:
        """Profit gain Δ: where a seller's profit a customer lies, from Nash (0) to monopoly (1)."""
        nash = self.profit(self.nash)
        return (profit - nash) / (self.profit(self.monopoly) - nash)

    def market(self) -> Market:
        """As a market of n items at one location; prices range a little beyond Nash and monopoly."""
        nash, monopoly = self.nash, self.monopoly
        reach, items = self.margin * (monopoly - nash), tuple(f"seller {k + 1}" for k in range(self.sellers))
        one = torch.ones(1, self.sellers)
        tastes = Logit(torch.tensor([self.customers]), self.value * one, self.scale, self.outside)
        demand = LogitDemand(tastes, nash * one, items=items)
        return Market(
            name="logit duopoly",
            dates=np.array(["2024-01-01"], dtype="datetime64[D]"),
            frequency="D",
            categories=("all",) * self.sellers,
            price_groups=demand.locations,
            economics=Economics(lead_time=0, holding_rate=0.0, shortage_rate=0.0, initial_cover=0.0),
            terms=Terms(
                reference_price=nash * one,
                price_low=(nash - reach) * one,
                price_high=(monopoly + reach) * one,
                unit_cost=self.cost * one,
                typical_demand=self.customers * self.share(nash) * one,
            ),
            demand=demand,
        )

    def _root(self, markup: Callable[[float], float]) -> float:
        """The price p = c + markup(p), of a markup that falls with the price, by bisection."""
        low, high = self.cost, self.cost + markup(self.cost)
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.cost + markup(middle) > middle else (low, middle)
        return (low + high) / 2
