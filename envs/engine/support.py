"""Which prices were tried: each item's range, and the price lists of a category.

A fit knows what one item's price does inside the range that it was moved in, and what a list of prices does
where lists like it were charged. Of a category two things are told apart, as log distances from the mean of
the history: its index, the mean of its items' by usual units, and its relative prices, what is left of each.
The index has a range; relative prices have an ellipsoid, as far out as the history went (Mahalanobis 1936).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ..market import Market

SUPPORT = (0.025, 0.975)  # quantiles of what was charged that count as tried
_ROUNDING = 1e-5  # log distance by which a price at an end of the range may miss it
_HARDLY = 1e-4  # share of a category's units, below which an item's price says nothing of a list
_FURTHER = 0.01  # share of what a price departs from the usual, that would lead it out of support at an edge
_ALIKE = 0.003  # standard deviation that every relative price has, at least
LIST_AXES = {"centre": "I", "precision": "II", "farthest": "I", "index_low": "I", "index_high": "I"}


@dataclass(frozen=True)
class PriceLists:
    """The lists of prices that were tried, as log multiples of reference prices; all locations together."""

    centre: Tensor  # (I,) mean
    precision: Tensor  # (I, I) of relative prices, 0 between categories
    farthest: Tensor  # (I,) Mahalanobis distance of the category's relative prices, at most
    index_low: Tensor  # (I,) lower end of the category's index, from its mean
    index_high: Tensor  # (I,) upper end

    @staticmethod
    def tried(shift: Tensor, known: Tensor, categories: Tensor, units: Tensor) -> PriceLists:
        """Those of a history.

        Args:
            shift: (T, S, I) log price over reference price.
            known: (T, S, I) bool, what was on sale.
            categories: (I,) int64
            units: (S, I) usual units.
        """
        there = known.double()
        count = there.sum((0, 1))
        shift = torch.where(known, shift, 0.0).double()
        centre = shift.sum((0, 1)) / count.clamp(min=1)
        away = (shift - centre) * there
        goods = len(categories)
        precision = torch.zeros(goods, goods, dtype=torch.float64, device=shift.device)
        farthest, low, high = (torch.zeros_like(centre) for _ in range(3))
        for category in categories.unique():
            here = (categories == category).nonzero()[:, 0]
            listed, weight = there[..., here], units[:, here].double() * there[..., here]
            index = (away[..., here] * weight).sum(-1) / weight.sum(-1).clamp(min=1e-12)
            relative = (away[..., here] - index.unsqueeze(-1)) * listed
            seen = listed.any(-1)
            if not bool(seen.any()):
                continue
            inverse = _precision(relative, listed)
            distance = ((relative @ inverse) * relative).sum(-1).clamp(min=0).sqrt()
            precision[here.unsqueeze(1), here] = inverse
            farthest[here] = distance[seen].quantile(SUPPORT[1])
            low[here], high[here] = (index[seen].quantile(q) for q in SUPPORT)
        return PriceLists(*(x.float() for x in (centre, precision, farthest, low, high)))


def _precision(relative: Tensor, listed: Tensor) -> Tensor:
    """(J, J) inverse covariance of relative prices (T, S, J), drawn to independence where periods are few."""
    periods, _, goods = relative.shape
    flat = relative.flatten(0, 1)
    often = listed.sum((0, 1)).clamp(min=1).rsqrt()
    covariance = (flat.T @ flat) * often * often.unsqueeze(1)
    own = covariance.diag().clamp(min=0) + _ALIKE**2
    trust = periods / (periods + goods)
    return torch.linalg.inv(trust * covariance + (1 - trust) * own.diag() + _ALIKE**2 * torch.eye(goods))


class Supported:
    """The supported prices of a market's decision units: (price group, item), P × I."""

    def __init__(self, market: Market) -> None:
        terms, groups = market.terms, market.by_group
        weight = terms.typical_demand.clamp(min=1e-6)

        def common(price: Tensor) -> Tensor:
            """(P, I) log of the price a group shares: its locations' geometric mean, by typical demand."""
            return groups.total(weight * price.log(), -2) / groups.total(weight, -2)

        self.groups, self.categories = groups, market.by_category
        self.low, self.high = common(terms.price_low), common(terms.price_high)
        self.reference, self.lists = common(terms.reference_price), terms.lists
        units = groups.total(terms.typical_demand, -2)
        self.share = units / self._of_category(units)
        self.sold = self.share > _HARDLY
        self.terms = terms
        usual = self.reference if self.lists is None else self.reference + self.lists.centre
        self.centre = torch.clamp(usual, self.low, self.high)

    def nearest(self, log_price: Tensor) -> Tensor:
        """(…, P, I) supported log prices, for log prices (…, P, I): themselves where they are supported.

        A list outside is drawn to the mean of the history, its index and its relative prices each by as much
        as it needs.
        """
        log_price = torch.clamp(log_price, self.low, self.high)
        if self.lists is None:
            return log_price
        away = log_price - self.centre
        index = self._of_category(self.share * away)
        relative = torch.where(self.sold, away - index, 0.0)
        square = self._of_category((relative @ self.lists.precision) * relative)
        reach = (self.lists.farthest / square.clamp(min=1e-12).sqrt()).clamp(max=1.0)
        tried = torch.clamp(index, self.lists.index_low, self.lists.index_high)
        moved = torch.where(self.sold, tried + reach * relative, away)
        room = torch.where(moved > 0, self.high - self.centre, self.low - self.centre)
        inside = (room / torch.where(moved == 0, 1.0, moved)).where(moved != 0, 1.0).clamp(0.0, 1.0)
        inside = self.categories.spread(self.categories.smallest(inside, -1), -1)
        moved = inside * moved
        return torch.where((moved - away).abs() > _ROUNDING, self.centre + moved, log_price)

    def price(self, price: Tensor) -> Tensor:
        """(…, S, I) the nearest supported prices, common to each group."""
        return self.groups.spread(self.nearest(self.groups.mean(price.log(), -2)).exp(), -2)

    def distance(self, price: Tensor) -> Tensor:
        """(…, S, I) log distance of prices (…, S, I) from what is supported, 0 inside.

        The larger of the series' own from its range, and its group's from supported lists.
        """
        below, above = (self.terms.price_low / price).log(), (price / self.terms.price_high).log()
        distance = torch.maximum(below, above)
        if self.lists is not None:
            common = self.groups.mean(price.log(), -2)
            joint = (common - self.nearest(common)).abs()
            distance = torch.maximum(distance, self.groups.spread(joint, -2))
        return torch.where(distance > _ROUNDING, distance, 0.0)

    def at_edge(self, price: Tensor) -> Tensor:
        """(…, S, I) bool: a little more of what all prices depart from the usual would not be supported."""
        away = price.log() - self.groups.spread(self.centre, -2)
        return self.distance((price.log() + _FURTHER * away).exp()) > 0

    def _of_category(self, x: Tensor) -> Tensor:
        """(…, P, I) the sum over the item's category."""
        return self.categories.spread(self.categories.total(x, -1), -1)
