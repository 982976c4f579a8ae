"""Policies: from what may be seen of a batch of markets to prices and orders.

A policy is a price rule paired with an order rule, so that every price rule meets every order rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..envs.engine.rules import limits
from ..envs.engine.types import Decision
from ..envs.engine.view import View
from ..envs.market import Market


@runtime_checkable
class Policy(Protocol):
    """Decides for all markets of a view at once; random only through keyed noise."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        ...

    def decide(self, view: View) -> Decision:
        """Price and order (B, S, I) for the coming period."""
        ...


class PriceRule(Protocol):
    """What to charge."""

    def price(self, view: View) -> Tensor:
        """Prices (B, S, I), common to the locations of a price group."""
        ...


class OrderRule(Protocol):
    """What to order, once the price is known."""

    def order(self, view: View, price: Tensor) -> Tensor:
        """Units (B, S, I) ordered at the prices (B, S, I) about to be charged, >= 0."""
        ...


class LiftedRule(OrderRule, Protocol):
    """An order rule that can be told to order for more or less than it would."""

    def order(self, view: View, price: Tensor, lift: Tensor | float = 1.0) -> Tensor:
        """Units (B, S, I) ordered, its level or rate multiplied by ``lift`` (B, S, I), >= 0."""
        ...


@dataclass(frozen=True)
class Pair:
    """A price rule with an order rule."""

    name: str
    pricing: PriceRule
    ordering: OrderRule

    def decide(self, view: View) -> Decision:
        price = self.pricing.price(view)
        return Decision(price=price, order=self.ordering.order(view, price))


def common(values: Tensor, market: Market) -> Tensor:
    """Make values (…, S, I) common to the locations of a price group, by their mean."""
    return market.by_group.spread(market.by_group.mean(values, -2), -2)


def price_range(market: Market) -> tuple[Tensor, Tensor]:
    """Lowest and highest price (G, I) of each decision unit: supported and not against the rules."""
    prices, groups = market.supported, market.by_group
    least, most = limits(market)
    least, most = groups.largest(least, -2), groups.smallest(most, -2)
    low = torch.clamp(prices.low.exp(), least, most)
    return low, torch.maximum(low, torch.clamp(prices.high.exp(), least, most))


def within(price: Tensor, market: Market) -> Tensor:
    """Prices (…, S, I) made common to each price group, supported, and not against the rules."""
    return market.by_group.spread(nearest(market.by_group.mean(price, -2).log(), market).exp(), -2)


def nearest(log_price: Tensor, market: Market) -> Tensor:
    """The supported log prices (…, G, I) nearest to those of decision units, kept to the rules."""
    low, high = (bound.log() for bound in price_range(market))
    return torch.clamp(market.supported.nearest(log_price), low, high)
