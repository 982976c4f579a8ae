"""The state of a training under way, in a file: an interruption changes nothing but the time it takes."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


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
        unfinished = self.path.with_name(self.path.name + ".new")
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
