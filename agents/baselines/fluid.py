"""The price that sells a stock by the end of its season, as if demand were certain."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.view import View
from ...forecasters.errors import InputError
from .myopic import best_price


@dataclass(frozen=True)
class FluidPrice:
    """Maximises (p - v) · min(E[demand | p] to the season's end, stock), solved anew every period.

    The fluid problem of Gallego and van Ryzin 1994 (Management Science 40(8)), jointly over the items of a
    location; v is what a unit left is worth then. Stock on order counts, and what could still be ordered does
    not.

    Raises:
        InputError: the market has no season.
    """

    iterations: int = 10

    def price(self, view: View) -> Tensor:
        economics, terms = view.market.economics, view.market.terms
        stock = view.position().clamp(min=0.0)
        if economics.season is None:
            raise InputError(
                f"fluid price: expected a season in the economics of {view.market.name!r}, found none"
            )
        left = (economics.season - view.state.age).clamp(min=1).view(-1, 1, 1).to(stock.dtype)
        worth = economics.salvage_rate * terms.unit_cost

        def profit(price: Tensor) -> Tensor:
            wanted = view.expected_until_arrival(price) / view.until_arrival * left
            return (price - worth) * torch.minimum(wanted, stock)

        usual = terms.reference_price.expand_as(stock)
        return best_price(profit, view.market, [usual], iterations=self.iterations)
