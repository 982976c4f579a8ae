"""Independent demand: every period the same distribution, its mean moved by prices at constant elasticities.

Whatever the family, a higher mean never gives less for the same noise. Most come from one uniform each by the
inverse of the distribution function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.simulation import Outlook, Period
from ...forecasters.statistics import nb_sample, poisson_quantile
from ...forecasters.tensors import Cut, NoiseKey, series_ids

_LEAST = 1e-6  # mean below which a spread is not followed


class Counts(Protocol):
    """A family of count distributions with one parameter, the mean."""

    def sample(self, mean: Tensor, key: NoiseKey, ids: Tensor) -> Tensor:
        """Counts (B, *ids.shape) around ``mean``, which broadcasts; ``ids`` say whose noise it is."""
        ...

    def spread(self, mean: Tensor) -> Tensor:
        """Standard deviation divided by the mean."""
        ...

    def to(self, device: torch.device | str) -> Counts:
        """The same family on another device."""
        ...


class ByInverse:
    """Counts from one uniform each by the inverse of their distribution function."""

    def quantile(self, uniform: Tensor, mean: Tensor) -> Tensor:
        """Smallest count whose distribution function reaches ``uniform``; broadcasts."""
        raise NotImplementedError

    def sample(self, mean: Tensor, key: NoiseKey, ids: Tensor) -> Tensor:
        return self.quantile(key.uniform(ids, 0), mean)

    def to(self, device: torch.device | str) -> Counts:
        return self  # type: ignore[return-value]


class Poisson(ByInverse):
    """Variance equal to the mean."""

    def quantile(self, uniform: Tensor, mean: Tensor) -> Tensor:
        return poisson_quantile(uniform, mean)

    def spread(self, mean: Tensor) -> Tensor:
        return mean.clamp(min=_LEAST).rsqrt()


class Geometric(ByInverse):
    """On 0, 1, 2, …: P(D >= k) = (m / (1 + m))^k with mean m, variance m + m²."""

    def quantile(self, uniform: Tensor, mean: Tensor) -> Tensor:
        return (torch.log1p(-uniform) / -torch.log1p(1 / mean)).floor()

    def spread(self, mean: Tensor) -> Tensor:
        return (1 + 1 / mean.clamp(min=_LEAST)).sqrt()


class DiscreteWeibull(ByInverse):
    """On 0, 1, 2, …: P(D >= k) = q^(k^β) (Nakagawa and Osaki 1975, IEEE Trans. Reliability 24(5), eq. 1).

    With scale s = (-ln q)^(-1/β) and a standard exponential E, D = floor(s·E^(1/β)): a Weibull lifetime in
    whole periods. β = 1 is ``Geometric``, β < 1 has more zeros and a longer tail, β > 1 is more regular. The
    mean Σ_{k >= 1} q^(k^β) has no inverse in closed form; s comes from a table, linear between its knots in
    logs, exact there, and off by less than 1e-4 of the mean between them.

    Args:
        shape: β, 0.2 … 4.

    Raises:
        InputError: a shape outside that range.
    """

    def __init__(self, shape: float) -> None:
        if not 0.2 <= shape <= 4:
            raise InputError(f"discrete Weibull: expected a shape of 0.2 to 4, found {shape}")
        self.shape = shape
        self._log_scale, self._log_spread = _weibull_tables(shape)

    def quantile(self, uniform: Tensor, mean: Tensor) -> Tensor:
        log_lifetime = (-torch.log1p(-uniform)).log() / self.shape
        return (_between_knots(self._log_scale, mean) + log_lifetime).exp().floor()

    def spread(self, mean: Tensor) -> Tensor:
        return _between_knots(self._log_spread, mean.clamp(min=_LEAST)).exp()

    def to(self, device: torch.device | str) -> DiscreteWeibull:
        moved = copy(self)
        moved._log_scale, moved._log_spread = self._log_scale.to(device), self._log_spread.to(device)
        return moved


@dataclass(frozen=True)
class NegativeBinomial:
    """Variance m + m²/r, r the dispersion: a Gamma–Poisson mixture, from two random numbers a count."""

    dispersion: float

    def __post_init__(self) -> None:
        if not self.dispersion > 0:
            raise InputError(f"negative binomial: expected a dispersion above 0, found {self.dispersion}")

    def sample(self, mean: Tensor, key: NoiseKey, ids: Tensor) -> Tensor:
        log_r = mean.new_full((), math.log(self.dispersion))
        return nb_sample(key.normal(ids, 1), key.uniform(ids, 0), mean.log(), log_r)

    def spread(self, mean: Tensor) -> Tensor:
        return (1 / mean.clamp(min=_LEAST) + 1 / self.dispersion).sqrt()

    def to(self, device: torch.device | str) -> NegativeBinomial:
        return self


@dataclass(frozen=True)
class IndependentState:
    """Nothing to remember but how many markets there are."""

    start: Tensor  # (B,) int64


class Independent:
    """Independent periods: mean(p) = base · Π_j (p_j / reference_j)^E[i, j] over the items j of the location.

    Args:
        counts: the distribution around the mean, such as ``Poisson()`` or ``Geometric()``.
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
        return self.counts.sample(self.expected(state, price), key, self._ids)

    def advance(self, state: IndependentState, period: Period, key: NoiseKey) -> IndependentState:
        return state

    def select(
        self, locations: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> Independent:
        cut = Cut.of(self.locations, self.items, locations, items, self.base.device)
        places, goods = cut.names(self.locations, self.items)
        return Independent(
            self.counts,
            cut.tensor(self.base, "SI"),
            reference_price=None if self.reference_price is None else cut.tensor(self.reference_price, "SI"),
            elasticity=None if self.elasticity is None else cut.tensor(self.elasticity, "II"),
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
            locations=self.locations,
            items=self.items,
            periods=self.periods,
        )


_LOG_MEAN = (-17.0, 14.0, 2049)  # 4e-8, less than the uniforms can tell from 0, to 1.2 million
_TERMS = 256  # of the sums over counts; beyond them integrals


@lru_cache(maxsize=16)
def _weibull_tables(shape: float) -> tuple[Tensor, Tensor]:
    """Log scale and log spread at the knots of log mean: (K - 1, 2) each, value and step to the next."""
    target = torch.linspace(*_LOG_MEAN, dtype=torch.float64)
    low = torch.full_like(target, -math.log(18.0) / shape)  # P(D >= 1) = exp(-18) is below the least mean
    high = torch.full_like(target, 16.0 + 1 / shape)
    for _ in range(48):
        middle = (low + high) / 2
        below = _weibull_sum(middle, shape, 1).log() < target
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    scale = (low + high) / 2
    mean, twice = (_weibull_sum(scale, shape, power) for power in (1, 2))
    spread = ((twice - mean) / mean.square() - 1).log() / 2  # E[D²] = Σ (2k - 1)·P(D >= k)
    by_scale, by_spread = (torch.stack([x[:-1], x.diff()], dim=-1).float() for x in (scale, spread))
    return by_scale, by_spread


def _between_knots(table: Tensor, mean: Tensor) -> Tensor:
    """A table of ``_weibull_tables`` at ``mean``; beyond it the last step goes on."""
    low, high, knots = _LOG_MEAN
    place = (mean.log() - low) * ((knots - 1) / (high - low))
    knot = place.clamp(0, knots - 2).long()
    value, step = table[knot].unbind(-1)
    return value + step * (place - knot)


def _weibull_sum(log_scale: Tensor, shape: float, power: int) -> Tensor:
    """Σ power·k^(power - 1)·P(D >= k) over k >= 1, at log scales (N,): E[D] where power is 1."""
    k = torch.arange(1, _TERMS + 1, dtype=torch.float64)
    rate = (-shape * log_scale).exp()  # -ln q
    survival = (-(k**shape) * rate.unsqueeze(-1)).clamp(min=-600).exp()
    order = torch.full_like(rate, power / shape)
    whole = (power * log_scale).exp() * math.gamma(1 + power / shape)  # the integral from 0
    beyond = torch.special.gammaincc(order, (_TERMS + 0.5) ** shape * rate)  # and its part after the terms
    return (survival * power * k ** (power - 1)).sum(-1) + whole * beyond
