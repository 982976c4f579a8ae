"""Common shocks: a week is good or bad for an item everywhere, a location, or the whole chain.

One-step forecasts leave each series its own distribution; how their surprises go together is a Gaussian
copula with one factor for the chain, one for each location and one for each item (variance components by
moments of the normal scores; Sklar 1959). Margins, and with them calibration, stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ..tensors import Cut, NoiseKey

_MOST = 0.95  # share of the variance that series may have in common


@dataclass(frozen=True)
class CommonShocks:
    """Shares of the variance of the normal score of a series' demand."""

    chain: Tensor  # ()
    location: Tensor  # ()
    item: Tensor  # (I,)

    @staticmethod
    def none(goods: int) -> CommonShocks:
        """Every series for itself."""
        return CommonShocks(torch.zeros(()), torch.zeros(()), torch.zeros(goods))

    def normal(self, key: NoiseKey, series: Tensor, locations: Tensor, items: Tensor, stream: int) -> Tensor:
        """(B, S, I) standard normals of series (S, I), that share what locations (S,) and items (I,) do."""
        single = (1 - self.chain - self.location - self.item).sqrt() * key.normal(series, stream)
        chain = self.chain.sqrt() * key.normal(torch.zeros_like(items[:1]), stream + 1)
        location = self.location.sqrt() * key.normal(locations, stream + 1)
        item = self.item.sqrt() * key.normal(items, stream + 1)
        return single + chain.unsqueeze(-1) + location.unsqueeze(-1) + item.unsqueeze(-2)

    def select(self, cut: Cut) -> CommonShocks:
        """What a sub-market's series share."""
        return cut.record(self, {"item": "I"})

    def to(self, device: torch.device | str) -> CommonShocks:
        return CommonShocks(*(getattr(self, f.name).to(device) for f in fields(self)))


def gamma_share(log_mean: Tensor, log_r: Tensor, rows: Tensor, grain: Tensor) -> Tensor:
    """(I,) share of the gamma part, which series can have in common, in the variance of counts.

    From forecasts (T, S, I, M), over the ``rows`` (T, S, I) bool; ``grain`` (I,) units a count stands for.
    """
    gamma, poisson = (-log_r).exp().mean(-1), grain / log_mean.exp().mean(-1)
    return (gamma / (gamma + poisson) * rows).sum((0, 1)) / rows.sum((0, 1)).clamp(min=1)


def estimate_common_shocks(score: Tensor, rows: Tensor, share: Tensor) -> CommonShocks:
    """Variance components from covariances of pairs of series in the same period.

    Args:
        score: (T, S, I) normal scores of one-step surprises.
        rows: (T, S, I) bool, those that count.
        share: (I,) part of the scores' variance that is the shock in question, the rest being counts' own.
    """
    z = score * rows
    n = rows.float()

    def pairs(total: Tensor, squares: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of the products of all ordered pairs, and how many there are, over all periods."""
        products, number = total.square() - squares, count.square() - count
        return products.sum(0), number.sum(0)

    square = z.square()
    item, item_n = pairs(z.sum(1), square.sum(1), n.sum(1))  # (I,)
    place, place_n = (x.sum() for x in pairs(z.sum(2), square.sum(2), n.sum(2)))
    whole, whole_n = pairs(z.sum((1, 2)), square.sum((1, 2)), n.sum((1, 2)))
    others = (whole - item.sum() - place) / (whole_n - item_n.sum() - place_n).clamp(min=1)
    typical = share.mean().clamp(min=0.05)
    chain = (others / typical).clamp(0, _MOST)
    location = (place / place_n.clamp(min=1) / typical - chain).clamp(min=0)
    location = torch.minimum(location, _MOST - chain)
    by_item = (item / item_n.clamp(min=1) / share.clamp(min=0.05) - chain).clamp(min=0)
    return CommonShocks(chain, location, torch.minimum(by_item, _MOST - chain - location))
