"""What is remembered of past demand: recent values and running means, updated one period at a time.

The features of a series are its last values and exponentially weighted means of all before, the same means
over all locations of the item, and over all items of the location. Demand is in logs, freed of its prices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LAGS = 3
_KEPT = tuple(0.5 ** (1 / half_life) for half_life in (2.0, 6.0, 20.0))  # of a sum, a period on
PARTS = {"own": slice(0, 6), "across": slice(6, 10), "around": slice(10, 12)}
"""Which features are of the series, of its item everywhere, of its location's items."""
_SHRINK = 0.5  # periods' worth of zeros in a running mean: little is said where little was seen


@dataclass(frozen=True)
class Past:
    """Running summary of series (…, S, I)."""

    lags: Tensor  # (…, S, I, 3) the last values, latest first; 0 where not observed
    total: Tensor  # (…, S, I, 3) weighted sums of what was observed, one a half-life
    weight: Tensor  # (…, S, I, 3) and the sums of their weights

    @staticmethod
    def none(like: Tensor) -> Past:
        """Nothing observed yet of series shaped as ``like`` (…, S, I)."""
        lags, means = like.new_zeros(*like.shape, _LAGS), like.new_zeros(*like.shape, len(_KEPT))
        return Past(lags, means, means)

    def after(self, value: Tensor, seen: Tensor) -> Past:
        """The summary after a period's values (…, S, I), those that were ``seen``."""
        mask = seen.to(value.dtype)
        value = value * mask
        lags = torch.cat([value.unsqueeze(-1), self.lags[..., :-1]], dim=-1)
        return Past(lags, _decayed(self.total, value), _decayed(self.weight, mask))

    def features(self) -> Tensor:
        """(…, S, I, F)"""
        own = torch.cat([self.lags, self.total / (self.weight + _SHRINK)], dim=-1)
        shared = own[..., [0, *range(_LAGS, own.shape[-1])]]
        across = shared.mean(-3, keepdim=True).expand_as(shared)
        around = shared[..., :2].mean(-2, keepdim=True).expand_as(shared[..., :2])
        return torch.cat([own, across, around], dim=-1)


def _decayed(sums: Tensor, news: Tensor) -> Tensor:
    """Weighted sums (…, S, I, 3) after ``news`` (…, S, I)."""
    return torch.stack([kept * x + news for kept, x in zip(_KEPT, sums.unbind(-1), strict=True)], dim=-1)


def scan(values: Tensor, seen: Tensor) -> list[Past]:
    """Summaries before each of the periods 0 … T of values (T, S, I): T + 1 of them."""
    out = [Past.none(values[0])]
    for value, mask in zip(values, seen, strict=True):
        out.append(out[-1].after(value, mask))
    return out


def past_features(values: Tensor, seen: Tensor) -> Tensor:
    """(T + 1, S, I, F) features before each of the periods 0 … T of values (T, S, I)."""
    return torch.stack([past.features() for past in scan(values, seen)])
