"""What a family of true markets offers beyond ``DemandProcess``: enough to write its history and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from ...forecasters.demand import DemandProcess, Period
from ...forecasters.noise import NoiseKey
from .shop import Shop


class StructuralDemand(DemandProcess, Protocol):
    """A demand process of known truth, a frozen dataclass with a field ``realised``.

    ``realised`` is the process' own state dataclass with periods + 1 rows, one a week of the history.
    """

    @property
    def shop(self) -> Shop: ...

    @property
    def realised(self) -> Any: ...

    def rows(self, weeks: Tensor) -> Any:
        """The realised states of ``weeks`` (B,)."""
        ...

    def calm(self, state: Any) -> Any:
        """``state`` without its shocks: what one expects who does not know the week's luck."""
        ...

    def log_mean(self, state: Any, price: Tensor, promo: Tensor | float = 0.0) -> Tensor:
        """Log mean demand (B, S, I) at ``price`` and ``promo`` (B, S, I)."""
        ...

    def advance(self, state: Any, period: Period, key: NoiseKey, promo: Tensor | float = 0.0) -> Any:
        """State of the next week. Nobody plans promotions in play, so only a history has a ``promo``."""
        ...

    def draw(self, log_mean: Tensor, key: NoiseKey) -> Tensor:
        """Demand (B, S, I) around ``log_mean``, non-decreasing in it for fixed noise."""
        ...

    def level(self) -> Tensor:
        """(S, I) log mean demand at reference price in an ordinary week, without promotion."""
        ...

    def own(self) -> Tensor:
        """(S, I) own elasticities within the week at reference prices; the mean of the year."""
        ...

    def cross(self) -> Tensor:
        """(S, I, I) ∂log demand(second axis) / ∂log price(third axis) at reference prices, diagonal 0."""
        ...

    def dispersion(self) -> Tensor:
        """(I,) φ: variance of demand is μ + φ·μ²."""
        ...

    def select(self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None) -> Any:
        """The sub-market, with the same customers."""
        ...
