"""Waste by chance: each unit left at the end of a period spoils with the same probability."""

from __future__ import annotations

import torch
from torch import Tensor

_EXACT = 256  # units up to which the quantile is exact


class Spoilage:
    """How many of n units spoil, each with probability w on its own: the binomial quantile of a uniform.

    Exact up to 256 units. What more units add is that of the normal quantile with the term of the skewness
    (Cornish and Fisher 1938), n·w + z·√(n·w·(1 - w)) + (z² - 1)·(1 - 2w)/6, to the nearest unit. For fixed
    noise more units never give less waste, and never fewer that keep. Of fractional stock (weighed goods) the
    waste lies between that of its whole neighbours, so that its mean is n·w as well.
    """

    def __init__(self, rate: float, device: torch.device) -> None:
        self.rate = rate
        self._sums = _sums(rate).to(device)

    def __call__(self, units: Tensor, uniform: Tensor) -> Tensor:
        """Units that spoil, of ``units`` >= 0, at ``uniform`` in (0, 1) of the same shape."""
        whole = units.detach().floor()
        fewer, more = self._quantile(whole, uniform), self._quantile(whole + 1, uniform)
        return fewer + (units - whole) * (more - fewer)

    def _quantile(self, count: Tensor, uniform: Tensor) -> Tensor:
        """Smallest k with P(K <= k) >= ``uniform``, K being how many spoil of ``count`` whole units."""
        n, u = count.double(), uniform.double()
        row = n.clamp(max=_EXACT)
        exact = torch.searchsorted(self._sums, row + u) - row * (_EXACT + 1)
        return (exact + self._further(n, u)).to(count.dtype)

    def _further(self, n: Tensor, uniform: Tensor) -> Tensor:
        """What the units beyond the table add."""
        z, variance = torch.special.ndtri(uniform), self.rate * (1 - self.rate)
        skewed = (z.square() - 1) * ((1 - 2 * self.rate) / 6)

        def about(n: Tensor) -> Tensor:
            return (n * self.rate + z * (n * variance).sqrt() + skewed).round()

        beyond = (n - _EXACT).clamp(min=0)
        more = about(beyond + _EXACT) - about(torch.full_like(n, _EXACT))
        return torch.minimum(more.clamp(min=0), beyond)  # monotone far out in the tails, too


def _sums(rate: float) -> Tensor:
    """n + P(K <= k) for n = 0 … 256 units, one distribution function after the other: a sorted list."""
    counts = torch.arange(_EXACT + 1, dtype=torch.float64)
    n, k = counts.unsqueeze(1), counts
    rest = (n - k).clamp(min=0)
    ways = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(rest + 1)
    share = torch.tensor(rate, dtype=torch.float64)
    log_chance = ways + torch.special.xlogy(k, share) + torch.special.xlogy(rest, 1 - share)
    sums = log_chance.exp().where(k <= n, 0.0).cumsum(1).clamp(max=1.0).where(k < n, 1.0)
    return (n + sums).flatten()
