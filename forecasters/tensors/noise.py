"""Counter-based noise: every random number is a pure function of who it belongs to.

A number is keyed by (seed, market slot, episode, period, the series' own id, stream) and by nothing a policy
did, so that two policies under one seed meet the same customers, at any batch size and on any device, and no
two episodes are the same. The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood 2014,
"Fast splittable pseudorandom number generators"), on int64 whose products wrap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

_GAMMA = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64
_M1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_M2 = -7723592293110705685  # 0x94D049BB133111EB


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _M1
    x = (x ^ _shift(x, 27)) * _M2
    return x ^ _shift(x, 31)


def _combine(key: Tensor, value: Tensor | int) -> Tensor:
    return _mix(key * 3 + value * _GAMMA + _GAMMA)


@lru_cache(maxsize=100_000)
def stable_id(*names: str) -> int:
    """The same 63-bit number for the same names, on every machine and in every sub-market."""
    digest = hashlib.blake2b("\x1f".join(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def series_ids(locations: Sequence[str], items: Sequence[str]) -> Tensor:
    """(S, I) int64 ids of the series, by name, so that a sub-market keeps its customers."""
    rows = [[stable_id(place, item) for item in items] for place in locations]
    return torch.tensor(rows, dtype=torch.int64)


@dataclass(frozen=True)
class NoiseKey:
    """Whose noise it is. Streams separate the numbers drawn for one series in one period."""

    seed: int | Tensor  # as a tensor (B,) it may differ from market to market
    slot: Tensor  # (B,) int64 market slot
    episode: Tensor  # (B,) int64 episode number in that slot; in evaluation a global one with slot 0
    period: Tensor  # (B,) int64 period within the episode
    mirrored: Tensor | None = None  # (B,) bool: markets whose noise is that of the same key turned around

    def uniform(self, ids: Tensor, stream: int) -> Tensor:
        """Uniforms in the open interval (0, 1) for each market and ``ids`` (any shape): (B, *ids.shape)."""
        start = torch.zeros_like(self.slot) + (self.seed * 1024 + stream)
        key = _combine(_combine(_combine(_mix(start + _GAMMA), self.slot), self.episode), self.period)
        key = key.view(-1, *([1] * ids.dim()))
        bits = _shift(_combine(key, ids.unsqueeze(0)), 41)  # 23 bits and a half are exact: never 0 or 1
        uniform = (bits.to(torch.float32) + 0.5) * 2.0**-23
        if self.mirrored is None:
            return uniform
        return torch.where(self.mirrored.view(-1, *([1] * ids.dim())), 1 - uniform, uniform)

    def normal(self, ids: Tensor, stream: int) -> Tensor:
        """Standard normals, one for each market and id: (B, *ids.shape)."""
        return torch.special.ndtri(self.uniform(ids, stream).double()).float()
