"""Recommenders: whom a shop shows which items.

A slate is a few items for each customer of a population; the market plays it with the effect that showing has
(``forecasters.customers.exposure``). Sources of the rules: popularity and personal frequency are the
yardsticks of the field (Dacrema, Cremonesi and Jannach 2019, "Are we really making much progress?", ACM
RecSys), which most learned recommenders do not beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .lift import Lift
from .population import Population


class Recommender(Protocol):
    """Says how much it would rather show each item to each customer."""

    @property
    def name(self) -> str: ...

    def scores(self, population: Population, margin: Tensor) -> Tensor:
        """(S, K, P, I), or what broadcasts to it; ``margin`` (S, I) is price less unit cost."""
        ...


@dataclass(frozen=True)
class Popular:
    """What a location sells most of."""

    name: str = "popular"

    def scores(self, population: Population, margin: Tensor) -> Tensor:
        sold = population.mass.sum((1, 2), keepdim=True)
        return sold.expand_as(population.taste)


@dataclass(frozen=True)
class Personal:
    """What a customer buys most of."""

    name: str = "personal frequency"

    def scores(self, population: Population, margin: Tensor) -> Tensor:
        return population.taste


@dataclass(frozen=True)
class WorthMost:
    """What earns most by being shown: units that a customer is expected to buy, times what each leaves.

    A multiple of demand is worth most where demand and margin are large together. What stock allows, and what
    follows later, another ``power`` of the margin may weigh better.
    """

    power: float = 1.0

    @property
    def name(self) -> str:
        return "worth most" if self.power == 1 else f"taste × margin^{self.power:g}"

    def scores(self, population: Population, margin: Tensor) -> Tensor:
        return population.taste * margin.clamp(min=0).pow(self.power).view(margin.shape[0], 1, 1, -1)


@dataclass(frozen=True)
class Pushed:
    """Some items before all others, such as a shop's own brand; the rest by another recommender."""

    items: tuple[str, ...]
    others: Recommender = Personal()

    @property
    def name(self) -> str:
        return f"{', '.join(self.items)} first, then {self.others.name}"

    def scores(self, population: Population, margin: Tensor) -> Tensor:
        scores = self.others.scores(population, margin)
        first = torch.tensor([item in self.items for item in population.items], device=scores.device)
        return scores.argsort(-1).argsort(-1) + first * len(population.items)


def lifted(shown: Tensor, effect: Lift) -> Tensor:
    """(S, K, P, I) times as many as usual that is bought of what is ``shown`` (S, K, P, I), a share 0 … 1."""
    return 1 + shown * (math.exp(effect.mean) - 1)


def slates(recommender: Recommender, population: Population, margin: Tensor, length: int) -> Tensor:
    """(S, K, P, I) 1 for each of the ``length`` items that a customer is shown, else 0.

    Ties are decided by the items' order. A customer is not shown more than there is.
    """
    scores = recommender.scores(population, margin)
    length = min(length, scores.shape[-1])
    ranked = scores.sort(dim=-1, descending=True, stable=True).indices[..., :length]
    return torch.zeros_like(population.taste).scatter_(-1, ranked, 1.0)
