"""Stock on hand: units that keep, or units of several ages that perish. Every change makes a new stock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ..economics import Economics
from .types import State

# of units (B, C, S, I), C cohorts, those that spoil in the night to come
Spoil = Callable[[Tensor], Tensor]


class Stock(Protocol):
    """Units of every series and what can happen to them in a period."""

    @property
    def units(self) -> Tensor:
        """(B, S, I) on hand."""
        ...

    @property
    def cohorts(self) -> Tensor:
        """(B, A, S, I) on hand by what is left of their life, as in ``State``."""
        ...

    def add(self, arrived: Tensor) -> Stock:
        """With ``arrived`` (B, S, I) fresh units."""
        ...

    def take(self, wanted: Tensor) -> tuple[Stock, Tensor]:
        """What is left, and what was handed over (B, S, I): ``wanted`` (B, S, I), while there is stock."""
        ...

    def overnight(self, spoil: Spoil) -> tuple[Stock, Tensor]:
        """What is left in the next period, and what was thrown away (B, S, I)."""
        ...


def stock_of(state: State, economics: Economics) -> Stock:
    """The stock of a state."""
    if economics.shelf_life is None:
        return Durable(state.on_hand, state.cohorts)
    return Perishable(state.cohorts, oldest_first=economics.issuing == "fifo")


def fresh(on_hand: Tensor, economics: Economics) -> Tensor:
    """(B, A, S, I) cohorts of ``on_hand`` (B, S, I) units that have all just arrived."""
    life = economics.shelf_life or 0
    markets, *series = on_hand.shape
    older = on_hand.new_zeros(markets, max(life - 1, 0), *series)
    return torch.cat([older, on_hand.unsqueeze(1)], dim=1)[:, :life]


@dataclass(frozen=True)
class Durable:
    """Units of which the last can be sold as well as the first."""

    units: Tensor  # (B, S, I)
    cohorts: Tensor  # (B, 0, S, I)

    def add(self, arrived: Tensor) -> Durable:
        return replace(self, units=self.units + arrived)

    def take(self, wanted: Tensor) -> tuple[Durable, Tensor]:
        taken = torch.minimum(wanted, self.units)
        return replace(self, units=self.units - taken), taken

    def overnight(self, spoil: Spoil) -> tuple[Durable, Tensor]:
        wasted = spoil(self.units.unsqueeze(1))[:, 0]
        return replace(self, units=self.units - wasted), wasted


@dataclass(frozen=True)
class Perishable:
    """Units that can be sold for A periods, the one that they arrive in included, and then are thrown away.

    Nahmias 1982, "Perishable inventory theory: a review", Operations Research 30(4), 680-708.
    """

    cohorts: Tensor  # (B, A, S, I) slot k can still be sold in k periods after this one
    oldest_first: bool  # customers get the oldest units (fifo), or the freshest (lifo)

    @property
    def units(self) -> Tensor:
        return self.cohorts.sum(1)

    def add(self, arrived: Tensor) -> Perishable:
        freshest = self.cohorts[:, -1:] + arrived.unsqueeze(1)
        return replace(self, cohorts=torch.cat([self.cohorts[:, :-1], freshest], dim=1))

    def take(self, wanted: Tensor) -> tuple[Perishable, Tensor]:
        queue = self.cohorts if self.oldest_first else self.cohorts.flip(1)
        sooner = queue.cumsum(1) - queue  # units that are handed out before a cohort's turn comes
        taken = torch.minimum((wanted.unsqueeze(1) - sooner).clamp(min=0), queue)
        taken = taken if self.oldest_first else taken.flip(1)
        return replace(self, cohorts=self.cohorts - taken), taken.sum(1)

    def overnight(self, spoil: Spoil) -> tuple[Perishable, Tensor]:
        expired = self.cohorts[:, :1]
        gone = torch.cat([expired, spoil(self.cohorts)[:, 1:]], dim=1)
        older = torch.cat([(self.cohorts - gone)[:, 1:], torch.zeros_like(expired)], dim=1)
        return replace(self, cohorts=older), gone.sum(1)
