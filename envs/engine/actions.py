"""From what a learner puts out to a price and an order: one action a decision unit (price group, item).

An action map is an injected object with the space of one unit's action and ``to_decision``.
"""

from __future__ import annotations

from math import inf
from typing import Protocol

import torch
from gymnasium import spaces
from torch import Tensor

from ...forecasters.errors import InputError
from ..market import Market
from .types import Decision
from .view import View


class ActionMap(Protocol):
    """Turns actions of all units, (B, U, …), into a decision for all series."""

    @property
    def space(self) -> spaces.Space:
        """Of one unit."""
        ...

    def to_decision(self, action: Tensor, view: View) -> Decision: ...


class UnitPrices:
    """Prices of units: [-1, 1] spans the supported range, log-linearly, -1 its lower end and 1 its upper.

    A list of prices that was never tried becomes the nearest that was.
    """

    def __init__(self, market: Market) -> None:
        self.supported = market.supported
        self.shape = self.supported.low.shape

    def __call__(self, action: Tensor, view: View) -> Tensor:
        """(B, S, I) prices for ``action`` (B, U)."""
        supported = self.supported
        share = (action.view(-1, *self.shape).clamp(-1, 1) + 1) / 2
        log_price = supported.low + share * (supported.high - supported.low)
        return view.market.by_group.spread(supported.nearest(log_price).exp(), -2)


def default_cover(market: Market) -> float:
    """Largest cover worth offering: twice the periods that an order must last, L + 1, and two more."""
    return 2.0 * (market.economics.lead_time + 1) + 2.0


class BoxActions:
    """Price and cover from two numbers in [-1, 1].

    The first is the price, log-linear in the supported range. The second is the order-up-to level in periods
    of demand expected at that price, 0 … ``max_cover``; the order lifts each location of the unit to it.
    """

    def __init__(self, market: Market, max_cover: float | None = None) -> None:
        self.prices = UnitPrices(market)
        self.max_cover = default_cover(market) if max_cover is None else _largest("max_cover", max_cover)
        self.space = spaces.Box(-1.0, 1.0, (2,))

    def to_decision(self, action: Tensor, view: View) -> Decision:
        """Decision for ``action`` (B, U, 2)."""
        price = self.prices(action[..., 0], view)
        cover = self.max_cover * (action[..., 1].view(-1, *self.prices.shape).clamp(-1, 1) + 1) / 2
        level = view.market.by_group.spread(cover, -2) * view.expected(price)
        return Decision(price=price, order=(level - view.position()).round().clamp(min=0))


class GridActions:
    """A lattice of ``BoxActions`` for learners with discrete actions: index = price * covers + cover."""

    def __init__(
        self, market: Market, prices: int = 9, covers: int = 7, max_cover: float | None = None
    ) -> None:
        for name, value in (("prices", prices), ("covers", covers)):
            if value < 1:
                raise InputError(f"{name}: expected 1 or more, found {value}")
        self.box = BoxActions(market, max_cover)
        levels = [
            torch.linspace(-1, 1, n, device=market.device) if n > 1 else torch.zeros(1)
            for n in (prices, covers)
        ]
        self.lattice = torch.cartesian_prod(*levels).to(market.device)
        self.space = spaces.Discrete(prices * covers)

    def to_decision(self, index: Tensor, view: View) -> Decision:
        """Decision for ``index`` (B, U) int64."""
        return self.box.to_decision(self.lattice[index], view)


class RawActions:
    """Price as in ``BoxActions``; the second number orders 0 … ``max_units`` units for each location."""

    def __init__(self, market: Market, max_units: float) -> None:
        self.prices = UnitPrices(market)
        self.max_units = _largest("max_units", max_units)
        self.space = spaces.Box(-1.0, 1.0, (2,))

    def to_decision(self, action: Tensor, view: View) -> Decision:
        """Decision for ``action`` (B, U, 2)."""
        units = self.max_units * (action[..., 1].view(-1, *self.prices.shape).clamp(-1, 1) + 1) / 2
        order = view.market.by_group.spread(units, -2).round()
        return Decision(price=self.prices(action[..., 0], view), order=order)


def _largest(name: str, value: float) -> float:
    """The largest order of an action map.

    Raises:
        InputError: it is negative or not finite.
    """
    if not 0 <= value < inf:
        raise InputError(f"{name}: expected a number from 0 on, finite, found {value}")
    return value
