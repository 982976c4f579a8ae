"""Processes that share the batch of a training step and add their gradients up.

One process alone is the ordinary case. Several are started by a launcher (``accelerate launch``,
``torchrun``), on one machine or on many, each with a device of its own; they speak through Accelerate.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError


class Processes(Protocol):
    """This process among those of a training."""

    @property
    def index(self) -> int:
        """This one's number; 0 writes files and tells how far the work is."""
        ...

    @property
    def count(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Put into each tensor, which all processes have alike, the sum of theirs."""
        ...


@dataclass(frozen=True)
class Alone:
    """The only process."""

    device: torch.device = torch.device("cpu")
    index: int = 0
    count: int = 1

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        pass


class Accelerated:
    """One of the processes that a launcher has started."""

    def __init__(self) -> None:
        try:
            from accelerate import Accelerator
        except ImportError:
            raise InputError(
                "accelerate: expected Accelerate, found none; pip install 'mercato[processes]'"
            ) from None
        self._accelerator = Accelerator()
        self.index, self.count = self._accelerator.process_index, self._accelerator.num_processes
        self.device = self._accelerator.device

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        whole = torch.cat([tensor.flatten() for tensor in tensors])  # one message instead of many
        parts = self._accelerator.reduce(whole, "sum").split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def processes(device: torch.device | str = "cpu") -> Processes:
    """The processes that a launcher has started; this one alone, on ``device``, where none has."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return Accelerated()
    return Alone(torch.device(device))
