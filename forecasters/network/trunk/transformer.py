"""The spatiotemporal Transformer: axial attention over time, then items, then locations.

Trained on whole windows under a *banded* causal mask of width W, it steps through a ring cache of W keys and
values a layer and gives the same function (a truncated window recomputed from scratch would not: deeper
layers see further back than W). Axial attention: Ho et al. 2019, arXiv 1912.12180; rotary positions: Su et
al. 2021, arXiv 2104.09864, eq. 34.

More items or locations than ``KEYS`` are read as that many landmarks, so that a series costs the same in a
market of any size: means of consecutive segments (Xiong et al. 2021, arXiv 2102.03902, eq. 7) give keys and
values (as in memory-compressed attention: Liu et al. 2018, arXiv 1801.10198). There their order matters.

What is not listed is not read: its keys are masked, and a landmark is the mean of what is listed in its
segment.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MASKED = -1e4  # added to the score of what is not there; finite, since there may be nothing at all
_AT_ONCE = 2**20  # numbers of a hidden state worked on together without gradients: they stay in the cache
KEYS = 80
"""Items of a location, or locations of an item, that attention reads one by one; more are read as this many
landmarks."""


@dataclass(frozen=True)
class TrunkSettings:
    """Sizes of a trunk."""

    width: int = 32  # channels a token, D
    blocks: int = 2
    heads: int = 2
    window: int = 26  # periods that time attention reaches back, W
    dropout: float = 0.2


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


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention over the second-to-last axis of (..., H, N, D/H), all leading axes as one batch."""
    flat = [t.reshape(-1, *t.shape[-3:]) for t in (q, k, v)]
    return F.scaled_dot_product_attention(flat[0], flat[1], flat[2], attn_mask=mask).view(q.shape)


