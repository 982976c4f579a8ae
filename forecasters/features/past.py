"""What is remembered of past demand: recent values and running means, updated one period at a time.

The features of a series are its last values and exponentially weighted means of all before, the same means
over the locations that list the item, and over the items that the location lists. Demand is in logs, freed of
its prices. A mean over series is one of what was observed: a series that is not listed, or was not seen, is
neither zero nor usual, it is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LAGS = 3
KEPT = tuple(0.5 ** (1 / half_life) for half_life in (2.0, 6.0, 20.0))  # of a sum, a period on
PARTS = {"own": slice(0, 6), "across": slice(6, 10), "around": slice(10, 12)}
"""Which features are of the series, of its item everywhere, of its location's items."""
SHRINK = 0.5  # periods' worth of zeros in a running mean: little is said where little was seen


@dataclass(frozen=True)
class Past:
    """Running summary of series (…, S, I)."""

    lags: Tensor  # (…, S, I, 3) the last values, latest first; 0 where not observed
    total: Tensor  # (…, S, I, 3) weighted sums of what was observed, one a half-life
    weight: Tensor  # (…, S, I, 3) and the sums of their weights
    seen: Tensor  # (…, S, I) 1 where the last value was observed, else 0

    @staticmethod
    def none(like: Tensor) -> Past:
        """Nothing observed yet of series shaped as ``like`` (…, S, I)."""
        lags, means = like.new_zeros(*like.shape, LAGS), like.new_zeros(*like.shape, len(KEPT))
        return Past(lags, means, means, torch.zeros_like(like))

    def after(self, value: Tensor, seen: Tensor) -> Past:
        """The summary after a period's values (…, S, I), those that were ``seen``."""
        mask = seen.to(value.dtype)
        value = value * mask
        lags = torch.cat([value.unsqueeze(-1), self.lags[..., :-1]], dim=-1)
        return Past(lags, _decayed(self.total, value), _decayed(self.weight, mask), mask)

    def features(self, listed: Tensor | None = None) -> Tensor:
        """(…, S, I, F); means over series are over those ``listed`` (…, S, I) bool, all where None."""
        drawn = self.weight + SHRINK
        means, trust = self.total / drawn, self.weight / drawn
        value = torch.cat([self.lags[..., :1], means], dim=-1)
        count = torch.cat([self.seen.unsqueeze(-1), trust], dim=-1)
        if listed is not None:
            there = listed.unsqueeze(-1).to(value.dtype)
            value, count = value * there, count * there
        across = _mean(value, count, -3)
        around = _mean(value[..., :2], count[..., :2], -2)
        return torch.cat([self.lags, means, across, around], dim=-1)


def _mean(value: Tensor, count: Tensor, dim: int) -> Tensor:
    """Mean along ``dim`` of values that have been multiplied by their ``count``, as wide as they are.

    Shrunk as they are: by the mean count of what is counted, so that those not seen take no part.
    """
    number = count.sum(dim, keepdim=True).clamp(min=1e-6)
    shrunk = count.square().sum(dim, keepdim=True) / number
    return (value.sum(dim, keepdim=True) / number * shrunk).expand_as(value)


def _decayed(sums: Tensor, news: Tensor) -> Tensor:
    """Weighted sums (…, S, I, 3) after ``news`` (…, S, I)."""
    return torch.stack([kept * x + news for kept, x in zip(KEPT, sums.unbind(-1), strict=True)], dim=-1)


def scan(values: Tensor, seen: Tensor) -> list[Past]:
    """Summaries before each of the periods 0 … T of values (T, S, I): T + 1 of them."""
    out = [Past.none(values[0])]
    for value, mask in zip(values, seen, strict=True):
        out.append(out[-1].after(value, mask))
    return out


def past_features(values: Tensor, seen: Tensor, listed: Tensor | None = None) -> Tensor:
    """(T + 1, S, I, F) features before each of the periods 0 … T of values (T, S, I).

    ``listed`` (T + 1 at least, S, I) bool says what is sold where in each period.
    """
    past = scan(values, seen)
    if listed is None:
        return torch.stack([now.features() for now in past])
    return torch.stack([now.features(there) for now, there in zip(past, listed, strict=False)])
