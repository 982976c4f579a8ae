"""The training loop: random sub-markets, validation, early stop, the best weights kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..features import History
from ..progress import Stage
from ..tensors import Checkpoint, moments, named, put_back, taken
from .demand_network import DemandNetwork


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


@dataclass
class _State:
    """All that a training's next step depends on."""

    network: DemandNetwork
    optimiser: torch.optim.Optimizer
    generator: torch.Generator  # of sub-markets; dropout draws from torch's own
    best_state: dict[str, Tensor]
    best: float = math.inf
    step: int = 0  # steps that are done
    bad: int = 0  # validations since the best one

    def save(self, checkpoint: Checkpoint) -> None:
        tensors = {
            "sub-markets": self.generator.get_state(),
            "chance": torch.get_rng_state(),
            **named("network", self.network.state_dict()),
            **named("best", self.best_state),
            **named("optimiser", moments(self.optimiser)),
        }
        checkpoint.save({"best": self.best, "step": self.step, "bad": self.bad}, tensors)

    def load(self, checkpoint: Checkpoint) -> bool:
        """Go on from what a training has left; whether it left anything."""
        kept = checkpoint.load()
        if kept is None:
            return False
        about, tensors = kept
        self.best, self.step, self.bad = about["best"], about["step"], about["bad"]
        self.generator.set_state(tensors["sub-markets"])
        torch.set_rng_state(tensors["chance"])
        self.network.load_state_dict(taken("network", tensors))
        self.best_state = taken("best", tensors)
        put_back(self.optimiser, taken("optimiser", tensors))
        return True


def _held_out(history: History, settings: TrainingSettings, seed: int) -> list[SubMarket]:
    """The sub-markets that a training is validated on."""
    fixed = torch.Generator().manual_seed(seed + 1)
    last = slice(max(0, history.periods - settings.periods), history.periods)  # where the held-out rows are
    return [replace(draw_sub_market(history, settings, fixed), periods=last) for _ in range(3)]


@torch.no_grad()
def losses_by_period(
    network: DemandNetwork,
    tokens: Tensor,
    history: History,
    loss: Loss,
    rows: Tensor,
    settings: TrainingSettings,
    seed: int,
) -> Tensor:
    """(K,) mean loss of each of the K ``rows`` (T,), on the sub-markets that a training is validated on."""
    network.eval()
    each = torch.eye(len(rows), dtype=torch.bool, device=rows.device)[rows]
    cuts, total = _held_out(history, settings, seed), torch.zeros(len(each))
    for cut in cuts:
        out = run_network(network, tokens, history, cut)
        total += torch.tensor([float(loss(out, cut, only)) for only in each])
    return total / len(cuts)


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
        checkpoint: the state goes here at each validation; where an interrupted training left one, this one
            goes on from it, and ends as that one would have.
    """
    checks = _held_out(history, settings, seed)
    has_validation = bool(valid_rows.any())

    def validated() -> float:
        network.eval()
        with torch.no_grad():
            told = [loss(run_network(network, tokens, history, cut), cut, valid_rows) for cut in checks]
        return sum(map(float, told)) / len(told)

    if not any(True for _ in network.parameters()):
        stage.advance(settings.steps)
        return validated() if has_validation else math.inf
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    generator = torch.Generator().manual_seed(seed)
    state = _State(network, optimiser, generator, copy.deepcopy(network.state_dict()))
    if checkpoint is not None and state.load(checkpoint):
        stage.advance(state.step)
        stage.note(f"going on from step {state.step}, where a training was interrupted")
    elif has_validation:
        state.best = validated()  # of a network that adds nothing to the base
    for step in range(state.step, settings.steps):
        if state.bad > settings.patience:
            break
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
        stage.curve(step + 1, {"loss": value.detach(), "learning rate": settings.learning_rate * scale})
        if has_validation and ((step + 1) % settings.check_every == 0 or step + 1 == settings.steps):
            score = validated()
            stage.note(f"validation: negative log likelihood a row {score:.4f}, lower is better")
            stage.curve(step + 1, {"validation loss": score})
            better = score < state.best
            if better:
                state.best, state.best_state = score, copy.deepcopy(network.state_dict())
            state.step, state.bad = step + 1, 0 if better else state.bad + 1
            if checkpoint is not None:
                state.save(checkpoint)
    if has_validation:
        network.load_state_dict(state.best_state)
    network.eval()
    return state.best
