"""What sales say of demand where stock ran out for a part of the period, or for all of it.

A share of the period that the shelf was not empty is exposure: customers who come at random, at a rate that is
the same all period, buy as in a period that is shorter by the share. A negative binomial count thinned by a
share s is negative binomial with mean s·μ and the same dispersion, and the time at which the shelf ran empty
says no more of the rate than how many were sold until then, so that the likelihood of such a row is that of
its sales with log μ + log s (the stopping rule does not matter: Berger and Wolpert 1988, section 4.2).

Where the share is not told (a flag of 1) or there was none, sales are a lower bound of the whole period's
demand. Where less than ``SHORTEST`` was left, an hour's rounding would decide: then sales are a lower bound of
what was wanted in a tenth of the period.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SHORTEST = 0.1  # share of a period open, below which it is only known to be below
_WHOLE = 1 - 1e-6  # out of stock throughout, beyond rounding


@dataclass(frozen=True)
class StockOuts:
    """How rows (T, S, I) were seen."""

    exposure: Tensor  # (T, S, I) share of the period that sales speak of, above 0; 1 where stock never ran out
    bound: Tensor  # (T, S, I) bool: sales are a lower bound of the demand in that share, not all of it
    never: bool  # stock never ran out: all rows are whole

    @staticmethod
    def of(censored: Tensor) -> StockOuts:
        """From the share of the period out of stock (T, S, I)."""
        exposure = torch.where(censored >= _WHOLE, 1.0, (1 - censored).clamp(min=SHORTEST))
        return StockOuts(exposure, censored > 1 - SHORTEST, not bool((censored > 0).any()))
