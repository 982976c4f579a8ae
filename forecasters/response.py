"""The structural price response: what prices and promotions do to log demand, apart from everything else."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

WEAKEST = -0.05  # own elasticity is kept below this: demand never rises with price


@dataclass(frozen=True)
class PriceResponse:
    """log demand = base + own·(log p − pivot) + Σ_j cross_ij·(log p_j − pivot_j) + promotion.

    Promotions are decision-linked: an agent's own price carries the promotion that such a discount carried in
    the past, with probability σ(a + b·(log p − pivot)), b ≤ 0.
    """

    pivot: Tensor  # (S, I) log reference price
    own: Tensor  # (S, I) own elasticity, < 0
    own_lo: Tensor  # (S, I) lower end of the 90% interval (strongest response)
    own_hi: Tensor  # (S, I) upper end (weakest response)
    cross: Tensor  # (I, I) ∂log demand(row) / ∂log price(column), 0 on the diagonal
    promo: Tensor  # (I, K) lift of log demand by a full promotion
    promo_level: Tensor  # (I, K) a
    promo_slope: Tensor  # (I, K) b

    def at(self, which: Literal["lo", "mean", "hi"]) -> PriceResponse:
        """The same response with every own elasticity at one end of its interval."""
        return replace(self, own={"lo": self.own_lo, "mean": self.own, "hi": self.own_hi}[which])

    def effect(self, log_price: Tensor, promo: Tensor | None = None) -> Tensor:
        """Effect on log demand (…, S, I) of log prices (…, S, I).

        ``promo`` (…, S, I, K) where it is known, as in the history; None lets it follow the discount.
        """
        shift = log_price - self.pivot
        total = self.own * shift + shift @ self.cross.T
        if self.promo.shape[-1] == 0:
            return total
        if promo is None:
            chance = torch.sigmoid(self.promo_level + self.promo_slope * shift.unsqueeze(-1))
            return total + torch.log1p(chance * self.promo.expm1()).sum(-1)
        return total + (promo * self.promo).sum(-1)

    def local_elasticity(self) -> Tensor:
        """(S, I) own elasticity at the reference price with the promotion that follows the discount."""
        if self.promo.shape[-1] == 0:
            return self.own
        chance = torch.sigmoid(self.promo_level)
        lift = self.promo.expm1()
        slope = lift * chance * (1 - chance) * self.promo_slope / (1 + chance * lift)
        return self.own + slope.sum(-1)

    def to(self, device: torch.device | str) -> PriceResponse:
        return PriceResponse(*(getattr(self, f.name).to(device) for f in fields(self)))
