"""Training of a policy by the gradient of simulated profit.

Hindsight differentiable policy optimisation (Madeka, Torkkola, Eisenach et al. 2022, arXiv 2210.03137; Alvo,
Russo and Kanoria 2023, arXiv 2306.11246): many markets are played side by side for a window of periods, and
their profit is differentiated through every period of it, demand, stock and policy, down to the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from math import ceil, cos, pi
from pathlib import Path

import torch
from torch import Tensor, nn

from ...envs.engine import tree
from ...envs.engine.observation import FEATURES
from ...envs.market import Market
from ...envs.simulator import Simulator
from ...forecasters.progress import SILENT, Progress, Stage
from ...forecasters.tensors import Checkpoint, moments, named, put_back, taken
from ..learned import LearnedPolicy, linear_layers, see, slot_features
from ..learner import Best, Validation, few_threads
from ..network import PolicyNetwork, Standardise
from ..policy import Pair
from ..residual import Residual
from ..seeds import seed_for
from ..train import base_of, check_counts, kept_at, record_of, side_by_side, worth_in
from .gradient import Differentiable

_WATCHED = 16  # periods played at random to fix the observation's statistics
_SLOTS = 512  # decision units side by side, where the number of markets is not given
_RISE = 20  # updates in which the learning rate rises to its full height


@dataclass(frozen=True)
class PathwiseSettings:
    """Pathwise policy optimisation."""

    steps: int = 2_000_000  # periods of a decision unit
    markets: int | None = None  # side by side; None is 4, or more for a small shop
    horizon: int = 52  # periods an episode in training
    window: int = 26  # periods through which profit is differentiated; an update follows each
    learning_rate: float = 3e-3  # at its height, falling by a cosine
    average: float = 0.99  # of the weights over updates: share that stays
    hidden: tuple[int, ...] = (48, 48)
    price_reach: float = 0.5  # largest price correction, share of the supported log range
    cover_reach: float = 0.5  # largest correction of the log order-up-to level
    caution: float = 0.0  # charged per unit of what the demand model is unsure of (``Cautious``)
    validation: Validation = field(default_factory=Validation)

    def __post_init__(self) -> None:
        given = () if self.markets is None else ("markets",)
        check_counts(self, "steps", *given, "horizon", "window")


def train_pathwise(
    market: Market,
    settings: PathwiseSettings = PathwiseSettings(),
    seed: int = 0,
    progress: Progress = SILENT,
    *,
    base: Pair | None = None,
    checkpoint: Path | None = None,
) -> LearnedPolicy:
    """Train by the gradient of profit; arguments as in ``train_ppo``.

    What a policy decides must move profit continuously: of a fixed cost of ordering or of changing a price
    the gradient knows nothing, though validation does.
    """
    base = base_of(market, base, settings, seed, progress)
    actions = Residual.of(base, settings.price_reach, settings.cover_reach)
    learner = _Learner(market, settings, actions, seed)

    def candidates() -> list[LearnedPolicy]:
        network = deepcopy(learner.average).requires_grad_(False).eval()
        about = record_of(settings, seed, market)
        return [LearnedPolicy("pathwise", network.cpu(), actions, about, learner.features)]

    kept = kept_at(checkpoint, market, actions, settings, seed)
    with progress.stage("train pathwise", total=settings.steps) as stage, few_threads():
        best = Best(candidates, worth_in(market, settings, seed), stage)
        try:
            learner.learn(best, kept, stage)
        except KeyboardInterrupt:
            if kept is not None:
                raise
            stage.note("interrupted: the best policy so far is kept")
    return best.policy


class _Learner:
    """A network in training, and the markets that it is trained in."""

    def __init__(self, market: Market, settings: PathwiseSettings, actions: Residual, seed: int) -> None:
        markets = side_by_side(market, settings.markets, _SLOTS)
        horizon = settings.window * ceil(settings.horizon / settings.window)
        self.settings = settings
        self.simulator = Simulator(market, markets, horizon, seed_for("train", seed))
        self.play = Differentiable(self.simulator, actions, settings.caution)
        self.features = (*FEATURES, *slot_features(market.economics.lead_time - 2))
        self.network = self._at_rest(market, seed)
        self.average = deepcopy(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=0.0, betas=(0.9, 0.99))
        self.state, self.updates = self.simulator.reset(), 0
        self.each = settings.window * markets * len(market.groups) * len(market.items)

    def _at_rest(self, market: Market, seed: int) -> PolicyNetwork:
        """A network that puts out 0: no correction of the base."""
        generator = torch.Generator().manual_seed(seed_for("learner", seed))
        standardise = Standardise.of(self._watched(generator))
        sizes = (len(self.features), *self.settings.hidden, 2)
        network = PolicyNetwork(sizes, "silu")
        *hidden, last = linear_layers(network)
        for layer in hidden:
            bound = layer.in_features**-0.5
            for weights in (layer.weight, layer.bias):
                nn.init.uniform_(weights, -bound, bound, generator)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        network.standardise.load_state_dict(standardise.state_dict())
        return network.to(market.device)

    @torch.no_grad()
    def _watched(self, generator: torch.Generator) -> Tensor:
        """Observations (N, F) of some periods at random actions."""
        state, seen = self.simulator.reset(), []
        for _ in range(_WATCHED):
            view = self.simulator.view(state)
            seen.append(see(view, self.features).cpu())
            action = 0.5 * torch.randn(*seen[-1].shape[:2], 2, generator=generator)
            decision = self.play.actions.to_decision(action.to(self.play.market.device), view)
            state, _ = self.simulator.step(state, decision)
        return torch.cat(seen).flatten(0, 1)

    def learn(self, best: Best, checkpoint: Checkpoint | None, stage: Stage) -> None:
        """All updates, with validations in between; from where ``checkpoint`` was left."""
        total = ceil(self.settings.steps / self.each)
        interval = max(1, total // self.settings.validation.times)
        self._go_on(best, checkpoint, stage)
        while self.updates < total:
            worth = self.update(self.updates / total)
            stage.advance(self.each)
            stage.curve(self.updates * self.each, {"train/worth": worth})
            if self.updates % interval == 0 and self.updates < total:
                best.consider(self.updates * self.each)
                self._keep(best, checkpoint)
        best.consider(self.updates * self.each)

    def update(self, done: float) -> Tensor:
        """Play a window and move the weights; what a period was worth, a market on average."""
        state = self.simulator.restart(self.state, self.simulator.done(self.state))
        worth = torch.zeros((), device=self.play.market.device)
        for _ in range(self.settings.window):
            view = self.play.view(state)
            state, earned = self.play.period(view, self.network(see(view, self.features)))
            worth = worth + earned.mean() / self.settings.window
        self.state = tree.each(Tensor.detach, state)
        self.optimiser.zero_grad()
        (-worth).backward()
        rise = min(1.0, (self.updates + 1) / _RISE)
        rate = self.settings.learning_rate * rise * (0.51 + 0.49 * cos(pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self._average()
        self.updates += 1
        return worth.detach()

    @torch.no_grad()
    def _average(self) -> None:
        stays = min(self.settings.average, (1 + self.updates) / (10 + self.updates))
        for mean, weights in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(weights, 1 - stays)

    def _parts(self) -> Iterator[tuple[str, nn.Module]]:
        yield from (("network", self.network), ("average", self.average))

    def _keep(self, best: Best, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        tensors = named("best", best.policy.network.state_dict())
        for name, part in self._parts():
            tensors |= named(name, part.state_dict())
        tensors |= named("moments", moments(self.optimiser))
        tensors |= named("state", {f"{n:04}": tensor for n, tensor in enumerate(tree.leaves(self.state))})
        checkpoint.save({"updates": self.updates, "most": best.most}, tensors)

    def _go_on(self, best: Best, checkpoint: Checkpoint | None, stage: Stage) -> None:
        kept = None if checkpoint is None else checkpoint.load()
        if kept is None:
            return
        about, tensors = kept
        best.put_back(about["most"], taken("best", tensors))
        for name, part in self._parts():
            part.load_state_dict(taken(name, tensors))
        put_back(self.optimiser, taken("moments", tensors))
        self.state = tree.refilled(self.state, [x for _, x in sorted(taken("state", tensors).items())])
        self.updates = about["updates"]
        stage.advance(self.updates * self.each)
        stage.note(
            f"going on from {self.updates * self.each:,} unit-periods, where a training was interrupted"
        )
