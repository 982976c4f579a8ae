"""Forecasts to learn from, of a drawn market or of a shop's own past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor, nn

from .features import Features
from .network import loss
from .observed import Observed

_LEAST = 4  # periods that precede a forecast, at least
_ORIGINS, _FEW, _NUMBERS = (
    64,
    12,
    250_000,
)  # origins, at most and least; their series in all
_OUTLIER = 6.0  # log demand above its level that nothing is learned from


@dataclass(frozen=True)
class Lesson:
    """Some forecasts of one market, N of them."""

    features: Tensor  # (N, S, I, F)
    value: Tensor  # (N, S, I) log demand above its level
    level: Tensor  # (S, I) log units of an ordinary period
    counts: Tensor  # (N, S, I) bool, rows to learn from
    listed: Tensor  # (N, S, I) bool

    def loss(self, network: nn.Module) -> Tensor:
        """Mean pinball loss of a row."""
        return loss(network(self.features, self.listed), self.value, self.level, self.counts)

    def to(self, device: torch.device) -> Lesson:
        """The same on another device."""
        return Lesson(*(getattr(self, part.name).to(device) for part in fields(self)))

    def select(self, places: np.ndarray, goods: np.ndarray) -> Lesson:
        """The same of some locations and items, by index."""
        return replace(
            self,
            features=self.features[:, places][:, :, goods],
            level=self.level[places][:, goods],
            **{n: getattr(self, n)[:, places][:, :, goods] for n in ("value", "counts", "listed")},
        )


def learning_origins(fitted: int, series: int, seed: int) -> list[int]:
    """Periods among the first ``fitted`` that forecasts to learn from begin at; few where series are many."""
    rng = np.random.default_rng([seed, fitted])
    first = min(max(_LEAST, fitted // 5), fitted - 1)
    most = min(_ORIGINS, max(_FEW, _NUMBERS // series))
    return sorted(rng.permutation(np.arange(first, fitted))[:most].tolist())


def lesson(panel: Observed, features: Features, pairs: Sequence[tuple[int, int]]) -> Lesson:
    """Forecasts of a panel for (origin, periods ahead), the origins among those of its features."""
    when = [origin + ahead for origin, ahead in pairs]
    value = np.log(np.nan_to_num(panel.units[when]) + 0.5 * panel.grain) - features.level
    counts = panel.scored[when] & (np.abs(value) < _OUTLIER)
    return Lesson(
        torch.from_numpy(np.stack([features.at(*pair) for pair in pairs])),
        torch.from_numpy(np.where(counts, value, 0.0)).float(),
        torch.from_numpy(features.level).float(),
        torch.from_numpy(counts),
        torch.from_numpy(panel.listed[when]),
    )
