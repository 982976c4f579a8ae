"""The network of the market model: every series of a period attends to the others, then says its deciles.

Attention over the items of a location, then over the locations of an item, then an MLP, as in the trunk.
Deciles come as the median and steps away from it that are never negative, so that they never cross
(incremental quantiles: Gasthaus et al. 2019, AISTATS 89).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..network import Across

LEVELS = torch.arange(1, 10) / 10
_EXTREME = 3.0  # log demand above its level, beyond which a row gets no other weight
_STEP = -2.06  # softplus of it is 0.12: a step between deciles before training


@dataclass(frozen=True)
class MarketNetworkSettings:
    """Sizes."""

    features: int
    width: int = 96
    blocks: int = 3
    heads: int = 4
    dropout: float = 0.0


class MarketNetwork(nn.Module):
    """Features (B, S, I, F) of series at periods → deciles (B, S, I, 9) of log demand above its level."""

    def __init__(self, settings: MarketNetworkSettings):
        super().__init__()
        self.settings = settings
        width = settings.width
        self.embed = nn.Sequential(nn.Linear(settings.features, width), nn.GELU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(
            Across(width, settings.heads, settings.dropout) for _ in range(settings.blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(LEVELS))
        self.linear = nn.Linear(settings.features, 1)  # straight to the median
        self.prompt: nn.Parameter | None = None  # (P, width) series that an adaptation adds
        for weight in (self.head.weight, self.linear.weight, self.linear.bias):
            nn.init.zeros_(weight)
        nn.init.constant_(self.head.bias, _STEP)
        with torch.no_grad():
            self.head.bias[0] = 0.0

    def forward(self, features: Tensor, listed: Tensor | None = None) -> Tensor:
        """``listed`` (B, S, I) bool: what is not there is not attended to; all is where None."""
        hidden, goods = self.embed(features), features.shape[2]
        if self.prompt is not None:
            more = self.prompt.expand(*hidden.shape[:2], -1, -1)
            hidden = torch.cat([hidden, more], dim=2)
            if listed is not None:
                listed = torch.cat([listed, listed.new_ones(more.shape[:3])], dim=2)
        for block in self.blocks:
            hidden = block(hidden, None, listed)
        return self.deciles(hidden[:, :, :goods], features)

    def deciles(self, hidden: Tensor, features: Tensor) -> Tensor:
        """(…, 9) of series whose hidden states are (…, D) and features (…, F)."""
        told = self.head(self.norm(hidden))
        middle, steps = told[..., :1] + self.linear(features), F.softplus(told[..., 1:])
        below, above = steps.chunk(2, dim=-1)
        lower = middle - below.cumsum(-1).flip(-1)
        return torch.cat([lower, middle, middle + above.cumsum(-1)], dim=-1)


def loss(deciles: Tensor, value: Tensor, level: Tensor, counts: Tensor) -> Tensor:
    """Mean pinball loss of rows (Koenker and Bassett 1978), each with the root of the units that it expects.

    Between one vote for each row, by which slow series would decide, and one for each unit, by which a few
    great weeks would.

    Args:
        deciles: (…, 9) of log demand above its level.
        value: (…) what came.
        level: (…) log units of an ordinary period.
        counts: (…) bool, the rows that count.
    """
    miss = value.unsqueeze(-1) - deciles
    levels = LEVELS.to(miss)
    lost = torch.maximum(levels * miss, (levels - 1) * miss).mean(-1)
    expected = deciles[..., len(LEVELS) // 2].detach().clamp(-_EXTREME, _EXTREME) + level
    weight = (0.5 * expected).exp() * counts
    return (lost * weight).sum() / weight.sum().clamp(min=1e-9)
