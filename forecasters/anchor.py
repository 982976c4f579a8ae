"""By how much a simulated market's log mean is moved, so that its total agrees with a direct forecast."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Anchor:
    """Log of forecast over simulated mean demand of all series, for K origins and H periods from each on."""

    origins: Tensor  # (K,) int64 calendar indices, ascending
    drift: Tensor  # (K, H)

    def at(self, begin: Tensor, date: Tensor) -> Tensor:
        """(B,) of the periods ``date`` (B,) in markets that began at ``begin`` (B,).

        By the last origin before a market began; beyond its H periods the last of them.
        """
        row = (torch.searchsorted(self.origins, begin, right=True) - 1).clamp(min=0)
        ahead = (date - self.origins[row]).clamp(0, self.drift.shape[1] - 1)
        return self.drift[row, ahead]

    def to(self, device: torch.device | str) -> Anchor:
        """On another device."""
        return Anchor(self.origins.to(device), self.drift.to(device))
