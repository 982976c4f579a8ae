"""Independent demand: every period the same distribution, its mean moved by prices at constant elasticities.

Counts come from one uniform each by the inverse of the distribution function, so that a higher mean never
gives less for the same luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...forecasters.demand import Outlook, Period
from ...forecasters.distributions import poisson_quantile
from ...forecasters.errors import InputError
from ...forecasters.noise import NoiseKey, series_ids


class Counts(Protocol):
    """A family of count distributions with one parameter, the mean."""

    def quantile(self, uniform: Tensor, mean: Tensor) -> Tensor:
        """Smallest count whose distribution function reaches ``uniform``; broadcasts."""
        ...

    def spread(self, mean: Tensor) -> Tensor:
        """Standard deviation divided by the mean."""
        ...


class Poisson:
    """Variance equal to the mean."""

    def quantile(self, uniform: Tensor, mean: Tensor) -> Tensor:
        return poisson_quantile(uniform, mean)

    def spread(self, mean: Tensor) -> Tensor:
        return mean.clamp(min=1e-6).rsqrt()


class Geometric:
    """On 0, 1, 2, …: P(D >= k) = (m / (1 + m))^k with mean m, variance m + m²."""

    def quantile(self, uniform: Tensor, mean: Tensor) -> Tensor:
        return (torch.log1p(-uniform) / -torch.log1p(1 / mean)).floor()

    def spread(self, mean: Tensor) -> Tensor:
        return (1 + 1 / mean.clamp(min=1e-6)).sqrt()


@dataclass(frozen=True)
class IndependentState:
    """Nothing to remember but how many markets there are."""

    start: Tensor  # (B,) int64


class Independent:
    """Independent periods: mean(p) = base · Π_j (p_j / reference_j)^E[i, j] over the items j of the location.

    Args:
        counts: the distribution around the mean, ``Poisson()`` or ``Geometric()``.
        base: (S, I) mean units a period at reference prices.
        reference_price: (S, I); needed where demand answers to price.
        elasticity: (I, I) ∂log demand(i) / ∂log price(j), own on the diagonal; 0 where None.
        locations, items: names; numbered where None.
        periods: calendar indices that an episode may start in, less one.

    Raises:
        InputError: an elasticity without reference prices.
    """

    def __init__(
        self,
        counts: Counts,
        base: Tensor,
        *,
        reference_price: Tensor | None = None,
        elasticity: Tensor | None = None,
        locations: Sequence[str] | None = None,
        items: Sequence[str] | None = None,
        periods: int = 1,
    ) -> None:
        if elasticity is not None and reference_price is None:
            raise InputError("independent demand: expected reference prices beside elasticities, found none")
        places, goods = base.shape
        self.counts, self.base, self.periods = counts, base, periods
        self.reference_price, self.elasticity = reference_price, elasticity
        self.locations = tuple(locations) if locations else tuple(f"location {k + 1}" for k in range(places))
        self.items = tuple(items) if items else tuple(f"item {k + 1}" for k in range(goods))
        self._ids = series_ids(self.locations, self.items).to(base.device)

    def reset(self, start: Tensor, key: NoiseKey) -> IndependentState:
        return IndependentState(start)

    def outlook(self, state: IndependentState) -> Outlook:
        mean = self.base.expand(len(state.start), *self.base.shape)
        own = torch.zeros_like(self.base) if self.elasticity is None else self.elasticity.diagonal()
        return Outlook(mean=mean, spread=self.counts.spread(mean), elasticity=own.expand_as(mean))

    def expected(self, state: IndependentState, price: Tensor) -> Tensor:
        if self.elasticity is None or self.reference_price is None:
            return self.base.expand_as(price)
        return self.base * ((price / self.reference_price).log() @ self.elasticity.T).exp()

    def disagreement(self, state: IndependentState, price: Tensor) -> Tensor:
        return torch.zeros_like(price)

    def sample(self, state: IndependentState, price: Tensor, key: NoiseKey) -> Tensor:
        return self.counts.quantile(key.uniform(self._ids, 0), self.expected(state, price))

    def advance(self, state: IndependentState, period: Period, key: NoiseKey) -> IndependentState:
        return state

    def to(self, device: torch.device | str) -> Independent:
        return Independent(
            self.counts,
            self.base.to(device),
            reference_price=None if self.reference_price is None else self.reference_price.to(device),
            elasticity=None if self.elasticity is None else self.elasticity.to(device),
            locations=self.locations,
            items=self.items,
            periods=self.periods,
        )
