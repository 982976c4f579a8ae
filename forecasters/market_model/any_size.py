"""The network as one graph for every number of periods, locations and items, for export.

The network's own code chooses between attention to every token and attention to landmarks by how many tokens
there are, and leaves out attention to oneself alone. A traced graph cannot choose. Here attention is always
to landmarks: as many as there are tokens, of one token each, up to ``KEYS``. That is the same function.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..network import KEYS, Across, Attention
from .network import MarketNetwork

_MASKED = -1e4  # log weight of a landmark of which nothing is listed; finite, since all may be so


class AnySize(nn.Module):
    """A network's weights, used without a branch on sizes."""

    def __init__(self, network: MarketNetwork):
        super().__init__()
        self.network = network
        blocks = [cast(Across, block) for block in network.blocks]
        self.items = nn.ModuleList(_AnyNumber(block.items) for block in blocks)
        self.locations = nn.ModuleList(_AnyNumber(block.locations) for block in blocks)
        self.feeds = nn.ModuleList(block.feed for block in blocks)

    def forward(self, features: Tensor, listed: Tensor) -> Tensor:
        """(B, S, I, F), (B, S, I) bool → deciles (B, S, I, 9); without meaning where nothing is listed."""
        there = listed.to(features.dtype)
        hidden = self.network.embed(features)
        for items, locations, feed in zip(self.items, self.locations, self.feeds, strict=True):
            hidden = hidden + items(hidden, there)
            across = locations(hidden.transpose(-2, -3), there.transpose(-1, -2))
            hidden = hidden + across.transpose(-2, -3)
            hidden = hidden + feed(hidden)
        return self.network.deciles(hidden, features)


class _AnyNumber(nn.Module):
    """Attention of (..., N, D) to landmarks; nothing where there is one token alone."""

    def __init__(self, attention: Attention):
        super().__init__()
        self.norm, self.merge = attention.norm, attention.merge
        self.heads = attention.heads
        projected = attention.project.weight.detach()
        width = projected.shape[1]
        asks, answers = projected.split([width, 2 * width])
        self.asks = _linear(asks * (width // self.heads) ** -0.5)
        self.answers = _linear(answers)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """x: (..., N, D); there: (..., N) 0 or 1."""
        segments = _segments(x.shape[-2], x)
        seen = self.norm(x)
        count = there @ segments.T
        marks = segments @ (seen * there.unsqueeze(-1)) / count.clamp(min=1e-6).unsqueeze(-1)
        q = self.asks(seen).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        k, v = self.answers(marks).unflatten(-1, (2, self.heads, -1)).transpose(-2, -4).unbind(-3)
        bias = count.log().clamp(min=_MASKED).unsqueeze(-2).unsqueeze(-2)
        heads = (q @ k.transpose(-1, -2) + bias).softmax(-1) @ v
        return self.merge(heads.transpose(-2, -3).flatten(-2)) * _others(x)


def _segments(size: int, like: Tensor) -> Tensor:
    """(M, N) 1 where a token is of a landmark: M ≤ KEYS consecutive segments, the longer ones first."""
    marks = torch.sym_min(size, KEYS)
    each = size // marks
    longer = size - each * marks
    token, mark = torch.arange(size), torch.arange(marks)
    turn = longer * (each + 1)
    segment = torch.where(token < turn, token // (each + 1), longer + (token - turn) // each)
    return (segment == mark.unsqueeze(-1)).to(like.dtype)


def _others(x: Tensor) -> Tensor:
    """0 where there is one token, 1 where there are more: a tensor, since tracing takes a size to be more."""
    return torch.arange(x.shape[-2]).amax(0).clamp(max=1)


def _linear(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight)
    return layer
