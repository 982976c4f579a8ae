"""How a shelf is filled and runs empty within a period: what of demand is sold, and how long nothing can be.

The customers of a period come at uniform times, so that the moment at which the K-th of D empties the shelf
is Beta(K, D − K + 1), an order statistic of uniforms. A shelf that the last customer emptied counts as empty:
the shop cannot tell whether another would have come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

_MOMENT = 1e-3  # shortest share of a period out of stock


@dataclass(frozen=True)
class Sold:
    """What became of a period's demand; tensors (S, I)."""

    stock: Tensor  # units that were there to be sold
    sales: Tensor  # units sold
    out: Tensor  # share of the period in which there was nothing to buy
    left: Tensor  # units that the next period begins with


class Shelf(Protocol):
    """A rule of replenishment."""

    def sell(self, left: Tensor, level: Tensor, wanted: Tensor, rng: np.random.Generator) -> Sold:
        """One period that begins with ``left`` units, is to have ``level`` and meets ``wanted`` (S, I)."""
        ...


@dataclass(frozen=True)
class Keeping:
    """Filled up as the period begins; what is not sold stays."""

    def sell(self, left: Tensor, level: Tensor, wanted: Tensor, rng: np.random.Generator) -> Sold:
        stock = torch.maximum(left, level)
        sales = torch.minimum(wanted, stock)
        return Sold(stock, sales, _tensor(_empty_share(wanted, stock, rng)), stock - sales)


@dataclass(frozen=True)
class Fresh:
    """Filled every period, what is not sold is thrown away; empty until a delivery that is late."""

    late: float  # share of the deliveries that come during the period, at any moment of it
    missing: float  # share of those that never come

    def sell(self, left: Tensor, level: Tensor, wanted: Tensor, rng: np.random.Generator) -> Sold:
        draw, moment = rng.random((2, *level.shape))
        comes = np.where(draw < self.late, moment, 0.0)
        comes = np.where(draw >= 1 - self.missing, 1.0, comes)
        before = rng.binomial(wanted.long().numpy(), comes)  # came for nothing
        stock = torch.where(torch.as_tensor(comes < 1), level, 0.0)
        after = wanted - _tensor(before)
        empty = comes + (1 - comes) * _empty_share(after, stock, rng)
        return Sold(stock, torch.minimum(after, stock), _tensor(empty), torch.zeros_like(level))


def _empty_share(wanted: Tensor, stock: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Share (S, I) of the time from the filling on without stock."""
    k, d = stock.double().numpy(), wanted.double().numpy()
    out = (d >= k) & (k > 0)
    moment = rng.beta(np.where(out, k, 1.0), np.where(out, d - k + 1, 1.0))
    return np.where(out, np.maximum(1 - moment, _MOMENT), np.where(k > 0, 0.0, 1.0))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)
