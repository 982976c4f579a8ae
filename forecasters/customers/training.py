"""How the customer model is learned: the classical answers first, then the network above them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from ..network import TrunkSettings
from ..progress import SILENT, Progress
from .hazard import fit_hazard
from .lesson import Lesson
from .mixture import fit_mixture
from .sequence import HEADS, TRUNK, Beneath, CustomerNetwork, Said, heard, losses
from .tokens import Tokens


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained; it stops when no head gets better on the questions held back."""

    trunk: TrunkSettings = TRUNK
    epochs: int = 8
    rate: float = 1e-3
    decay: float = 0.1
    clip: float = 1.0


@dataclass(frozen=True)
class Trained:
    """A network for each head, of the epoch that was best for it; None where the classical answer was."""

    networks: tuple[CustomerNetwork | None, ...]  # (H,)
    epochs: tuple[int, ...]  # (H,) after how many, 0 where the classical answer is kept
    classical: tuple[float, ...]  # (H,) mean loss held back
    best: tuple[float, ...]  # (H,) of the best epoch


def fit_beneath(lessons: Sequence[Lesson]) -> Beneath:
    """The classical answers; a lesson without a basket teaches visits alone.

    Raises:
        InputError: none has a basket.
    """
    baskets = [(lesson.asked, lesson.told) for lesson in lessons if len(lesson.told.row)]
    if not baskets:
        raise InputError(
            "events: expected customers who come again within the horizon, found none to learn from"
        )
    hazard = fit_hazard([(lesson.asked.context, lesson.visits) for lesson in lessons])
    return Beneath(hazard.requires_grad_(False), fit_mixture(baskets).requires_grad_(False))


def train(
    lessons: Sequence[Lesson],
    held: Sequence[Lesson],
    events: Tokens,
    beneath: Beneath,
    settings: TrainingSettings,
    seed: int,
    progress: Progress = SILENT,
    epochs: tuple[int, ...] = (),
) -> Trained:
    """For each head the network of its best epoch on the lessons held back; or of the ``epochs`` told."""
    torch.manual_seed(seed)
    first = lessons[0]
    network = CustomerNetwork(events.width, events.vectors[:-1], first.visits.hazard.shape[1], settings.trunk)
    search = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=settings.decay)
    steps = max(1, settings.epochs * len(lessons))
    slower = torch.optim.lr_scheduler.OneCycleLR(search, settings.rate, steps, pct_start=0.2)
    start = evaluate(None, held, events, beneath).tolist()
    best, after = list(start), [0] * len(HEADS)
    kept: list[CustomerNetwork | None] = [None] * len(HEADS)
    with progress.stage("learn customers", settings.epochs) as stage:
        for epoch in range(settings.epochs):
            network.train()
            for place in torch.randperm(len(lessons)).tolist():
                sums, counts = losses(lessons[place], beneath, _heard(network, events, lessons[place]))
                search.zero_grad()
                (sums / counts.clamp(min=1)).sum().backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
                search.step()
                slower.step()
            now = evaluate(network, held, events, beneath).tolist()
            for head, loss in enumerate(now):
                if epochs[head] == epoch + 1 if epochs else loss < best[head]:
                    best[head], kept[head], after[head] = loss, copy.deepcopy(network), epoch + 1
            stage.advance()
            stage.curve(epoch, dict(zip(HEADS, now, strict=True)))
    return Trained(tuple(kept), tuple(after), tuple(start), tuple(best))


@torch.no_grad()
def evaluate(
    network: CustomerNetwork | None, lessons: Sequence[Lesson], events: Tokens, beneath: Beneath
) -> Tensor:
    """(H,) mean loss of a question."""
    if network is not None:
        network.eval()
    told = [
        losses(one, beneath, None if network is None else _heard(network, events, one)) for one in lessons
    ]
    return torch.stack([s for s, _ in told]).sum(0) / torch.stack([n for _, n in told]).sum(0).clamp(min=1)


def _heard(network: CustomerNetwork, events: Tokens, lesson: Lesson) -> Said:
    return heard(network, events, lesson.queries, lesson.asked)
