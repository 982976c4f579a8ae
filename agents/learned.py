"""Learned policies: a network on the simulator's observation, saved as one safetensors file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..envs.engine.observation import Observation
from ..envs.engine.types import Decision
from ..envs.engine.view import View
from ..forecasters.errors import InputError
from ..forecasters.files import replace_file
from ..forecasters.seal import SEAL, fingerprint
from .network import PolicyNetwork
from .residual import Corrections, OpenResidual, from_spec, to_spec

FORMAT = "mercato policy 4"  # of policies, and of what a training keeps on its way to one


@dataclass(frozen=True)
class LearnedPolicy:
    """One network for every decision unit of any market whose observation has the same features."""

    name: str
    network: PolicyNetwork
    actions: Corrections
    training: dict[str, Any]  # how it was trained, for the record
    features: tuple[str, ...]  # names of what it observes

    def __repr__(self) -> str:
        where, seed = self.training.get("market"), self.training.get("seed")
        return f"LearnedPolicy({self.name!r}, trained in {where!r} with seed {seed})"

    @torch.no_grad()
    def decide(self, view: View) -> Decision:
        """What to charge and order.

        Raises:
            InputError: the market has other features than those the policy was trained on, or the policy is
                one for many shops that has not been started in this one.
        """
        if isinstance(self.actions, OpenResidual):
            raise InputError(
                f"policy {self.name}: expected one that was started in {view.market.name}, found one for many"
                " shops; start it there (mercato train MARKET --algo pathwise --start POLICY)"
            )
        try:
            observation = Observation.in_market(self.features, view.market)
        except InputError as error:
            raise InputError(f"policy {self.name}: {error}") from None
        seen = observation(view)
        output = self.network.to(seen.device)(seen)
        return self.actions.to_decision(self.actions.greedy(output), view)

    def named(self, name: str) -> LearnedPolicy:
        """The same policy under another name."""
        return replace(self, name=name)

    def save(self, path: str | Path) -> None:
        """Write weights and description to one ``.safetensors`` file, whole or not at all."""
        description = {
            "name": self.name,
            "sizes": self.network.sizes,
            "activation": self.network.activation,
            "features": self.features,
            "actions": to_spec(self.actions),
            "training": self.training,
        }
        weights = {key: value.detach().cpu().contiguous() for key, value in self.network.state_dict().items()}
        told = json.dumps(description)
        metadata = {"format": FORMAT, "policy": told, SEAL: _seal(told, weights)}
        replace_file(Path(path), lambda new: save_file(weights, new, metadata=metadata))

    @classmethod
    def load(cls, path: str | Path) -> LearnedPolicy:
        """Read what ``save`` wrote.

        Raises:
            InputError: no such file, not a policy, or one that observes features that this version lacks.
        """
        path = Path(path)
        if not path.is_file():
            found = "a directory" if path.is_dir() else "none"
            raise InputError(f"policy {path}: expected a .safetensors file, found {found}")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"policy {path}: not a readable safetensors file ({error})") from None
        if metadata.get("format") != FORMAT:
            raise InputError(
                f"policy {path}: expected format {FORMAT!r}, found {metadata.get('format')!r:.60}; train it"
                " again"
            )
        if metadata.get(SEAL) != _seal(metadata.get("policy", ""), weights):
            raise InputError(
                f"policy {path}: expected a policy as it was written, found it damaged; train it again"
            )
        try:
            return cls._described(json.loads(metadata["policy"]), weights)
        except InputError as error:
            raise InputError(f"policy {path}: {error}") from None
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"policy {path}: damaged ({type(error).__name__}: {error})".splitlines()[0]
            ) from None

    @classmethod
    def _described(cls, description: dict[str, Any], weights: dict[str, torch.Tensor]) -> LearnedPolicy:
        features = Observation(description["features"]).names
        if description["sizes"][0] != len(features):
            raise InputError(f"expected {description['sizes'][0]} features, found {len(features)}")
        network = PolicyNetwork.of_weights(description["sizes"], description["activation"], weights)
        return cls(
            name=description["name"],
            network=network.requires_grad_(False).eval(),
            actions=from_spec(description["actions"]),
            training=description["training"],
            features=features,
        )


def _seal(description: str, weights: dict[str, torch.Tensor]) -> str:
    ordered = (weights[name] for name in sorted(weights))
    return fingerprint([description.encode(), *(value.contiguous().numpy().tobytes() for value in ordered)])


def linear_layers(*modules: nn.Module) -> list[nn.Linear]:
    """The linear layers of modules, in the order in which they are applied."""
    return [layer for module in modules for layer in module.modules() if isinstance(layer, nn.Linear)]
