"""Competitors: what they charge, as a multiple of what they usually charge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from ...forecasters.simulation import DemandProcess
from ...forecasters.tensors import NoiseKey


class Rival(Protocol):
    """A competitor with a state of its own. Prices are multiples (B, S, I) of usual ones."""

    def reset(self, start: Tensor, key: NoiseKey) -> Any:
        """Its state as episodes begin at calendar index ``start`` (B,)."""
        ...

    def price(self, state: Any) -> Tensor:
        """What it charges in the coming period."""
        ...

    def answer(self, state: Any, shop: Tensor) -> Tensor:
        """What it charges afterwards, as far as can be told, while the shop holds the price ``shop``."""
        ...

    def advance(self, state: Any, shop: Tensor, key: NoiseKey) -> Any:
        """Its state in the next period, after one in which the shop charged ``shop``."""
        ...

    def around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> Self:
        """The same of the locations and items of ``process``, ``tensor`` applied to its own tensors."""
        ...


@dataclass(frozen=True)
class Follower:
    """Charges the shop's price of the period before, less ``undercut``; 0 matches it."""

    reference: Tensor  # (S, I) the shop's usual prices
    undercut: Tensor  # (S, I) share by which it goes below in the coming period
    logged: Tensor | None = None  # (T, S, I) the shop's prices before an episode; None: the usual ones

    def reset(self, start: Tensor, key: NoiseKey) -> Tensor:
        """The shop's last price."""
        if self.logged is None:
            return torch.ones(len(start), *self.reference.shape, device=start.device)
        return self.logged[(start - 1).clamp(0, len(self.logged) - 1)] / self.reference

    def price(self, state: Tensor) -> Tensor:
        return state * (1 - self.undercut)

    def answer(self, state: Tensor, shop: Tensor) -> Tensor:
        return shop * (1 - self.undercut)

    def advance(self, state: Tensor, shop: Tensor, key: NoiseKey) -> Tensor:
        return shop

    def around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> Follower:
        logged = None if self.logged is None else tensor(self.logged)
        return Follower(tensor(self.reference), tensor(self.undercut), logged)


@dataclass(frozen=True)
class Recorded:
    """Charges what it charged in the period of the table; after it, what it did a year before."""

    multiples: Tensor  # (T, S, I) of its usual prices
    year: int  # periods

    def reset(self, start: Tensor, key: NoiseKey) -> Tensor:
        """Calendar index (B,)."""
        return start.clone()

    def price(self, state: Tensor) -> Tensor:
        end = len(self.multiples)
        cycle = min(self.year, end)
        return self.multiples[torch.where(state < end, state, end - cycle + (state - end) % cycle)]

    def answer(self, state: Tensor, shop: Tensor) -> Tensor:
        return self.price(state)

    def advance(self, state: Tensor, shop: Tensor, key: NoiseKey) -> Tensor:
        return state + 1

    def around(self, process: DemandProcess, tensor: Callable[[Tensor], Tensor]) -> Recorded:
        return Recorded(tensor(self.multiples), self.year)
