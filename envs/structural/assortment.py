"""Drawing a partial assortment: which items a chain sells where and when."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from .family import StructuralDemand

_NARROWEST = 0.35  # share of the locations that the rarest item is sold in; the commonest is in all
_WHIM = 0.7  # of who lists what, beside the size of the location, in standard deviations of that
_CHAIN_WIDE = 0.2  # share of the items launched everywhere within the history; as many end everywhere
_SEASON = 0.1  # of the history, within which all locations follow
_ALONE = 0.1  # share of the other series that a location lists later; as many it delists earlier
_LAUNCHES, _ENDS = (0.1, 0.5), (0.6, 0.9)  # of the history

D = TypeVar("D", bound=StructuralDemand)


def with_assortment(market: D, periods: int, seed: int) -> D:
    """The market where items are sold in 35 to 100% of the locations only, and come and go.

    Smaller locations list fewer items. Each series is sold in one stretch; the commonest item stays
    everywhere, so that no location is ever without.
    """
    rng = np.random.default_rng([seed, 2])
    level = market.level().double().numpy()
    places, goods = level.shape
    width = rng.permutation(np.linspace(_NARROWEST, 1.0, goods))
    ranges = _ranges(level.mean(1), np.maximum(1, np.rint(width * places)), rng)
    begin, end = np.zeros((2, places, goods))
    others = rng.permutation(np.flatnonzero(width < 1))
    many = round(_CHAIN_WIDE * goods)
    launched, ended, rest = np.split(others, [many, 2 * many])
    begin[:, launched] = rng.uniform(*_LAUNCHES, many) + rng.uniform(0, _SEASON, (places, many))
    end[:, ended] = rng.uniform(*_ENDS, many) - rng.uniform(0, _SEASON, (places, many))
    draw = rng.random((places, len(rest)))
    late, early = rng.uniform(*_LAUNCHES, draw.shape), rng.uniform(*_ENDS, draw.shape)
    begin[:, rest] = np.where(draw < _ALONE, late, 0)
    end[:, rest] = np.where(draw > 1 - _ALONE, early, 0)
    now = np.arange(periods)[:, None, None] / periods
    listed = ranges & (now >= begin) & ((now < end) | (end == 0))
    return replace(market, shop=replace(market.shop, listed=torch.as_tensor(listed)))  # type: ignore[type-var]


def _ranges(size: np.ndarray, count: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, I) bool, whether a location lists an item at all: the ``count`` (I,) largest ones, about."""
    appeal = ((size - size.mean()) / size.std())[:, None] + _WHIM * rng.normal(size=(len(size), len(count)))
    return (-appeal).argsort(0).argsort(0) < count
