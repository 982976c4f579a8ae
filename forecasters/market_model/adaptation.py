"""Adapting a market model to a panel: a few steps of training on what the panel itself has shown.

Either all weights move, or each matrix by a product of two thin ones (LoRA: Hu et al. 2021, arXiv 2106.09685,
section 4.1), which is all that then belongs to the panel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class AdaptationSettings:
    """How a model is adapted."""

    steps: int = 200
    batch: int = 4  # periods a step
    locations: int = 40  # of each, at most
    items: int = 40
    learning_rate: float = 3e-4
    weight_decay: float = 0.02
    dropout: float = 0.1
    rank: int | None = None  # of what is added to each matrix; None: all weights move
    low_rank_rate: float = 3e-3  # learning rate where they do not: the products begin at zero


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
    rate = settings.learning_rate
    if settings.rank is not None:
        low_rank(network, settings.rank)
        rate = settings.low_rank_rate
    origins = np.array(learning_origins(fitted, panel.units[0].size, seed))
    features = build_features(panel, fitted, origins.tolist())
    moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, settings.steps, pct_start=0.1)
    with progress.stage("adapt the market model", settings.steps) as stage:
        for _ in range(settings.steps):
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
            schedule.step()
            stage.advance()
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


def low_rank(network: MarketNetwork, rank: int) -> None:
    """Hold all weights but those of products of this rank, one for each matrix of the Transformer."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for module in list(network.modules()):
        if isinstance(module, nn.Linear) and min(module.weight.shape) > rank:
            register_parametrization(module, "weight", _LowRank(module.weight, rank))
