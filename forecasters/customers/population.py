"""The customers of a market, as it simulates them: weighted particles of each location, by segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..tensors import Cut

R = TypeVar("R", "Population", "Channels", "Contagion")


@dataclass(frozen=True, kw_only=True)
class MovedBy:
    """What a visit that was not as usual does to a logit: it adds

    stock_out · (share of the basket that was not there, beyond the usual)
        + dear · (log of the basket's price to the usual)
    """

    stock_out: float
    dear: float
    covariance: Tensor  # (2, 2) of the two effects
    assumed: tuple[str, ...] = ()  # names of the fields that no event told of: stated, not estimated


@dataclass(frozen=True, kw_only=True)
class Leaving(MovedBy):
    """What moves a customer's leaving: the logit of the chance to leave at a visit, which is each customer's
    own otherwise (``Population.leaving``). Each period ``back`` of those who left return."""

    back: float


@dataclass(frozen=True, kw_only=True)
class Switching(MovedBy):
    """What moves a customer's visits to other locations, such as from a shop to its web site: the logit of
    going elsewhere the next time (``Channels.elsewhere`` otherwise), by what the last visit met."""

    @staticmethod
    def of(effects: np.ndarray, covariance: np.ndarray, assumed: Sequence[str]) -> Switching:
        """Of arrays: effects (2,) of stock-outs and of prices."""
        return Switching(
            stock_out=float(effects[0]),
            dear=float(effects[1]),
            covariance=torch.from_numpy(covariance).float(),
            assumed=tuple(assumed),
        )


@dataclass(frozen=True)
class Channels:
    """Locations between which customers switch."""

    elsewhere: Tensor  # (S, K, P) share of a customer's visits that other locations have, 0 … 1
    towards: Tensor  # (S, S) of those of the first's customers, the second's; diagonal 0, rows sum to 1 or 0
    worth: Tensor  # (S, I) units that the location sells for one of known customers; 0: it sells none
    moved_by: Switching

    def select(self, cut: Cut) -> Channels:
        """Of some locations and items; whoever goes to others is gone."""
        return cut.record(self, {"elsewhere": "S__", "towards": "SS", "worth": "SI"})

    def each(self, function: Callable[[Tensor], Tensor]) -> Channels:
        """The same with ``function`` of every tensor but the law's."""
        return _each(self, function)


@dataclass(frozen=True)
class Contagion:
    """Customers who tell others, and those who listen; by how much these follow is between 0 and 1."""

    tells: Tensor  # (S, K, P) share of a particle's customers who told somebody, 0 … 1
    hears: Tensor  # (S, K, P) the same of those who were told
    elasticity: float  # ∂log(a listener's visits) / ∂log(those of who told him)
    error: float  # its standard error

    def select(self, cut: Cut) -> Contagion:
        """Of some locations."""
        return cut.record(self, {"tells": "S__", "hears": "S__"})

    def each(self, function: Callable[[Tensor], Tensor]) -> Contagion:
        """The same with ``function`` of every tensor."""
        return _each(self, function)


@dataclass(frozen=True)
class Population:
    """S locations, K segments of customers, P particles each; rows beyond a location's customers weigh 0.

    Who comes to several locations has a particle in each, which stands for that share of him.
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
    known: Tensor  # (S, I) share of what sells that they buy; the others, like them, can be sent nothing
    moved_by: Leaving
    channels: Channels | None = None  # None: nobody comes to several locations
    contagion: Contagion | None = None  # None: nobody is known to follow others

    @property
    def mass(self) -> Tensor:
        """(S, K, P, I) units of a period that a particle buys for all whom it stands for."""
        return self.weight.unsqueeze(-1) * self.taste

    def select(self, cut: Cut) -> Population:
        """Of some locations and items; the other items' customers stay, with what they buy of these."""
        shapes = dict.fromkeys(("weight", "visit", "basket", "leaving", "hazard"), "S__")
        shapes |= {"taste": "S__I", "price": "S_I", "usual_stock_out": "SI", "known": "SI"}
        locations, items = cut.names(self.locations, self.items)
        return replace(
            cut.record(self, shapes),
            locations=locations,
            items=items,
            channels=None if self.channels is None else self.channels.select(cut),
            contagion=None if self.contagion is None else self.contagion.select(cut),
        )

    def among(self, locations: Sequence[str], items: Sequence[str]) -> Population:
        """Of those locations and items that it knows."""
        places, goods = set(locations), set(items)
        of_places = [name for name in self.locations if name in places]
        of_items = [name for name in self.items if name in goods]
        return self.select(Cut.of(self.locations, self.items, of_places, of_items, self.weight.device))

    def to(self, device: torch.device | str) -> Population:
        return self.each(lambda tensor: tensor.to(device))

    def each(self, function: Callable[[Tensor], Tensor]) -> Population:
        """The same with ``function`` of every tensor but the laws'."""
        return replace(
            _each(self, function),
            channels=None if self.channels is None else self.channels.each(function),
            contagion=None if self.contagion is None else self.contagion.each(function),
        )


def _each(record: R, function: Callable[[Tensor], Tensor]) -> R:
    own: dict[str, Any] = {f.name: getattr(record, f.name) for f in fields(record)}
    moved: dict[str, Any] = {k: function(v) for k, v in own.items() if isinstance(v, Tensor)}
    return replace(record, **moved)
