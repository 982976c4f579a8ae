"""Prices as a shop writes them: to the decimals of its own table."""

from __future__ import annotations

from functools import reduce

import numpy as np
import torch
from torch import Tensor

from ..envs.engine.rules import bounds
from ..envs.market import Market
from ..forecasters.panel.sales_panel import SalesPanel
from .reasons import SAME

_MOST = 4  # decimals that a price is written with
_NEARLY = 0.99  # share of prices that show the decimals: averages of a week may have more
_COARSEST = 0.01  # of a typical price, by which the last decimal may move it
_SAME = 1e-3  # of the last decimal: single precision
_DRAWN = (0.0, 0.005, 0.01, 0.02, 0.05)  # share of what a list departs from the usual prices


def decimals_of(panel: SalesPanel) -> int:
    """Decimals that the prices of a table are written with, enough to move one by a percent."""
    price = panel.price[np.isfinite(panel.price)].astype(np.float64)
    finest = np.median(price) * _COARSEST
    for decimals in range(_MOST):
        steps = price * 10**decimals
        written = np.abs(steps - steps.round()) <= np.maximum(_SAME, 1e-6 * steps)
        if 10.0**-decimals <= finest and written.mean() >= _NEARLY:
            return decimals
    return _MOST


def rounded(price: Tensor, last: Tensor, market: Market, decimals: int) -> Tensor:
    """(S, I) the nearest prices of so many decimals that keep the price rules and the support.

    Where the nearest list of a category would leave it, the list is drawn a little towards the usual prices
    first. Prices stay as they are where that does not help either, and where the rules have their own ending.

    Args:
        price: (S, I) that keep the rules.
        last: (S, I) prices of the period before.
        market: whose rules and support.
        decimals: that a price may have.
    """
    if market.economics.price_rules.ending is not None:
        return price
    supported, groups, categories = market.supported, market.by_group, market.by_category
    usual, terms = groups.spread(supported.centre, -2).exp(), market.terms
    below, above = bounds(last, market)
    least = reduce(torch.maximum, below.values(), groups.spread(groups.largest(terms.price_low, -2), -2))
    most = reduce(torch.minimum, above.values(), groups.spread(groups.smallest(terms.price_high, -2), -2))
    least, most = torch.minimum(least, price), torch.maximum(most, price)
    outside, out, done = supported.distance(price), price, torch.zeros_like(price, dtype=torch.bool)
    for drawn in _DRAWN:
        trial = _written(usual * (price / usual) ** (1 - drawn), usual, least, most, decimals)
        further = (supported.distance(trial) > outside).to(price.dtype)
        further = groups.spread(groups.largest(further, -2), -2)
        fits = categories.spread(categories.largest(further, -1), -1) == 0
        out = torch.where(fits & ~done, trial, out)
        done |= fits
    return out


def _written(price: Tensor, usual: Tensor, least: Tensor, most: Tensor, decimals: int) -> Tensor:
    """The nearest price of so many decimals within the ends, else the next one towards the usual one."""
    steps, written = price.double() * 10**decimals, price
    for way in (torch.where(price > usual, steps.floor(), steps.ceil()), steps.round()):
        trial = (way / 10**decimals).to(price.dtype)
        keeps = (trial >= least * (1 - SAME)) & (trial <= most * (1 + SAME)) & (trial > 0)
        written = torch.where(keeps, trial, written)
    return written
