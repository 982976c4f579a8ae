"""Pre-training on a stream of drawn markets, each seen once; interrupted, it goes on where it was.

Market n of a training is a function of its seed and n alone. The learning rate rises over the first steps and
falls along a cosine to nothing at the last one (Loshchilov and Hutter 2017, arXiv 1608.03983).

Several processes share the markets of a step: the result is that of one, but for the order in which gradients
are summed.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..progress import SILENT, Progress
from ..tensors import Alone, Checkpoint, Processes, moments, named, put_back, taken
from .features import build_features
from .lesson import Lesson, lesson
from .model import MarketModel
from .network import MarketNetwork, MarketNetworkSettings
from .prior import PriorSettings, draw

_FAR, _NEAR = 26, 8  # periods ahead: all, and those that most forecasts are of
_MOSTLY, _SHORT = 0.7, 0.25  # share of forecasts that are near; of histories that are short
_SPAN = 17  # periods after the levels' own in which forecasts begin
_SAVE_EVERY = 100  # steps
_REMEMBERED = 0.99  # of the loss that is told, a step


@dataclass(frozen=True)
class PretrainingSettings:
    """What is trained, and how."""

    width: int = 96
    blocks: int = 3
    heads: int = 4
    steps: int = 4500
    batch: int = 8  # markets a step
    forecasts: int = 6  # of each market
    learning_rate: float = 1.5e-3
    warm_up: int = 100  # steps
    weight_decay: float = 0.02
    prior: PriorSettings = field(default_factory=PriorSettings)


def drawn_lesson(seed: int, number: int, settings: PretrainingSettings) -> Lesson:
    """The ``number``-th market of the stream."""
    rng = np.random.default_rng([seed, number])
    panel = draw(rng, settings.prior)
    periods = len(panel.units)
    short = rng.random() < _SHORT
    least, most = (8, 27) if short else (26, periods - _NEAR)
    fitted = int(rng.integers(least, most))
    pairs = []
    for _ in range(settings.forecasts):
        origin = min(fitted + int(rng.integers(0, _SPAN)), periods - 1)
        furthest = min(_NEAR if rng.random() < _MOSTLY else _FAR, periods - origin)
        pairs.append((origin, int(rng.integers(0, furthest))))
    features = build_features(panel, fitted, sorted({origin for origin, _ in pairs}))
    return lesson(panel, features, pairs)


def pretrain(
    out: Path,
    seed: int = 0,
    settings: PretrainingSettings = PretrainingSettings(),
    progress: Progress = SILENT,
    crew: Processes = Alone(),
) -> MarketModel:
    """Train a market model and write it to ``out``.

    The state of the training is kept beside ``out`` until it ends; interrupted, the same call carries it on,
    on whatever device and in however many processes. On a GPU the network computes in bfloat16.

    Args:
        out: file to write, by the first process; all of them see it.
        seed: market n of the stream is a function of it and n.
        settings: what, and how.
        progress: is informed.
        crew: the processes that share the work, and this one's device.

    Raises:
        InputError: more processes than markets of a step, or one that does not see ``out``.
    """
    if crew.count > settings.batch:
        raise InputError(f"expected at most {settings.batch} processes, one a market, found {crew.count}")
    torch.manual_seed(seed)
    width = drawn_lesson(seed, 0, settings).features.shape[-1]
    network = MarketNetwork(
        MarketNetworkSettings(width, settings.width, settings.blocks, settings.heads)
    ).train()
    network.to(crew.device)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    path = out.with_name(f".{out.stem}-training.safetensors")
    checkpoint = Checkpoint.of(path, torch.empty(0), seed, settings)
    done, lost = _resume(checkpoint, network, optimiser)
    _check_same(crew, done, out)
    half = torch.autocast(crew.device.type, torch.bfloat16, enabled=crew.device.type == "cuda")
    with progress.stage("pre-train the market model", settings.steps) as stage:
        stage.advance(done)
        while done < settings.steps:
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * _pace(done, settings)
            optimiser.zero_grad()
            told = torch.zeros((), device=crew.device)
            for n in range(crew.index, settings.batch, crew.count):
                market = drawn_lesson(seed, done * settings.batch + n, settings).to(crew.device)
                with half:
                    one = market.loss(network) / settings.batch
                one.backward()
                told += one.detach()
            crew.add_up([told, *(p.grad for p in network.parameters() if p.grad is not None)])
            now = float(told)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            done += 1
            keep = min(_REMEMBERED, 1 - 1 / done)
            lost = keep * lost + (1 - keep) * now
            stage.advance()
            stage.curve(done, {"loss": now, "learning rate": optimiser.param_groups[0]["lr"]})
            if done % _SAVE_EVERY == 0:
                if crew.index == 0:
                    _save(checkpoint, network, optimiser, done, lost)
                stage.note(f"pinball loss of drawn markets {lost:.4f}, lower is better")
    model = MarketModel(network.eval().cpu(), {"seed": seed, "settings": asdict(settings), "loss": lost})
    if crew.index == 0:
        model.save(out)
        path.unlink(missing_ok=True)
    return model


def _check_same(crew: Processes, done: int, out: Path) -> None:
    """Raises InputError where the processes would begin at different steps."""
    total = torch.tensor(float(done), device=crew.device)
    crew.add_up([total])
    if float(total) != done * crew.count:
        raise InputError(f"{out}: expected a place that all processes see, found one that does not")


def _pace(step: int, settings: PretrainingSettings) -> float:
    """Of the learning rate, 0 … 1."""
    if step < settings.warm_up:
        return (step + 1) / settings.warm_up
    gone = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    return 0.5 * (1 + math.cos(math.pi * gone))


def _save(
    checkpoint: Checkpoint, network: MarketNetwork, optimiser: torch.optim.Optimizer, done: int, lost: float
) -> None:
    tensors = {**named("network", network.state_dict()), **named("optimiser", moments(optimiser))}
    checkpoint.save({"done": done, "lost": lost}, tensors)


def _resume(
    checkpoint: Checkpoint, network: MarketNetwork, optimiser: torch.optim.Optimizer
) -> tuple[int, float]:
    """Steps done by an interrupted training, whose weights are put in place, and its loss."""
    kept = checkpoint.load()
    if kept is None:
        return 0, 0.0
    about, tensors = kept
    network.load_state_dict(taken("network", tensors))
    put_back(optimiser, taken("optimiser", tensors))
    return int(about["done"]), float(about["lost"])
