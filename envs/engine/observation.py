"""What a learner sees: one row of scale-free numbers a decision unit, bounded to [-10, 10].

Units of stock are read in periods of expected demand (cover), money in multiples of the reference price, so
that one policy serves a slow and a fast item, a euro and a yen. A group's locations are added up (covers) or
averaged with their expected demand as weights (prices and rates).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..market import Market
from .view import View

FEATURES = (
    "stock_cover",  # log(1 + on hand / expected demand)
    "position_cover",  # log(1 + inventory position / expected demand), 0 where more is owed than held
    "arrival_cover",  # log(1 + units arriving next period / expected demand)
    "backorder_cover",  # log(1 + units owed / expected demand)
    "last_price",  # log(last price / reference price)
    "last_sales",  # log(1 + last sales / expected demand)
    "outlook",  # log(expected demand / typical demand), both at reference price
    "spread",  # log(1 + standard deviation of demand / its mean)
    "elasticity",  # own elasticity of demand near the reference price
    "cost",  # log(unit cost / reference price)
    "price_low",  # log(lower end of the supported range / reference price)
    "price_high",  # log(upper end of the supported range / reference price)
    "others_price",  # mean last_price of the category's other items in the group, by expected demand
    "season_sin",  # sine of the day of the year
    "season_cos",  # cosine of the day of the year
    "since_change",  # log(1 + periods since the price changed)
    "price_free",  # 1 where the cadence lets the price change, else 0
)
BOUND = 10.0


def observe(view: View) -> Tensor:
    """(B, U, F) float32, F as in ``FEATURES``, unit = group * I + item."""
    market, state, outlook = view.market, view.state, view.outlook
    terms, groups = market.terms, market.by_group
    mean = torch.maximum(outlook.mean, 1e-3 * terms.typical_demand).clamp(min=1e-6)
    total = groups.total(mean, -2)  # (B, G, I)

    def cover(units: Tensor) -> Tensor:
        return torch.log1p(groups.total(units, -2).clamp(min=0) / total)

    def average(rate: Tensor) -> Tensor:
        return groups.total(rate * mean, -2) / total

    typical = groups.total(terms.typical_demand.expand_as(mean), -2)
    next_in = state.pipeline[:, 0] if market.economics.lead_time else torch.zeros_like(mean)
    last_price = average((state.last_price / terms.reference_price).log())
    free = (state.since_change >= market.economics.price_rules.cadence).to(mean.dtype)
    season = _season(market, state.start + state.age).view(-1, 1, 1)
    features = [
        cover(state.on_hand),
        cover(view.position()),
        cover(next_in),
        cover(state.backorders),
        last_price,
        cover(state.last_sales),
        (total / typical.clamp(min=1e-6)).log(),
        torch.log1p(average(outlook.spread)),
        average(outlook.elasticity),
        average((terms.unit_cost / terms.reference_price).log()),
        average((terms.price_low / terms.reference_price).log()),
        average((terms.price_high / terms.reference_price).log()),
        _of_others(last_price, total, market),
        season.sin().expand_as(total),
        season.cos().expand_as(total),
        torch.log1p(average(state.since_change.to(mean.dtype))),
        groups.smallest(free, -2),
    ]
    return torch.stack(features, dim=-1).flatten(1, 2).clamp(-BOUND, BOUND)


def _of_others(value: Tensor, weight: Tensor, market: Market) -> Tensor:
    """Weighted mean of ``value`` (B, G, I) over the other items of each one's category; 0 where alone."""
    categories = market.by_category
    sums, weights = (categories.spread(categories.total(x, -1), -1) for x in (value * weight, weight))
    rest = weights - weight
    return torch.where(rest > 1e-3 * weight, (sums - value * weight) / rest.clamp(min=1e-6), 0.0)


def _season(market: Market, index: Tensor) -> Tensor:
    """(B,) angle of the year at calendar ``index`` (B,), running on past the end of the history."""
    first, days = market.clock
    return (first + days * index.to(torch.float32)) * (2 * math.pi / 365.2425)
