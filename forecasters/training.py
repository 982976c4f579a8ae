"""The training loop: random sub-markets, validation, early stop, the best weights kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .checkpoint import Checkpoint
from .history import History
from .network import DemandNetwork
from .progress import Stage


@dataclass(frozen=True)
class TrainingSettings:
    """How long and on what a network is trained."""

    steps: int = 90
    learning_rate: float = 7e-4
    weight_decay: float = 0.1
    locations: int = 8  # locations of a random sub-market
    items: int = 8  # items of one
    periods: int = 80  # longest window
    check_every: int = 15  # steps between validations
    patience: int = 3  # validations without improvement before stopping


@dataclass(frozen=True)
class SubMarket:
    """A random cut of the panel: what one training step sees."""

    places: Tensor  # (S',) location indices
    goods: Tensor  # (I',) item indices
    periods: slice  # of the panel


Loss = Callable[[Tensor, SubMarket, Tensor], Tensor]
"""(outputs (T', S', I', O), sub-market, rows (T,) bool that count) → mean loss."""


def draw_sub_market(history: History, settings: TrainingSettings, generator: torch.Generator) -> SubMarket:
    periods, places, goods = history.units.shape
    length = min(periods, settings.periods)
    start = int(torch.randint(periods - length + 1, (1,), generator=generator))
    device = history.units.device
    where = torch.randperm(places, generator=generator)[: settings.locations]
    some = torch.randperm(goods, generator=generator)[: settings.items].sort().values
    if history.assortment is not None:  # by how much of these items they list, lest most of it is empty
        rows = history.known[start : start + length][:, :, some.to(device)].sum((0, 2)).cpu() + 1e-3
        where = torch.multinomial(rows, min(places, settings.locations), generator=generator)
    return SubMarket(where.sort().values.to(device), some.to(device), slice(start, start + length))


def run_network(network: DemandNetwork, tokens: Tensor, history: History, cut: SubMarket) -> Tensor:
    """Outputs (T', S', I', O) on a sub-market of the panel's tokens (T, S, I, F)."""
    part = tokens[cut.periods][:, cut.places][:, :, cut.goods].unsqueeze(0)
    distance = None if history.distance is None else history.distance[cut.places][:, cut.places]
    listed = history.assortment
    if listed is not None:
        listed = listed[cut.periods][:, cut.places][:, :, cut.goods].unsqueeze(0)
    return network(part, network.identity(cut.places, cut.goods), distance, listed=listed)[0]


def train_network(
    network: DemandNetwork,
    tokens: Tensor,
    history: History,
    loss: Loss,
    train_rows: Tensor,
    valid_rows: Tensor,
    settings: TrainingSettings,
    seed: int,
    stage: Stage,
    checkpoint: Checkpoint | None = None,
) -> float:
    """Train in place; returns the best validation loss, whose weights the network is left with.

    Args:
        tokens: (T, S, I, F).
        loss: see ``Loss``; it reads targets from the panel itself.
        train_rows, valid_rows: (T,) bool, the periods whose targets count.
        checkpoint: the best weights go here at each improvement; where an interrupted training left some,
            this one goes on from them, with the optimiser's moments anew.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    fixed = torch.Generator().manual_seed(seed + 1)
    last = slice(max(0, history.periods - settings.periods), history.periods)  # where the held-out rows are
    checks = [replace(draw_sub_market(history, settings, fixed), periods=last) for _ in range(3)]
    has_validation = bool(valid_rows.any())
    first, best, best_state, bad = 0, math.inf, copy.deepcopy(network.state_dict()), 0

    def validated() -> float:
        network.eval()
        with torch.no_grad():
            told = [loss(run_network(network, tokens, history, cut), cut, valid_rows) for cut in checks]
        return sum(map(float, told)) / len(told)

    kept = None if checkpoint is None else checkpoint.load()
    if has_validation and kept is None:
        best = validated()  # of a network that adds nothing to the base
        if checkpoint is not None:
            checkpoint.save(0, best, best_state)
    if kept is not None:
        first, best, best_state = kept
        network.load_state_dict(best_state)
        for _ in range(first):  # the sub-markets that were seen
            draw_sub_market(history, settings, generator)
        stage.advance(first)
        stage.note(f"going on from step {first}, where a training was interrupted")
    for step in range(first, settings.steps):
        scale = min(1.0, (step + 1) / 20) * (
            0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        )
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * scale
        network.train()
        cut = draw_sub_market(history, settings, generator)
        value = loss(run_network(network, tokens, history, cut), cut, train_rows)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        stage.advance()
        if has_validation and ((step + 1) % settings.check_every == 0 or step + 1 == settings.steps):
            score = validated()
            stage.note(f"validation {score:.4f}")
            if score < best:
                best, best_state, bad = score, copy.deepcopy(network.state_dict()), 0
                if checkpoint is not None:
                    checkpoint.save(step + 1, best, best_state)
            else:
                bad += 1
            if bad > settings.patience:
                break
    if has_validation:
        network.load_state_dict(best_state)
    network.eval()
    return best
