"""The customers of a market, as it simulates them: weighted particles of each location, by segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from ..tensors import Cut


@dataclass(frozen=True)
class Leaving:
    """What moves a customer's leaving: the logit of the chance to leave at a visit is

        own + stock_out · (share of the basket that was not there, beyond the usual)
            + dear · (log of the basket's price to the usual)

    with ``own`` of each customer, in ``Population.leaving``. Each period ``back`` of those who left return.
    """

    stock_out: float
    dear: float
    covariance: Tensor  # (2, 2) of the two effects
    back: float
    assumed: tuple[str, ...] = ()  # names of the fields that no event told of: stated, not estimated


@dataclass(frozen=True)
class Population:
    """S locations, K segments of customers, P particles each; rows beyond a location's customers weigh 0.

    A segment is what a policy can address, and what shares a deviation of own elasticity. Left to itself a
    population is stationary: whoever leaves as usual is replaced by somebody like him.
    """

    locations: tuple[str, ...]
    items: tuple[str, ...]
    segments: tuple[str, ...]
    weight: Tensor  # (S, K, P) customers that a particle stands for, >= 0
    visit: Tensor  # (S, K, P) chance of a visit in a period
    taste: Tensor  # (S, K, P, I) units of a period at reference prices, expected
    basket: Tensor  # (S, K, P) the same of all items, those of no part in a sub-market too; > 0
    leaving: Tensor  # (S, K, P) logit of the chance to leave at a visit that finds what it usually does
    hazard: Tensor  # (S, K, P) that chance in the log, mean of visits that found more and less than that
    price: Tensor  # (S, K, I) own elasticity less the item's; its mean weighted by demand is 0
    usual_stock_out: Tensor  # (S, I) share of demand that the log left unserved
    moved_by: Leaving

    @property
    def mass(self) -> Tensor:
        """(S, K, P, I) units of a period that a particle buys for all whom it stands for."""
        return self.weight.unsqueeze(-1) * self.taste

    def select(self, cut: Cut) -> Self:
        """Of some locations and items; the other items' customers stay, with what they buy of these."""
        shapes = dict.fromkeys(("weight", "visit", "basket", "leaving", "hazard"), "S__")
        shapes |= {"taste": "S__I", "price": "S_I", "usual_stock_out": "SI"}
        locations, items = cut.names(self.locations, self.items)
        return replace(cut.record(self, shapes), locations=locations, items=items)

    def among(self, locations: Sequence[str], items: Sequence[str]) -> Self:
        """Of those locations and items that it knows."""
        places, goods = set(locations), set(items)
        of_places = [name for name in self.locations if name in places]
        of_items = [name for name in self.items if name in goods]
        return self.select(Cut.of(self.locations, self.items, of_places, of_items, self.weight.device))

    def to(self, device: torch.device | str) -> Self:
        return self.each(lambda tensor: tensor.to(device))

    def each(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The same with ``function`` of every tensor."""
        own: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {k: function(v) for k, v in own.items() if isinstance(v, Tensor)}
        return replace(self, **moved)
