"""The spatiotemporal Transformer: axial attention over time, then items, then locations.

Trained on whole windows under a *banded* causal mask of width W, it steps through a ring cache of W keys and
values a layer and gives the same function (a truncated window recomputed from scratch would not: deeper
layers see further back than W). Axial attention: Ho et al. 2019, arXiv 1912.12180; rotary positions: Su et
al. 2021, arXiv 2104.09864, eq. 34.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .attention import Across, Attention, attend, attend_biased, size_of_parts
from .trunk import Kept, Trunk, TrunkSettings


@dataclass(frozen=True)
class RingCache:
    """Keys and values of the last W periods of every layer; the token of position p lies in slot p mod W."""

    keys: tuple[Tensor, ...]  # one (B, S, I, H, W, D/H) a layer, rotated to their absolute position
    values: tuple[Tensor, ...]  # likewise
    position: Tensor  # (B,) int64 position of the next token
    filled: Tensor  # (B,) int64 how many of the last W slots hold a token


def _angles(position: Tensor, half: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine (…, half) of the rotation that belongs to positions (…)."""
    frequency = 100.0 ** (-torch.arange(half, device=position.device, dtype=torch.float32) / half)
    angle = position.unsqueeze(-1).to(torch.float32) * frequency
    return angle.cos(), angle.sin()


def _rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary embedding of x (..., D/H); the angles broadcast against each half of its last axis."""
    cos, sin = (part.to(x.dtype) for part in angles)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


Split = Callable[[Attention, Tensor], tuple[Tensor, Tensor, Tensor]]


def _split_at(position: Tensor, half: int) -> Split:
    """What makes rotated queries and keys, and values (B, ..., H, 1, D/H) of tokens (B, ..., D) at (B,).

    As one product, rotating takes a tenth of the time of ``_rotate`` on a CPU; compiled, where ``_rotate``
    is fused with what follows it, the product would be slower.
    """
    if torch.compiler.is_compiling():
        angles = _angles(position.view(-1, 1, 1, 1, 1), half)

        def split(attention: Attention, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            q, k, v = attention.split(x.unsqueeze(-2))
            return _rotate(q, angles), _rotate(k, angles), v

        return split
    cos, sin = (part.diag_embed() for part in _angles(position, half))
    rotation = torch.cat([torch.cat([cos, sin], -1), torch.cat([-sin, cos], -1)], -2)
    return lambda attention, x: attention.split_one(x, rotation.to(x.dtype))


class _Block(Across):
    def __init__(self, settings: TrunkSettings):
        nn.Module.__init__(self)
        self.time = Attention(settings.width, settings.heads)
        self._furnish(settings.width, settings.heads, settings.dropout)

    def over_time(
        self, x: Tensor, band: Tensor, angles: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attention of x (B, T, S, I, D) over time, its keys and its values (B, S, I, H, T, D/H)."""
        q, k, v = self.time.split(x.permute(0, 2, 3, 1, 4))
        q, k = _rotate(q, angles), _rotate(k, angles)
        out = self.dropout(self.time.join(attend(q, k, v, band))).permute(0, 3, 1, 2, 4)
        return x + out, k, v


