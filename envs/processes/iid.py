"""Independent demand: every period a distribution around a mean that prices and the calendar move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.simulation import Outlook, Period
from ...forecasters.tensors import Cut, NoiseKey, series_ids
from .counts import Counts

Curve = Callable[[Tensor, Tensor], Tensor]
"""How means answer to prices: what they are multiplied with, (…, S, I), at prices (…, S, I) relative to the
reference prices, where their elasticities are (I, I): ∂log demand(i) / ∂log price(j) at [i, j]."""


def constant_elasticity(relative: Tensor, elasticity: Tensor) -> Tensor:
    """Π_j r_j^E[i, j]: the elasticities are the same at every price."""
    return (relative.log() @ elasticity.T).exp()


def exponential(relative: Tensor, elasticity: Tensor) -> Tensor:
    """exp(Σ_j E[i, j] (r_j - 1)): elasticities in proportion to price, as on the curve a·exp(-p) of Gallego
    and van Ryzin 1994 (Management Science 40(8), section 2.3)."""
    return ((relative - 1) @ elasticity.T).exp()


def linear(relative: Tensor, elasticity: Tensor) -> Tensor:
    """(1 + Σ_j E[i, j] (r_j - 1))+."""
    return (1 + (relative - 1) @ elasticity.T).clamp(min=0)


CURVES: dict[str, Curve] = {
    "constant-elasticity": constant_elasticity,
    "exponential": exponential,
    "linear": linear,
}
"""Curves by the name that files give them."""


@dataclass(frozen=True)
class IndependentState:
    """Nothing to remember but the date."""

    index: Tensor  # (B,) int64 calendar index of the coming period


class Independent:
    """Independent periods: the mean in period t is base[t] times what ``curve`` makes of prices.

    Args:
        counts: the distribution around the mean, such as ``Poisson()`` or ``Geometric()``.
        base: (S, I) mean units a period at reference prices; (T, S, I) where they change, period by period
            and after the last from the first again.
        reference_price: (S, I); needed where demand answers to price.
        elasticity: (I, I) ∂log demand(i) / ∂log price(j) at reference prices, own on the diagonal; 0 where
            None.
        curve: how demand answers to other prices.
        locations, items: names; numbered where None.
        periods: calendar indices that an episode may start in, less one.

    Raises:
        InputError: an elasticity without reference prices, or means of another shape.
    """

    def __init__(
        self,
        counts: Counts,
        base: Tensor,
        *,
        reference_price: Tensor | None = None,
        elasticity: Tensor | None = None,
        curve: Curve = constant_elasticity,
        locations: Sequence[str] | None = None,
        items: Sequence[str] | None = None,
        periods: int = 1,
    ) -> None:
        if elasticity is not None and reference_price is None:
            raise InputError("independent demand: expected reference prices beside elasticities, found none")
        if base.dim() not in (2, 3):
            raise InputError(
                f"independent demand: expected means (S, I) or (T, S, I), found {tuple(base.shape)}"
            )
        places, goods = base.shape[-2:]
        self.counts, self.base, self.curve, self.periods = counts, base, curve, periods
        self.reference_price, self.elasticity = reference_price, elasticity
        self.locations = tuple(locations) if locations else tuple(f"location {k + 1}" for k in range(places))
        self.items = tuple(items) if items else tuple(f"item {k + 1}" for k in range(goods))
        self._ids = series_ids(self.locations, self.items).to(base.device)

    @property
    def calendar(self) -> bool:
        return self.base.dim() == 3

    def reset(self, start: Tensor, key: NoiseKey) -> IndependentState:
        return IndependentState(start)

    def usual(self, state: IndependentState) -> Tensor:
        """(B, S, I) mean of the coming period at reference prices."""
        if self.base.dim() == 2:
            return self.base.expand(len(state.index), *self.base.shape)
        return self.base[state.index % len(self.base)]

    def outlook(self, state: IndependentState) -> Outlook:
        mean = self.usual(state)
        own = torch.zeros_like(mean[0]) if self.elasticity is None else self.elasticity.diagonal()
        return Outlook(mean=mean, spread=self.counts.spread(mean), elasticity=own.expand_as(mean))

    def expected(self, state: IndependentState, price: Tensor) -> Tensor:
        return self.later(state, price, 1)

    def later(self, state: IndependentState, price: Tensor, periods: int) -> Tensor:
        if self.base.dim() == 2:
            mean = periods * self.base
        else:
            dates = state.index.unsqueeze(1) + torch.arange(periods, device=state.index.device)
            mean = self.base[dates % len(self.base)].sum(1)
        if self.elasticity is None or self.reference_price is None:
            return mean.expand_as(price)
        return mean * self.curve(price / self.reference_price, self.elasticity)

    def disagreement(self, state: IndependentState, price: Tensor) -> Tensor:
        return torch.zeros_like(price)

    def sample(self, state: IndependentState, price: Tensor, key: NoiseKey) -> Tensor:
        return self.counts.sample(self.expected(state, price), key, self._ids)

    def advance(self, state: IndependentState, period: Period, key: NoiseKey) -> IndependentState:
        return IndependentState(state.index + 1)

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> Independent:
        cut = Cut.of(self.locations, self.items, locations, items, self.base.device)
        places, goods = cut.names(self.locations, self.items)
        return Independent(
            self.counts,
            cut.tensor(self.base, "TSI"[-self.base.dim() :]),
            reference_price=None if self.reference_price is None else cut.tensor(self.reference_price, "SI"),
            elasticity=None if self.elasticity is None else cut.tensor(self.elasticity, "II"),
            curve=self.curve,
            locations=places,
            items=goods,
            periods=self.periods,
        )

    def to(self, device: torch.device | str) -> Independent:
        return Independent(
            self.counts.to(device),
            self.base.to(device),
            reference_price=None if self.reference_price is None else self.reference_price.to(device),
            elasticity=None if self.elasticity is None else self.elasticity.to(device),
            curve=self.curve,
            locations=self.locations,
            items=self.items,
            periods=self.periods,
        )
