"""What is known of something without history: what its attributes make of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_PENALTY = 1.0  # of the ridge regression, on standardised attributes


@dataclass(frozen=True)
class Likeness:
    """N known ones and a new one by K attributes, in standard deviations from the mean of the known."""

    known: Tensor  # (N, K)
    new: Tensor  # (K,)

    @staticmethod
    def of(known: Tensor, new: Tensor) -> Likeness:
        """From attributes (N, K) and (K,) as they are."""
        mean, spread = known.mean(0), known.std(0, correction=0)
        spread = torch.where(spread > 0, spread, 1.0)
        return Likeness((known - mean) / spread, (new - mean) / spread)

    @property
    def nearest(self) -> int:
        """The known one whose attributes are nearest."""
        return int((self.known - self.new).square().sum(1).argmin())

    def multiple(self, log_level: Tensor, like: int) -> float:
        """Level that the attributes lead to expect, as a multiple of what they do of the one it is ``like``.

        Ridge regression of ``log_level`` (N,) on the attributes.
        """
        penalty = _PENALTY * torch.eye(self.known.shape[1], dtype=self.known.dtype)
        slope = torch.linalg.solve(
            self.known.T @ self.known + penalty, self.known.T @ (log_level - log_level.mean())
        )
        return float(((self.new - self.known[like]) @ slope).clamp(-3, 3).exp())