class Transformer(Trunk):
    """Attention over time, items and locations."""

    def __init__(self, features: int, settings: TrunkSettings):
        super().__init__()
        self.settings = settings
        self.embed = nn.Linear(features, settings.width)
        self.blocks = nn.ModuleList(_Block(settings) for _ in range(settings.blocks))
        self.norm = nn.LayerNorm(settings.width)
        self._half = settings.width // settings.heads // 2

    def _layers(self) -> list[_Block]:
        return [cast(_Block, block) for block in self.blocks]

    def _band(self, length: int, device: torch.device) -> Tensor:
        index = torch.arange(length, device=device)
        age = index.unsqueeze(1) - index
        return (age >= 0) & (age < self.settings.window)

    def forward(
        self,
        tokens: Tensor,
        distance: Tensor | None = None,
        keep: list[Kept] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        """See ``Trunk``; kept are a layer's keys and values (B, S, I, H, T, D/H)."""
        x = self.embed(tokens)
        band = self._band(x.shape[1], x.device)
        angles = _angles(torch.arange(x.shape[1], device=x.device), self._half)
        for block in self._layers():
            kept = None if keep is None else self._room(x)
            x = self._over_time(block, x, (band, angles), kept)
            if keep is not None and kept is not None:
                keep.append(kept)
            x = block.in_parts(x, distance, listed)
        return self.norm(x)

    def _over_time(
        self,
        block: _Block,
        x: Tensor,
        places: tuple[Tensor, tuple[Tensor, Tensor]],
        kept: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        """A block's attention over time, in parts by location; keys and values go into ``kept``."""
        done: list[Tensor] = []
        first = 0
        for part in x.split(size_of_parts(x, 2), 2):
            out, *found = block.over_time(part, *places)
            for room, new in zip(kept or (), found, strict=False):
                room[:, first : first + part.shape[2]] = new
            first += part.shape[2]
            done.append(out)
        return torch.cat(done, 2)

    def _room(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Where a layer's keys and values (B, S, I, H, T, D/H) go; a view would hold the queries, too."""
        batch, periods, places, goods, _ = x.shape
        shape = (batch, places, goods, self.settings.heads, periods, 2 * self._half)
        return x.new_empty(shape), x.new_empty(shape)

    @property
    def kept_numbers(self) -> int:
        return self.settings.width * 2 * self.settings.blocks

    def begin(self, kept: Sequence[Kept], start: Tensor) -> RingCache:
        """Ring caches from keys and values (S, I, H, T, D/H) of each layer."""
        window = self.settings.window
        slots = torch.arange(window, device=start.device)
        newest = start.unsqueeze(1) - 1
        index = newest - (newest - slots) % window  # the latest position <= newest that belongs in each slot
        index = index.clamp(min=0)

        def pick(x: Tensor) -> Tensor:
            # a single market's is contiguous already, with a stride that the compiler makes slow loops of
            return x[:, :, :, index].permute(3, 0, 1, 2, 4, 5).clone(memory_format=torch.contiguous_format)

        return RingCache(
            keys=tuple(pick(k) for k, _ in kept),
            values=tuple(pick(v) for _, v in kept),
            position=start.clone(),
            filled=start.clamp(max=window),
        )

    def step(
        self, token: Tensor, memory: RingCache, distance: Tensor | None = None, listed: Tensor | None = None
    ) -> tuple[Tensor, RingCache]:
        """See ``Trunk``; the cache's tensors are updated in place."""
        window = self.settings.window
        x = self.embed(token)
        slot = memory.position % window
        filled = (memory.filled + 1).clamp(max=window)
        age = (slot.unsqueeze(1) - torch.arange(window, device=x.device)) % window
        unused = torch.where(age < filled.unsqueeze(1), 0.0, -torch.inf).view(-1, 1, 1, 1, 1, window)
        split = _split_at(memory.position, self._half)
        # where the newest token's row lies in a cache read as (B·S·I·H·W, D/H): one plain write of rows
        rows = torch.arange(memory.keys[0][..., 0, 0].numel(), device=x.device).view(len(slot), -1)
        rows = (rows * window + slot.unsqueeze(1)).flatten()
        for block, keys, values in zip(self._layers(), memory.keys, memory.values, strict=True):
            q, k, v = split(block.time, x)  # (B, S, I, H, 1, D/H)
            keys.view(-1, keys.shape[-1])[rows] = k.reshape(-1, keys.shape[-1])
            values.view(-1, values.shape[-1])[rows] = v.reshape(-1, values.shape[-1])
            out = attend_biased(q, keys, values, unused)
            x = x + block.time.join(out).squeeze(-2)
            x = block(x, distance, listed)
        return self.norm(x), RingCache(memory.keys, memory.values, memory.position + 1, filled)
