"""What sales say of demand where stock ran out for a part of the period, or for all of it.

The share of the period in which the shelf was not empty is exposure: customers who come at random, at a rate
that is the same all period, buy as in a period that is shorter by the share. A negative binomial count
thinned by a share s is negative binomial with mean s·μ and the same dispersion, and the time at which the
shelf ran empty says no more of the rate than how many were sold until then, so that the likelihood of such a
row is that of its sales with log μ + log s (the stopping rule does not matter: Berger and Wolpert 1988,
section 4.2).

Where the share is not told (a flag of 1) or there was none, sales are a lower bound of the whole period's
demand. Where less than ``SHORTEST`` was left, an hour's rounding would decide: then sales are a lower bound
of what was wanted in a tenth of the period.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .distributions import nb_mean_above

SHORTEST = 0.1  # share of a period open, below which it is only known to be below
_WHOLE = 1 - 1e-6  # out of stock throughout, beyond rounding


@dataclass(frozen=True)
class StockOuts:
    """How rows (T, S, I) were seen."""

    exposure: (
        Tensor  # (T, S, I) share of the period that sales speak of, above 0; 1 where stock never ran out
    )
    bound: Tensor  # (T, S, I) bool: sales are a lower bound of the demand in that share, not all of it
    never: bool  # stock never ran out: all rows are whole

    @staticmethod
    def of(censored: Tensor) -> StockOuts:
        """From the share of the period out of stock (T, S, I)."""
        exposure = torch.where(censored >= _WHOLE, 1.0, (1 - censored).clamp(min=SHORTEST))
        return StockOuts(exposure, censored > 1 - SHORTEST, not bool((censored > 0).any()))

    @property
    def whole(self) -> Tensor:
        """(T, S, I) bool: sales are all that was wanted in the period."""
        return (self.exposure == 1) & ~self.bound

    def since(self, begin: int) -> StockOuts:
        """Those of the periods from ``begin`` on."""
        return StockOuts(self.exposure[begin:], self.bound[begin:], self.never)


def unseen(sold: Tensor, mean: Tensor, r: Tensor, exposure: Tensor) -> Tensor:
    """Expected count of those who came while the shelf was empty, after ``sold`` while it was not.

    Posterior mean of a Gamma-Poisson count with mean μ and dispersion r: (1 − s)·μ·(r + n)/(r + s·μ).
    """
    return (1 - exposure) * mean * (r + sold) / (r + exposure * mean)


def expected_demand(count: Tensor, mean: Tensor, log_r: Tensor, seen: StockOuts) -> Tensor:
    """Expected whole demand given the sales, in counts; the sales where stock never ran out.

    Args:
        count, mean, log_r: (T, S, I) counts sold, expected demand of a whole period, log dispersion.
        seen: how the rows were seen.
    """
    sold = count
    if bool(seen.bound.any()):
        above = nb_mean_above(count, (seen.exposure * mean).log(), log_r)
        sold = torch.where(seen.bound, above, count)
    return sold + unseen(sold, mean, log_r.exp(), seen.exposure)
