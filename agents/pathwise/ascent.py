"""A network that climbs: markets are played for a window of periods, then the weights follow the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import cos, pi

import torch
from torch import Tensor, nn

from ...envs.engine import tree
from ...envs.engine.actions import ActionMap
from ...envs.engine.observation import Observation
from ...envs.market import Market
from ...envs.simulator import Simulator
from ...forecasters.tensors import moments, named, put_back, taken
from ..learned import linear_layers
from ..network import PolicyNetwork, Standardise
from ..seeds import seed_for
from .gradient import Differentiable

_WATCHED = 16  # periods at least that are played at random to fix the observation's statistics
_RISE = 20  # updates in which the learning rate rises to its full height


@dataclass(frozen=True)
class Practice:
    """How a market is played in training."""

    window: int  # periods through which profit is differentiated
    horizon: int  # periods an episode, a window at least
    caution: float = 0.0


class Ground:
    """Copies of a market that a network practises in."""

    def __init__(
        self,
        market: Market,
        markets: int,
        actions: ActionMap,
        observation: Observation,
        practice: Practice,
        seed: int,
    ) -> None:
        self.observation, self.seed = observation, seed
        horizon = max(practice.window, practice.horizon)
        self.simulator = Simulator(market, markets, horizon, seed_for("train", seed))
        self.window = min(practice.window, self.simulator.horizon)
        self.rounding = torch.Generator(market.device)
        self.play = Differentiable(self.simulator, actions, self.rounding, practice.caution)
        self.state = self.simulator.reset()
        self.unit_periods = self.window * markets * len(market.groups) * len(market.items)

    @torch.no_grad()
    def watched(self, generator: torch.Generator) -> Tensor:
        """Observations (N, F) of some periods at random actions, of a season's all.

        What is left of a season that they have not seen whole would be cut off towards its end.
        """
        state, seen = self.simulator.reset(), []
        for _ in range(self.play.market.economics.season or _WATCHED):
            view = self.simulator.view(state)
            seen.append(self.observation(view).cpu())
            action = 0.5 * torch.randn(*seen[-1].shape[:2], 2, generator=generator)
            decision = self.play.actions.to_decision(action.to(view.market.device), view)
            state, _ = self.simulator.step(state, decision)
        return torch.cat(seen).flatten(0, 1)

    def worth(self, network: nn.Module, number: int) -> Tensor:
        """Play the window of that number: what a period of it was worth, a market on average.

        The last window of an episode ends with it.
        """
        self.rounding.manual_seed(seed_for(f"window {number}", self.seed))  # the same after an interruption
        state = self.simulator.restart(self.state, self.simulator.done(self.state))
        periods = min(self.window, self.simulator.horizon - int(state.age[0]))  # all are equally old
        worth = torch.zeros((), device=self.play.market.device)
        for _ in range(periods):
            view = self.play.view(state)
            state, earned = self.play.period(view, network(self.observation(view)))
            worth = worth + earned.mean() / periods
        self.state = tree.each(Tensor.detach, state)
        return worth


class Ascent:
    """A network in training, in turn on each of some grounds; and the mean of its weights over updates.

    It goes on from the network ``start``; where None from one that corrects nothing.
    """

    def __init__(
        self,
        grounds: Sequence[Ground],
        hidden: Sequence[int],
        learning_rate: float,
        stays: float,
        seed: int,
        start: PolicyNetwork | None = None,
    ) -> None:
        self.grounds, self.learning_rate, self.stays = grounds, learning_rate, stays
        network = _at_rest(grounds, hidden, seed) if start is None else deepcopy(start)
        self.network = network.requires_grad_(True).train().to(grounds[0].play.market.device)
        self.average = deepcopy(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=0.0, betas=(0.9, 0.99))
        self.updates = 0

    @property
    def unit_periods(self) -> int:
        """Periods of a decision unit that an update plays, a ground on average."""
        return max(1, round(sum(ground.unit_periods for ground in self.grounds) / len(self.grounds)))

    def update(self, done: float) -> Tensor:
        """Play a window and move the weights; what a period was worth. ``done`` is the share of updates."""
        worth = self.grounds[self.updates % len(self.grounds)].worth(self.network, self.updates)
        self.optimiser.zero_grad()
        (-worth).backward()
        rise = min(1.0, (self.updates + 1) / _RISE)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate * rise * (0.51 + 0.49 * cos(pi * done))
        self.optimiser.step()
        stays = min(self.stays, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            for mean, weights in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(weights, 1 - stays)
        self.updates += 1
        return worth.detach()

    def found(self) -> PolicyNetwork:
        """A copy of the mean network, on the CPU."""
        return deepcopy(self.average).requires_grad_(False).eval().cpu()

    def tensors(self) -> dict[str, Tensor]:
        """All that the updates to come depend on, but for their number."""
        states = {
            f"{at:02}/{number:04}": tensor
            for at, ground in enumerate(self.grounds)
            for number, tensor in enumerate(tree.leaves(ground.state))
        }
        return (
            named("network", self.network.state_dict())
            | named("average", self.average.state_dict())
            | named("moments", moments(self.optimiser))
            | named("states", states)
        )

    def put_back(self, updates: int, tensors: dict[str, Tensor]) -> None:
        """Go on where ``tensors`` were told, after so many updates."""
        self.network.load_state_dict(taken("network", tensors))
        self.average.load_state_dict(taken("average", tensors))
        put_back(self.optimiser, taken("moments", tensors))
        states = taken("states", tensors)
        for at, ground in enumerate(self.grounds):
            own = [tensor for _, tensor in sorted(taken(f"{at:02}", states).items())]
            ground.state = tree.refilled(ground.state, own)
        self.updates = updates


def _at_rest(grounds: Sequence[Ground], hidden: Sequence[int], seed: int) -> PolicyNetwork:
    """A network that puts out 0: no correction of the base."""
    generator = torch.Generator().manual_seed(seed_for("learner", seed))
    standardise = Standardise.of(torch.cat([ground.watched(generator) for ground in grounds]))
    network = PolicyNetwork((len(grounds[0].observation), *hidden, 2), "silu")
    *layers, last = linear_layers(network)
    for layer in layers:
        bound = layer.in_features**-0.5
        for weights in (layer.weight, layer.bias):
            nn.init.uniform_(weights, -bound, bound, generator)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    network.standardise.load_state_dict(standardise.state_dict())
    return network
