"""Attention across series, and the landmarks that stand for many of them.

More items or locations than ``KEYS`` are read as that many landmarks, so that a series costs the same in a
market of any size: means of consecutive segments (Xiong et al. 2021, arXiv 2102.03902, eq. 7) give keys and
values (as in memory-compressed attention: Liu et al. 2018, arXiv 1801.10198). There their order matters.

What is not listed is not read: its keys are masked, and a landmark is the mean of what is listed in its
segment.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MASKED = -1e4  # added to the score of what is not there; finite, since there may be nothing at all
_AT_ONCE = 2**20  # numbers of a hidden state worked on together without gradients: they stay in the cache
KEYS = 80
"""Items of a location, or locations of an item, that attention reads one by one; more are read as this many
landmarks."""


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention over the second-to-last axis of (..., H, N, D/H), all leading axes as one batch."""
    flat = [t.reshape(-1, *t.shape[-3:]) for t in (q, k, v)]
    return F.scaled_dot_product_attention(flat[0], flat[1], flat[2], attn_mask=mask).view(q.shape)


def attend_biased(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """The same with a bias added to the scores, in plain products.

    For a single query, or a learned bias, they take half the time of torch's fused kernel on a CPU.
    """
    score = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return score.add_(bias).softmax(-1) @ v


def _landmarks(x: Tensor, dim: int) -> Tensor:
    """Means of KEYS consecutive segments of N > KEYS entries along ``dim`` < 0, the longer ones first."""
    size, longer = divmod(x.shape[dim], KEYS)
    counts, sizes = (longer, KEYS - longer), (size + 1, size)
    parts = x.split([count * each for count, each in zip(counts, sizes, strict=True)], dim)
    cut = [part.unflatten(dim, shape) for part, *shape in zip(parts, counts, sizes, strict=True)]
    return torch.cat([segments.mean(dim) for segments in cut], dim)


def size_of_parts(x: Tensor, dim: int) -> int:
    """How much of ``x`` along ``dim`` is worked on at once: all of it where gradients are asked for."""
    if torch.is_grad_enabled():
        return x.shape[dim]
    return min(x.shape[dim], max(1, _AT_ONCE * x.shape[dim] // max(1, x.numel())))


def _log_sizes(entries: int, like: Tensor) -> Tensor:
    """(KEYS,) log entries a landmark stands for: added to its score it counts as often as they would."""
    size, longer = divmod(entries, KEYS)
    more = torch.arange(KEYS, device=like.device) < longer
    return (size + more.to(like.dtype)).log()


class Attention(nn.Module):
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

    def split_one(self, x: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same (B, ..., H, 1, D/H) of single tokens x (B, ..., D), queries and keys rotated.

        ``rotation``: (B, D/H, D/H) what they are multiplied by.
        """
        projected = self.project(self.norm(x))
        shape = (*x.shape[:-1], 3, self.heads, 1, rotation.shape[-1])
        rotated = (projected.view(len(x), -1, rotation.shape[-1]) @ rotation).view(shape)
        q, k, _ = rotated.unbind(-4)
        return q, k, projected.view(shape)[..., 2, :, :, :]

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

        To landmarks, if N is more than KEYS; bias: (H, N, N), or (H, N, KEYS) to landmarks.
        """
        if x.shape[-2] > KEYS:
            here = None if there is None else there.to(x.dtype)
            share = None if here is None else _landmarks(here, -1)
            q, k, v = self.split_landmarks(x, share, here)
            sizes = _log_sizes(x.shape[-2], q)
            bias = sizes if bias is None else sizes + bias
            if share is not None:
                bias = bias + share.log().clamp(min=_MASKED).unsqueeze(-2).unsqueeze(-2)
            return self.join(attend_biased(q, k, v, bias))
        if there is not None:
            masked = torch.where(there, 0.0, _MASKED).unsqueeze(-2).unsqueeze(-2)
            bias = masked if bias is None else bias + masked
        q, k, v = self.split(x)
        if bias is None and torch.compiler.is_compiling():
            bias = q.new_zeros(())  # a compiler fuses the softmax into plain products, too
        return self.join(attend(q, k, v, None) if bias is None else attend_biased(q, k, v, bias))


class Across(nn.Module):
    """Everything but time: attention over the items of a location, the locations of an item, and the MLP."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self._furnish(width, heads, dropout)

    def _furnish(self, width: int, heads: int, dropout: float) -> None:
        self.items = Attention(width, heads)
        self.locations = Attention(width, heads)
        self.nearness = nn.Parameter(torch.zeros(heads))  # softplus: attention lost a unit of distance
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, distance: Tensor | None, listed: Tensor | None = None) -> Tensor:
        """x: (..., S, I, D), any leading axes; listed: (..., S, I) bool, all where None."""
        return self._across(x, self._nearness(distance), listed)

    def _nearness(self, distance: Tensor | None) -> Tensor | None:
        """(H, S, S) what a distance (S, S) adds to scores, (H, S, KEYS) in the mean of landmarks."""
        if distance is None:
            return None
        near = distance if len(distance) <= KEYS else _landmarks(distance, -1)
        return -F.softplus(self.nearness).view(-1, 1, 1) * near

    def _across(self, x: Tensor, bias: Tensor | None, listed: Tensor | None) -> Tensor:
        if x.shape[-2] > 1:
            x = x + self.dropout(self.items(x, None, listed))
        if x.shape[-3] > 1:
            there = None if listed is None else listed.transpose(-1, -2)
            x = x + self.dropout(self.locations(x.transpose(-2, -3), bias, there).transpose(-2, -3))
        return x + self.dropout(self.feed(x))

    def in_parts(self, x: Tensor, distance: Tensor | None, listed: Tensor | None = None) -> Tensor:
        """The same of windows x (B, T, S, I, D), listed (B, T, S, I), some periods at a time."""
        size, bias = size_of_parts(x, 1), self._nearness(distance)  # of a large chain once, not by part
        there = itertools.repeat(None) if listed is None else listed.split(size, 1)
        parts = zip(x.split(size, 1), there, strict=False)
        return torch.cat([self._across(part, bias, some) for part, some in parts], 1)
