"""Prices that a test may charge a unit, and what each is expected to cost."""

from __future__ import annotations

from functools import reduce
from math import log1p
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...envs.engine.rules import bounds, limits
from ...forecasters.experiments import Pairs, cheapest_pairs
from ..price_tags import decimals_of
from ..runtime import fitted_panel

if TYPE_CHECKING:
    from ..standing import Customers
    from .design import Shop

_WAY = np.array([-1, -0.75, -0.5, -0.375, -0.25, -0.125, 0, 0.125, 0.25, 0.375, 0.5, 0.75, 1])
"""Prices that are tried, as shares of the way to the lower and to the upper end."""
_WIDTHS = tuple(2 ** (k / 2 - 4) for k in range(8))  # least widths of a pair, as shares of the whole range


def pairs_of(shop: Shop, allowed: np.ndarray) -> Pairs:
    """The cheapest pair of prices of at least each width, arrays (L, G, I).

    Args:
        shop: the market and its units.
        allowed: (S, I) bool, series that may be tested.
    """
    low, high = _ends(shop)
    usual, rules = shop.usual, shop.market.economics.price_rules
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, way = np.clip(usual, low, high), _WAY[:, None, None]
        away = np.abs(way) * np.where(way < 0, np.log(low / centre), np.log(high / centre))
        price = _tagged(centre * np.exp(away), low, high, *_ladder(shop))
    age = shop.by_unit.smallest(shop.state.since_change[0], -2).cpu().numpy()
    free = (age >= rules.cadence) & (low < high) & np.isfinite(price).all(0)
    price, low, high = (np.where(free, x, usual) for x in (price, low, high))
    most = np.inf if rules.largest_change is None else log1p(rules.largest_change)
    targets = np.array(_WIDTHS)[:, None, None] * np.minimum(np.log(high / low), most)
    return cheapest_pairs(price, _lost(shop, price, allowed), targets, most)


def _ends(shop: Shop) -> tuple[np.ndarray, np.ndarray]:
    """(G, I) lowest and highest price that a unit may charge in the first period of the test."""
    market = shop.market
    least, most = limits(market)
    below, above = bounds(shop.state.last_price[0], market)
    floor = reduce(torch.maximum, below.values(), torch.maximum(least, market.terms.price_low))
    ceiling = reduce(torch.minimum, above.values(), torch.minimum(most, market.terms.price_high))
    ends = shop.by_unit.largest(floor, -2), shop.by_unit.smallest(ceiling, -2)
    return ends[0].double().cpu().numpy(), ends[1].double().cpu().numpy()


def _ladder(shop: Shop) -> tuple[float, float]:
    """How far prices are apart, and what they end in."""
    ending = shop.market.economics.price_rules.ending
    return (10.0 ** -decimals_of(fitted_panel(shop.market)), 0.0) if ending is None else (1.0, ending)


def _tagged(price: np.ndarray, low: np.ndarray, high: np.ndarray, step: float, ending: float) -> np.ndarray:
    """The nearest prices that a shop writes within the ends; the usual ones where there is none."""
    rungs = np.round((price - ending) / step)
    rungs = rungs + (rungs * step + ending < low - 1e-9) - (rungs * step + ending > high + 1e-9)
    written = np.round(rungs * step + ending, 6)
    return np.where((written >= low - 1e-9) & (written <= high + 1e-9) & (written > 0), written, price)


def _lost(shop: Shop, price: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """(C, M, G, I) profit that a unit forgoes in the whole test if an item has its price (M, G, I) in it.

    Before each kind of customers that the data leave possible; the item alone moves, and what the unit's
    other items win by it counts.
    """
    return np.stack([_lost_before(customers, shop, price, allowed) for customers in shop.customers])


def _lost_before(customers: Customers, shop: Shop, price: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    reference = shop.reference
    base = shop.profit(customers, reference.unsqueeze(0))[0]
    tried = torch.from_numpy(allowed).to(reference.device)
    each = torch.arange(price.shape[2], device=reference.device)
    out = []
    for some in price:
        moved = torch.where(tried, torch.from_numpy(shop.series(some)).to(reference), reference)
        lists: Tensor = reference.repeat(len(each), 1, 1)
        lists[each, :, each] = moved.T
        lost = (base - shop.profit(customers, lists)).T
        out.append(shop.by_unit.total(lost, -2).double().cpu().numpy())
    return np.stack(out)
