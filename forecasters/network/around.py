"""A network around another: what is not changed is the other's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .demand_network import DemandNetwork, Seen
from .trunk import Kept


class Around(DemandNetwork):
    """``network`` as it is; whoever derives from it says what differs."""

    def __init__(self, network: DemandNetwork) -> None:
        nn.Module.__init__(self)
        self.network = network

    def select(self, cut: Any) -> DemandNetwork:
        return self.network.select(cut)

    def without_ids(self, places: Tensor, goods: Tensor) -> DemandNetwork:
        return self.network.without_ids(places, goods)

    def identity(self, places: Tensor, goods: Tensor) -> Tensor:
        return self.network.identity(places, goods)

    def forward(
        self,
        tokens: Tensor,
        identity: Tensor,
        distance: Tensor | None = None,
        keep: list[Kept] | None = None,
        listed: Tensor | None = None,
    ) -> Tensor:
        told: Tensor = self.network(tokens, identity, distance, keep, listed)
        return told

    def begin(self, kept: Sequence[Kept], start: Tensor) -> Any:
        return self.network.begin(kept, start)

    def step(
        self,
        seen: Seen,
        identity: Tensor,
        memory: Any,
        distance: Tensor | None = None,
        listed: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        return self.network.step(seen, identity, memory, distance, listed)

    @property
    def kept_numbers(self) -> int:
        return self.network.kept_numbers
