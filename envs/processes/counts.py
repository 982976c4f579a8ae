"""Families of count distributions with one parameter, the mean.

Whatever the family, a higher mean never gives less for the same noise. Most come from one uniform each by the
inverse of the distribution function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from ...forecasters.errors import InputError
from ...forecasters.statistics import nb_sample, poisson_quantile
from ...forecasters.tensors import NoiseKey

_LEAST = 1e-6  # mean below which a spread is not followed


class Counts(Protocol):
    """A family of count distributions with one parameter, the mean."""

    def sample(self, mean: Tensor, key: NoiseKey, ids: Tensor) -> Tensor:
        """Counts (B, *ids.shape) around ``mean``, which broadcasts; ``ids`` say whose noise it is."""
        ...

    def spread(self, mean: Tensor) -> Tensor:
        """Standard deviation divided by the mean."""
        ...

    def probabilities(self, mean: Tensor, counts: int) -> Tensor:
        """(…, counts) float64 P(D = k) of k = 0 … ``counts`` - 1 at each ``mean`` (…)."""
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

    def probabilities(self, mean: Tensor, counts: int) -> Tensor:
        k, mean = _columns(mean, counts)
        return (torch.xlogy(k, mean) - mean - torch.lgamma(k + 1)).exp()


class Geometric(ByInverse):
    """On 0, 1, 2, …: P(D >= k) = (m / (1 + m))^k with mean m, variance m + m²."""

    def quantile(self, uniform: Tensor, mean: Tensor) -> Tensor:
        return (torch.log1p(-uniform) / -torch.log1p(1 / mean)).floor()

    def spread(self, mean: Tensor) -> Tensor:
        return (1 + 1 / mean.clamp(min=_LEAST)).sqrt()

    def probabilities(self, mean: Tensor, counts: int) -> Tensor:
        k, mean = _columns(mean, counts)
        return (mean / (1 + mean)) ** k / (1 + mean)


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

    def probabilities(self, mean: Tensor, counts: int) -> Tensor:
        k, mean = _columns(mean, counts + 1)
        scale = _between_knots(self._log_scale.double().cpu(), mean).exp()
        return -((-((k / scale) ** self.shape)).exp().diff(dim=-1))

    def to(self, device: torch.device | str) -> DiscreteWeibull:
        moved = copy(self)
        moved._log_scale, moved._log_spread = self._log_scale.to(device), self._log_spread.to(device)
        return moved


@dataclass(frozen=True)
class NegativeBinomial:
    """Variance m + m²/r, r the dispersion: a Gamma–Poisson mixture, from two random numbers a count.

    Geometric where r is 1; the larger r, the nearer to Poisson.
    """

    dispersion: float | Tensor  # of all series, or (S, I) of each

    def __post_init__(self) -> None:
        if not bool((torch.as_tensor(self.dispersion) > 0).all()):
            raise InputError(f"negative binomial: expected a dispersion above 0, found {self.dispersion}")

    def sample(self, mean: Tensor, key: NoiseKey, ids: Tensor) -> Tensor:
        log_r = torch.as_tensor(self.dispersion, dtype=mean.dtype, device=mean.device).log()
        return nb_sample(key.normal(ids, 1), key.uniform(ids, 0), mean.log(), log_r.expand_as(mean))

    def spread(self, mean: Tensor) -> Tensor:
        return (1 / mean.clamp(min=_LEAST) + 1 / self.dispersion).sqrt()

    def probabilities(self, mean: Tensor, counts: int) -> Tensor:
        k, mean = _columns(mean, counts)
        r = torch.as_tensor(self.dispersion, dtype=torch.float64).unsqueeze(-1)
        ways = torch.lgamma(k + r) - torch.lgamma(r) - torch.lgamma(k + 1)
        return (ways + r * (r / (r + mean)).log() + torch.xlogy(k, mean / (r + mean))).exp()

    def to(self, device: torch.device | str) -> NegativeBinomial:
        r = self.dispersion
        return self if isinstance(r, float) else NegativeBinomial(torch.as_tensor(r).to(device))


FAMILIES: dict[str, type] = {
    "poisson": Poisson,
    "geometric": Geometric,
    "discrete-weibull": DiscreteWeibull,
    "negative-binomial": NegativeBinomial,
}
"""Families by the name that files and problems give them."""

_PARAMETERS = {DiscreteWeibull: ("shape",), NegativeBinomial: ("dispersion",)}


def to_spec(counts: Counts) -> dict[str, str | float]:
    """A family and its parameters, as plain values.

    Raises:
        InputError: it is none of ``FAMILIES``.
    """
    for name, family in FAMILIES.items():
        if type(counts) is family:
            return {"family": name, **{p: getattr(counts, p) for p in _PARAMETERS.get(family, ())}}
    raise InputError(f"counts: expected one of {', '.join(FAMILIES)}, found {type(counts).__name__}")


def from_spec(spec: Mapping[str, str | float]) -> Counts:
    """The family that ``to_spec`` told of."""
    parameters = {name: value for name, value in spec.items() if name != "family"}
    return FAMILIES[str(spec["family"])](**parameters)


def _columns(mean: Tensor, counts: int) -> tuple[Tensor, Tensor]:
    """0 … ``counts`` - 1, and means (…, 1) that broadcast against them, in float64 on the CPU."""
    return torch.arange(counts, dtype=torch.float64), mean.double().cpu().unsqueeze(-1)


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
