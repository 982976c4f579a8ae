"""The state of a training under way, in a file: an interruption changes nothing but the time it takes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps its state; a file of another training is ignored and written over."""

    path: Path
    training: str  # fingerprint of what is trained on what

    @staticmethod
    def of(path: Path, tokens: Tensor, *settings: object) -> Checkpoint:
        """The checkpoint of a training on ``tokens`` with ``settings`` (anything with a stable repr)."""
        digest = hashlib.blake2b(tokens.cpu().numpy().tobytes(), digest_size=16)
        digest.update(repr(settings).encode())
        return Checkpoint(path, digest.hexdigest())

    def save(self, about: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Write a state, numbers and tensors by name, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(
            self.path.name + ".new"
        )  # which a killed training's next one replaces
        parts = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        save_file(parts, unfinished, metadata={"training": self.training, "about": json.dumps(about)})
        os.replace(unfinished, self.path)

    def load(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """The state; None where this training has left nothing that can be read."""
        try:
            with safe_open(self.path, framework="pt") as file:
                told = file.metadata() or {}
                if told.get("training") != self.training:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
                return json.loads(told["about"]), tensors
        except (OSError, SafetensorError, ValueError, KeyError):
            return None


def named(name: str, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one thing under names that ``taken`` finds again."""
    return {f"{name}/{key}": value for key, value in parts.items()}


def taken(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What ``named`` put there."""
    return {
        key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")
    }


def moments(optimiser: Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers of past gradients, by the number of the parameter."""
    kept = optimiser.state_dict()["state"]
    return {f"{index}/{key}": value for index, of_one in kept.items() for key, value in of_one.items()}


def put_back(optimiser: Optimizer, kept: Mapping[str, Tensor]) -> None:
    """Let an optimiser go on with ``moments`` of before."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in kept.items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
