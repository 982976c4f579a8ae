"""The best weights of a training under way, in a file, so that an interruption loses little."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps its best weights; a file of another training is ignored and written over."""

    path: Path
    training: str  # fingerprint of what is trained on what

    @staticmethod
    def of(path: Path, tokens: Tensor, *settings: object) -> Checkpoint:
        """The checkpoint of a training on ``tokens`` with ``settings`` (anything with a stable repr)."""
        digest = hashlib.blake2b(tokens.cpu().numpy().tobytes(), digest_size=16)
        digest.update(repr(settings).encode())
        return Checkpoint(path, digest.hexdigest())

    def save(self, step: int, loss: float, weights: dict[str, Tensor]) -> None:
        """Write the weights that were best after ``step`` steps, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(self.path.name + ".new")
        tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
        about = {"training": self.training, "step": str(step), "loss": repr(loss)}
        save_file(tensors, unfinished, metadata=about)
        os.replace(unfinished, self.path)

    def load(self) -> tuple[int, float, dict[str, Tensor]] | None:
        """Step, validation loss and weights; None where this training has left nothing that can be read."""
        try:
            with safe_open(self.path, framework="pt") as file:
                about = file.metadata() or {}
                if about.get("training") != self.training:
                    return None
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (OSError, SafetensorError):
            return None
        return int(about["step"]), float(about["loss"]), weights
