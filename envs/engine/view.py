"""What a policy may look at before it decides."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...forecasters.simulation import Outlook
from ..market import Market
from .types import State


@dataclass(frozen=True)
class View:
    """A batch of markets at the moment of decision; the outlook is computed once for all who look."""

    market: Market
    state: State
    outlook: Outlook

    def position(self) -> Tensor:
        """(B, S, I) inventory position: on hand + pipeline - backorders."""
        return self.state.on_hand + self.state.pipeline.sum(1) - self.state.backorders

    def expected(self, price: Tensor) -> Tensor:
        """(B, S, I) mean demand of the coming period at ``price`` (B, S, I)."""
        return self.market.demand.expected(self.state.demand, price)

    def expected_until_arrival(self, price: Tensor) -> Tensor:
        """(B, S, I) mean demand until the next order but this one arrives, at ``price`` (B, S, I) held.

        It is what the stock after this order has to last for: lead time + 1 periods.
        """
        periods = self.market.economics.lead_time + 1
        return self.market.demand.later(self.state.demand, price, periods)
