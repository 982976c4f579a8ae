"""What a shop does to customers whom it knows: what it shows them, and whom it sends coupons.

A campaign says it of a population; the market plays it with the effect that it has (``exposure``), together
with prices, stock and memory: who comes more often brings those whom they told, too.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError
from .lift import Lift
from .population import Population
from .recommenders import Recommender, lifted, slates


@dataclass(frozen=True)
class CustomerAction:
    """What is done to known customers in one period, by what it does; each broadcasts to the axes it names.

    B markets, S locations, K segments, P particles, I items, as in ``Population``.
    """

    shown: Tensor  # (S, K, P, I) times as much as usual that a particle buys for what it is shown or told
    sent: Tensor  # (B, S, K, I) times as much that a segment buys for its coupons
    given: Tensor  # (B, S, K, I) share of what a segment pays that its coupons take off

    @staticmethod
    def none(device: torch.device | str = "cpu") -> CustomerAction:
        """Everybody is treated as usual."""
        one = torch.ones(1, 1, 1, 1, device=device)
        return CustomerAction(one, one, torch.zeros_like(one))

    def with_(self, other: CustomerAction) -> CustomerAction:
        """Both in one period, each as if it were alone."""
        kept = (1 - self.given) * (1 - other.given)
        return CustomerAction(self.shown * other.shown, self.sent * other.sent, 1 - kept)

    def reaching(self, known: Tensor) -> CustomerAction:
        """The same where only a share ``known`` (S, I) of what is bought is of those who can be reached."""
        here = known.unsqueeze(1)  # (S, 1, I)
        sent = 1 + here * (self.sent - 1)
        return CustomerAction(
            shown=1 + here.unsqueeze(2) * (self.shown - 1),
            sent=sent,
            given=self.given * here * self.sent / sent.clamp(min=1e-12),
        )

    def where(self, series: Tensor) -> CustomerAction:
        """The same for ``series`` (S, I) bool alone."""
        here = series.unsqueeze(1)  # (S, 1, I)
        return CustomerAction(
            torch.where(here.unsqueeze(2), self.shown, 1.0),
            torch.where(here, self.sent, 1.0),
            torch.where(here, self.given, 0.0),
        )


class Campaign(Hashable, Protocol):
    """What a shop means to do to its customers, whoever they are; the same in every period."""

    @property
    def name(self) -> str: ...

    def action(self, population: Population, margin: Tensor) -> CustomerAction:
        """Of a period; ``margin`` (S, I) is price less unit cost."""
        ...


@dataclass(frozen=True)
class Showing:
    """Shows each customer ``length`` items by a recommender, in every period.

    Beside it customers buy as much as ever: what showing one item takes from others is not known.
    """

    recommender: Recommender
    length: int
    effect: Lift

    @property
    def name(self) -> str:
        return f"show {self.length} by {self.recommender.name}"

    def action(self, population: Population, margin: Tensor) -> CustomerAction:
        shown = slates(self.recommender, population, margin, self.length)
        usual = CustomerAction.none(population.weight.device)
        return CustomerAction(lifted(shown, self.effect), usual.sent, usual.given)


@dataclass(frozen=True)
class Coupons:
    """Sends a share of the customers of some segments a coupon in every period.

    Who gets one buys ``effect`` times as much, all of it for less by the discount; who would have bought
    anyway hands in his coupon, too: that is what it costs.
    """

    discount: float  # share of the price
    effect: Lift
    segments: tuple[str, ...] | None = None  # None: all
    share: float = 1.0  # of a segment's customers

    @property
    def name(self) -> str:
        who = "all" if self.segments is None else " and ".join(self.segments)
        return f"{self.discount:.0%} coupon to {who}"

    def action(self, population: Population, margin: Tensor) -> CustomerAction:
        """
        Raises:
            InputError: the population has no such segment.
        """
        more = self.share * exp(self.effect.mean)
        times = 1 - self.share + more
        got = _among(population.segments, self.segments).to(population.weight)
        return CustomerAction(
            CustomerAction.none(got.device).shown,
            sent=1 + got * (times - 1),
            given=got * self.discount * more / max(times, 1e-12),
        )


@dataclass(frozen=True)
class Seeds:
    """Addresses a share of the customers in every period, so that they tell others, who buy more.

    Those who listen buy more where they are known (``Population.contagion``); else everybody does, by his
    part in them. What the addressed buy more themselves is not counted: ``Coupons`` do.
    """

    share: float  # of customers, addressed in a period
    effect: Lift  # on those whom they told
    told: float  # others whom a customer told, on average

    @property
    def name(self) -> str:
        return f"address {self.share:.0%} of customers, who tell others"

    def action(self, population: Population, margin: Tensor) -> CustomerAction:
        usual, contagion = CustomerAction.none(population.weight.device), population.contagion
        if contagion is None:
            reached = min(1.0, self.share * self.told) * usual.shown
        else:
            reached = self.share * contagion.hears.unsqueeze(-1)
        return CustomerAction(1 + reached * (exp(self.effect.mean) - 1), usual.sent, usual.given)


def _among(known: Sequence[str], wanted: Sequence[str] | None) -> Tensor:
    """(1, 1, K, 1) bool which of the ``known`` segments are wanted."""
    strange = [name for name in wanted or () if name not in known]
    if strange:
        raise InputError(f"segments: expected some of {', '.join(known)}, found {', '.join(strange)}")
    return torch.tensor([wanted is None or name in wanted for name in known]).view(1, 1, -1, 1)
