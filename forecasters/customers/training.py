"""How the customer model is learned: the classical answers first, then the network above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..network import TrunkSettings
from ..progress import SILENT, Progress
from .hazard import fit_hazard
from .lesson import Lesson
from .mixture import fit_mixture
from .sequence import HEADS, TRUNK, Beneath, CustomerNetwork, heard, losses
from .tokens import Tokens


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained; it stops when no head gets better on the questions held back."""

    trunk: TrunkSettings = TRUNK
    epochs: int = 8
    rate: float = 3e-3
    decay: float = 1e-2
    clip: float = 1.0


@dataclass(frozen=True)
class Trained:
    """A network, after how many epochs, and what every head loses without and with it, held back."""

    network: CustomerNetwork
    epochs: int
    beneath: Tensor  # (H,) mean loss of the classical answers
    above: Tensor  # (H,) with the network


def fit_beneath(lessons: Sequence[Lesson]) -> Beneath:
    """The classical answers; a lesson without a basket teaches visits alone."""
    baskets = [(lesson.asked, lesson.told) for lesson in lessons if len(lesson.told.row)]
    hazard = fit_hazard([(lesson.context, lesson.visits) for lesson in lessons])
    return Beneath(hazard.requires_grad_(False), fit_mixture(baskets).requires_grad_(False))


def train(
    lessons: Sequence[Lesson],
    held: Sequence[Lesson],
    events: Tokens,
    beneath: Beneath,
    settings: TrainingSettings,
    seed: int,
    progress: Progress = SILENT,
) -> Trained:
    """The network of the best epoch, by the sum over heads of what it gains on the lessons held back."""
    torch.manual_seed(seed)
    first = lessons[0]
    network = CustomerNetwork(
        events.width, events.vectors[:-1], first.visits.hazard.shape[1], first.told.fixed.shape[1] + 1,
        settings.trunk,
    )  # fmt: skip
    search = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=settings.decay)
    steps = settings.epochs * len(lessons)
    slower = torch.optim.lr_scheduler.OneCycleLR(search, settings.rate, steps, pct_start=0.2)
    start = evaluate(network, held, events, beneath)
    best, kept, after = start, _copy(network), 0
    with progress.stage("learn customers", settings.epochs) as stage:
        for epoch in range(settings.epochs):
            network.train()
            for place in torch.randperm(len(lessons)).tolist():
                sums, counts = losses(lessons[place], beneath, heard(network, events, lessons[place]))
                search.zero_grad()
                (sums / counts.clamp(min=1)).sum().backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
                search.step()
                slower.step()
            now = evaluate(network, held, events, beneath)
            if now.sum() < best.sum():
                best, kept, after = now, _copy(network), epoch + 1
            stage.advance()
            stage.curve(epoch, dict(zip(HEADS, now.tolist(), strict=True)))
    network.load_state_dict(kept)
    return Trained(network.eval(), after, start, best)


@torch.no_grad()
def evaluate(
    network: CustomerNetwork | None, lessons: Sequence[Lesson], events: Tokens, beneath: Beneath
) -> Tensor:
    """(H,) mean loss of a question."""
    if network is not None:
        network.eval()
    told = [
        losses(one, beneath, None if network is None else heard(network, events, one)) for one in lessons
    ]
    return torch.stack([s for s, _ in told]).sum(0) / torch.stack([n for _, n in told]).sum(0).clamp(min=1)


def _copy(network: CustomerNetwork) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
