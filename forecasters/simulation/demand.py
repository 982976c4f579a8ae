"""The demand protocol: what every demand process meets, learned or structural, i.i.d. or replayed.

A process is immutable; its state is a dataclass of tensors with the market axis first. The engine asks in
the order of events: ``outlook`` (what is expected before anyone acts), then ``sample`` at the price the
policy set, then ``advance`` with what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..tensors import NoiseKey


@dataclass(frozen=True)
class Outlook:
    """What is expected of the coming period at reference prices, before anyone acts."""

    mean: Tensor  # (B, S, I) expected units at the reference price
    spread: Tensor  # (B, S, I) standard deviation of demand divided by its mean
    elasticity: (
        Tensor  # (B, S, I) own elasticity near the reference price, negative; 0 where price has no effect
    )


@dataclass(frozen=True)
class Period:
    """What one period brought."""

    price: Tensor  # (B, S, I) price charged
    demand: Tensor  # (B, S, I) units wanted
    sales: Tensor  # (B, S, I) units sold at once (backorders not counted)


@runtime_checkable
class DemandProcess(Protocol):
    """A market's customers.

    ``locations`` and ``items`` name the axes S and I. ``periods`` is the number of calendar indices the
    process knows; ``reset`` accepts a start in 0 … periods (``periods`` itself: right after the history).
    ``calendar`` says whether demand depends on the date.
    """

    @property
    def locations(self) -> tuple[str, ...]: ...

    @property
    def items(self) -> tuple[str, ...]: ...

    @property
    def periods(self) -> int: ...

    @property
    def calendar(self) -> bool: ...

    def reset(self, start: Tensor, key: NoiseKey) -> Any:
        """State of markets about to play calendar index ``start`` (B,) int64."""
        ...

    def outlook(self, state: Any) -> Outlook:
        """What is expected of the coming period at reference prices."""
        ...

    def expected(self, state: Any, price: Tensor) -> Tensor:
        """Mean demand (B, S, I) at ``price`` (B, S, I), differentiable in price; no noise."""
        ...

    def later(self, state: Any, price: Tensor, periods: int) -> Tensor:
        """Mean demand (B, S, I) of the coming ``periods`` >= 1 together, at ``price`` (B, S, I) held.

        The coming period counts as the first: ``later(state, price, 1)`` is ``expected(state, price)``.
        """
        ...

    def disagreement(self, state: Any, price: Tensor) -> Tensor:
        """How unsure ``expected`` is: standard deviation (B, S, I) of log mean demand at ``price`` (B, S, I).

        Over what the data cannot tell apart, such as the members of an ensemble; not the noise of customers,
        which ``spread`` holds. 0 where the process is the truth.
        """
        ...

    def sample(self, state: Any, price: Tensor, key: NoiseKey) -> Tensor:
        """Demand (B, S, I) at ``price``: non-decreasing in the mean for fixed noise."""
        ...

    def advance(self, state: Any, period: Period, key: NoiseKey) -> Any:
        """State of the next period, given what this one brought."""
        ...

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> DemandProcess:
        """The sub-market of some locations and items, in the process' own order; all of them where None.

        Its series keep their customers' noise; what is left out stays at its reference prices.

        Raises:
            InputError: a name is not there.
        """
        ...

    def to(self, device: torch.device | str) -> DemandProcess:
        """The same process on another device."""
        ...
