"""A network that reads a history and takes no step from it, and so keeps nothing of it for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .around import Around
from .demand_network import Seen
from .trunk import Kept


class Unmoving(Around):
    """Another network, asked about the period after a history alone."""

    def forward(
        self,
        tokens: Tensor,
        identity: Tensor,
        distance: Tensor | None = None,
        keep: list[Kept] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        return super().forward(tokens, identity, distance, None, listed)

    def begin(self, kept: Sequence[Kept], start: Tensor) -> tuple[()]:
        return ()

    def step(self, seen: Seen, identity: Tensor, memory: Any, *_: Tensor | None) -> tuple[Tensor, Any]:
        raise TypeError("expected no step of a network that remembers nothing")

    @property
    def kept_numbers(self) -> int:
        return 0
