"""Adapting a market model to a panel: a few steps of training on what the panel itself has shown.

All weights move; or each matrix by a product of two thin ones (LoRA: Hu et al. 2021, arXiv 2106.09685,
section 4.1); or none do, and there are further series that all others attend to (prompt tuning: Lester et al.
2021, arXiv 2104.08691).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from ..progress import SILENT, Progress
from .features import build_features
from .lesson import learning_origins, lesson
from .model import MarketModel
from .network import MarketNetwork
from .observed import Observed


class Way(Protocol):
    """What of a network moves, and how fast."""

    @property
    def rate(self) -> float: ...

    def prepare(self, network: MarketNetwork) -> None:
        """Put in what will move, and hold what will not."""
        ...


@dataclass(frozen=True)
class Whole:
    """All weights."""

    rate: float = 3e-4

    def prepare(self, network: MarketNetwork) -> None: ...


@dataclass(frozen=True)
class LowRank:
    """Products of this rank, one for each matrix of the Transformer."""

    rank: int = 2
    rate: float = 3e-3  # they begin at zero

    def prepare(self, network: MarketNetwork) -> None:
        network.requires_grad_(False)
        for module in list(network.modules()):
            if isinstance(module, nn.Linear) and min(module.weight.shape) > self.rank:
                register_parametrization(module, "weight", _LowRank(module.weight, self.rank))


@dataclass(frozen=True)
class Prompt:
    """Series that are not there, which the items of every location attend to."""

    series: int = 8
    rate: float = 1e-2

    def prepare(self, network: MarketNetwork) -> None:
        network.requires_grad_(False)
        network.prompt = nn.Parameter(0.02 * torch.randn(self.series, network.settings.width))


@dataclass(frozen=True)
class AdaptationSettings:
    """How a model is adapted."""

    steps: int = 200
    batch: int = 4  # periods a step
    locations: int = 40  # of each, at most
    items: int = 40
    weight_decay: float = 0.02
    dropout: float = 0.1
    way: Way = Whole()


def adapted(
    model: MarketModel,
    panel: Observed,
    fitted: int,
    horizon: int,
    seed: int = 0,
    settings: AdaptationSettings = AdaptationSettings(),
    progress: Progress = SILENT,
) -> MarketNetwork:
    """The model's network after some training on a panel's first ``fitted`` periods.

    Args:
        model: what to start from; it stays as it is.
        panel: T periods.
        fitted: those to learn from.
        horizon: periods ahead that will be forecast, at most.
        seed: of the rows drawn, and of dropout.
        settings: how.
        progress: is informed.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = MarketNetwork(replace(model.network.settings, dropout=settings.dropout))
    network.load_state_dict(model.network.state_dict())
    network.train()
    settings.way.prepare(network)
    rate = settings.way.rate
    origins = np.array(learning_origins(fitted, panel.units[0].size, seed))
    features = build_features(panel, fitted, origins.tolist())
    moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, settings.steps, pct_start=min(1.0, max(0.1, 2 / settings.steps))
    )
    with progress.stage("adapt the market model", settings.steps) as stage:
        for step in range(settings.steps):
            places, goods = (
                np.sort(rng.permutation(size)[:most])
                for size, most in zip(features.level.shape, (settings.locations, settings.items), strict=True)
            )
            pairs = []
            for origin in rng.choice(origins, settings.batch):
                pairs.append((int(origin), int(rng.integers(0, min(horizon, fitted - origin)))))
            lost = lesson(panel, features, pairs).select(places, goods).loss(network)
            optimiser.zero_grad()
            lost.backward()
            torch.nn.utils.clip_grad_norm_(moving, 1.0)
            optimiser.step()
            stage.advance()
            stage.curve(step + 1, {"loss": lost.detach(), "learning rate": schedule.get_last_lr()[0]})
            schedule.step()
    return network.eval()


class _LowRank(nn.Module):
    """A matrix (O, I) and the product of (O, R) and (R, I)."""

    def __init__(self, matrix: Tensor, rank: int):
        super().__init__()
        outputs, inputs = matrix.shape
        self.down = nn.Parameter(torch.randn(rank, inputs) / inputs**0.5)
        self.up = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, matrix: Tensor) -> Tensor:
        return matrix + self.up @ self.down