def _attend_biased(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """The same with a bias added to the scores, in plain products.

    For a single query, or a learned bias, they take half the time of torch's fused kernel on a CPU.
    """
    score = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + bias
    return score.softmax(-1) @ v


def _landmarks(x: Tensor, dim: int) -> Tensor:
    """Means of KEYS consecutive segments of N > KEYS entries along ``dim`` < 0, the longer ones first."""
    size, longer = divmod(x.shape[dim], KEYS)
    counts, sizes = (longer, KEYS - longer), (size + 1, size)
    parts = x.split([count * each for count, each in zip(counts, sizes, strict=True)], dim)
    cut = [part.unflatten(dim, shape) for part, *shape in zip(parts, counts, sizes, strict=True)]
    return torch.cat([segments.mean(dim) for segments in cut], dim)


def _size_of_parts(x: Tensor, dim: int) -> int:
    """How much of ``x`` along ``dim`` is worked on at once: all of it where gradients are asked for."""
    if torch.is_grad_enabled():
        return x.shape[dim]
    return min(x.shape[dim], max(1, _AT_ONCE * x.shape[dim] // max(1, x.numel())))


def _log_sizes(entries: int, like: Tensor) -> Tensor:
    """(KEYS,) log entries a landmark stands for: added to its score it counts as often as they would."""
    size, longer = divmod(entries, KEYS)
    more = torch.arange(KEYS, device=like.device) < longer
    return (size + more.to(like.dtype)).log()


class _Attention(nn.Module):
    """Multi-head attention along the second-to-last axis of (..., N, D)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.merge = nn.Linear(width, width, bias=False)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values (..., H, N, D/H) of x (..., N, D)."""
        q, k, v = self._by_head(self.project(self.norm(x)), 3)
        return q, k, v

    def split_landmarks(self, x: Tensor, share: Tensor | None, there: Tensor | None) -> list[Tensor]:
        """The same with keys and values (..., H, KEYS, D/H) of the landmarks alone.

        Projection and mean commute, so that the means are taken first and only they are projected. ``share``
        (..., KEYS) of each segment is ``there`` (..., N).
        """
        width, seen = x.shape[-1], self.norm(x)
        asks, answers = self.project.weight.split([width, 2 * width])
        if there is None or share is None:
            marks = _landmarks(seen, -2)
        else:
            marks = _landmarks(seen * there.unsqueeze(-1), -2) / share.clamp(min=1e-6).unsqueeze(-1)
        return [*self._by_head(F.linear(seen, asks), 1), *self._by_head(F.linear(marks, answers), 2)]

    def _by_head(self, x: Tensor, parts: int) -> list[Tensor]:
        """(..., N, parts · D) → that many of (..., H, N, D/H)."""
        shape = (*x.shape[:-1], parts, self.heads, x.shape[-1] // parts // self.heads)
        return [part.transpose(-2, -3) for part in x.view(shape).unbind(-3)]

    def join(self, heads: Tensor) -> Tensor:
        merged = heads.transpose(-2, -3)
        return self.merge(merged.reshape(*merged.shape[:-2], -1))

    def forward(self, x: Tensor, bias: Tensor | None, there: Tensor | None = None) -> Tensor:
        """Every one of N tokens attends to all that are ``there`` (..., N) bool, or to their landmarks.

        To landmarks, if N is more than KEYS; bias: (H, N, N).
        """
        if x.shape[-2] > KEYS:
            here = None if there is None else there.to(x.dtype)
            share = None if here is None else _landmarks(here, -1)
            q, k, v = self.split_landmarks(x, share, here)
            sizes = _log_sizes(x.shape[-2], q)
            bias = sizes if bias is None else sizes + _landmarks(bias, -1)
            if share is not None:
                bias = bias + share.log().clamp(min=_MASKED).unsqueeze(-2).unsqueeze(-2)
            return self.join(_attend_biased(q, k, v, bias))
        if there is not None:
            masked = torch.where(there, 0.0, _MASKED).unsqueeze(-2).unsqueeze(-2)
            bias = masked if bias is None else bias + masked
        q, k, v = self.split(x)
        if bias is None and torch.compiler.is_compiling():
            bias = q.new_zeros(())  # a compiler fuses the softmax into plain products, too
        return self.join(_attend(q, k, v, None) if bias is None else _attend_biased(q, k, v, bias))


class Across(nn.Module):
    """Everything but time: attention over the items of a location, the locations of an item, and the MLP."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self._furnish(width, heads, dropout)

    def _furnish(self, width: int, heads: int, dropout: float) -> None:
        self.items = _Attention(width, heads)
        self.locations = _Attention(width, heads)
        self.nearness = nn.Parameter(torch.zeros(heads))  # softplus: attention lost a unit of distance
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, distance: Tensor | None, listed: Tensor | None = None) -> Tensor:
        """x: (..., S, I, D), any leading axes; listed: (..., S, I) bool, all where None."""
        if x.shape[-2] > 1:
            x = x + self.dropout(self.items(x, None, listed))
        if x.shape[-3] > 1:
            bias = None if distance is None else -F.softplus(self.nearness).view(-1, 1, 1) * distance
            there = None if listed is None else listed.transpose(-1, -2)
            x = x + self.dropout(self.locations(x.transpose(-2, -3), bias, there).transpose(-2, -3))
        return x + self.dropout(self.feed(x))


class _Block(Across):
    def __init__(self, settings: TrunkSettings):
        nn.Module.__init__(self)
        self.time = _Attention(settings.width, settings.heads)
        self._furnish(settings.width, settings.heads, settings.dropout)

    def over_time(
        self, x: Tensor, band: Tensor, angles: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attention of x (B, T, S, I, D) over time, its keys and its values (B, S, I, H, T, D/H)."""
        q, k, v = self.time.split(x.permute(0, 2, 3, 1, 4))
        q, k = _rotate(q, angles), _rotate(k, angles)
        out = self.dropout(self.time.join(_attend(q, k, v, band))).permute(0, 3, 1, 2, 4)
        return x + out, k, v


class Transformer(nn.Module):
    """Tokens (B, T, S, I, F) → hidden states (B, T, S, I, D), causal in time.

    ``distance`` (S, S), where coordinates are known, biases attention between locations.
    """

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
        keep: list[tuple[Tensor, Tensor]] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        """Hidden states of whole windows; appends each layer's keys and values to ``keep`` where given.

        ``listed`` (B, T, S, I) bool, all where None.
        """
        x = self.embed(tokens)
        band = self._band(x.shape[1], x.device)
        angles = _angles(torch.arange(x.shape[1], device=x.device), self._half)
        for block in self._layers():
            kept = None if keep is None else self._room(x)
            x = self._over_time(block, x, (band, angles), kept)
            if keep is not None and kept is not None:
                keep.append(kept)
            size = _size_of_parts(x, 1)
            there = itertools.repeat(None) if listed is None else listed.split(size, 1)
            parts = zip(x.split(size, 1), there, strict=False)
            x = torch.cat([block(part, distance, some) for part, some in parts], 1)
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
        for part in x.split(_size_of_parts(x, 2), 2):
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

    def step(
        self, token: Tensor, cache: RingCache, distance: Tensor | None = None, listed: Tensor | None = None
    ) -> tuple[Tensor, RingCache]:
        """One period: token (B, S, I, F) → hidden (B, S, I, D). The cache's tensors are updated in place.

        ``listed`` (B, S, I) bool, all where None.
        """
        window = self.settings.window
        x = self.embed(token)
        slot = cache.position % window
        filled = (cache.filled + 1).clamp(max=window)
        age = (slot.unsqueeze(1) - torch.arange(window, device=x.device)) % window
        unused = torch.where(age < filled.unsqueeze(1), 0.0, -torch.inf).view(-1, 1, 1, 1, 1, window)
        angles = _angles(cache.position.view(-1, 1, 1, 1, 1), self._half)
        # where the newest token's row lies in a cache read as (B·S·I·H·W, D/H): one plain write of rows
        rows = torch.arange(cache.keys[0][..., 0, 0].numel(), device=x.device).view(len(slot), -1)
        rows = (rows * window + slot.unsqueeze(1)).flatten()
        for block, keys, values in zip(self._layers(), cache.keys, cache.values, strict=True):
            q, k, v = block.time.split(x.unsqueeze(-2))  # (B, S, I, H, 1, D/H)
            q, k = _rotate(q, angles), _rotate(k, angles)
            keys.view(-1, keys.shape[-1])[rows] = k.reshape(-1, keys.shape[-1])
            values.view(-1, values.shape[-1])[rows] = v.reshape(-1, values.shape[-1])
            out = _attend_biased(q, keys, values, unused)
            x = x + block.time.join(out).squeeze(-2)
            x = block(x, distance, listed)
        return self.norm(x), RingCache(cache.keys, cache.values, cache.position + 1, filled)


def gather_cache(history: list[tuple[Tensor, Tensor]], start: Tensor, window: int) -> RingCache:
    """Ring caches of markets that continue after the tokens 0 … start - 1 of one history.

    Args:
        history: a layer's keys and values (S, I, H, T, D/H) each, from one forward pass over the panel.
        start: (B,) int64 number of history tokens seen, in 0 … T.
        window: W.
    """
    slots = torch.arange(window, device=start.device)
    newest = start.unsqueeze(1) - 1
    index = newest - (newest - slots) % window  # the latest position <= newest that belongs in each slot
    index = index.clamp(min=0)

    def pick(x: Tensor) -> Tensor:
        # a single market's is contiguous already, with a stride that the compiler makes slow loops of
        return x[:, :, :, index].permute(3, 0, 1, 2, 4, 5).clone(memory_format=torch.contiguous_format)

    return RingCache(
        keys=tuple(pick(k) for k, _ in history),
        values=tuple(pick(v) for _, v in history),
        position=start.clone(),
        filled=start.clamp(max=window),
    )
