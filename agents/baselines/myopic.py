"""The price that earns most this period, by the market's own demand model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.view import View
from ...envs.market import Market
from ..policy import nearest, price_range

_LONGEST_STEP = 0.4  # in log price
_OUTSIDE = 3e-4  # share of the distance from usual prices, by which slopes are taken outside of an edge
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a range, at which starts are spread


@dataclass(frozen=True)
class MyopicPrice:
    """Maximises the expected profit (p - c) · E[demand | p] of the coming period, jointly over the items of a
    location, within the supported range. Stock plays no part. It is never worse than cost-plus by ``markup``.
    """

    iterations: int = 10
    markup: float = 0.5  # share of unit cost, of the cost-plus prices that are one of the starts

    def price(self, view: View) -> Tensor:
        return view.of_customers(self, lambda: self._price(view))

    def _price(self, view: View) -> Tensor:
        market = view.market

        def profit(price: Tensor) -> Tensor:
            return (price - market.terms.unit_cost) * view.expected(price)

        cost_plus = (market.terms.unit_cost * (1.0 + self.markup)).expand_as(view.state.on_hand)
        return best_price(profit, market, [cost_plus], iterations=self.iterations)


def best_price(
    profit: Callable[[Tensor], Tensor], market: Market, starts: Sequence[Tensor], *, iterations: int = 10
) -> Tensor:
    """Prices (B, S, I) that maximise ``profit`` (B, S, I) of prices (B, S, I), summed over each price group.

    Projected ascent in log price with a secant estimate of each coordinate's curvature, from the best of many
    starts: those given, prices spread evenly over the range (all items alike, or each item its own best), and
    a range of common markups. A step that earns less in a category is halved and tried again from where it
    began, so that nothing is lost; supported lists of prices have curved edges, along which a step may fail.

    Args:
        profit: expected profit of the series, differentiable in price.
        market: whose supported prices and price groups bind them.
        starts: (B, S, I) prices, at least one.
        iterations: ascent steps, each one evaluation of ``profit`` and its gradient.
    """
    climb = _Climb(profit, market)
    given = [market.by_group.mean(price.log(), -2) for price in starts]
    with torch.no_grad():
        x = first = climb.best_start([*given, *_spread(market, given[0])])
    worth, slope = climb.gradient(x)
    step = torch.sign(slope) * _LONGEST_STEP / 4
    share = torch.ones_like(worth)
    for _ in range(iterations):
        trial = nearest(x + climb.by_item(share) * step, market)
        trial_worth, trial_slope = climb.gradient(trial)
        better = trial_worth > worth
        step_from = torch.where(climb.by_item(better), trial_slope, slope)
        step = _secant_step(step_from, trial - x, trial_slope - slope)
        x = torch.where(climb.by_item(better), trial, x)
        slope, worth = step_from, torch.where(better, trial_worth, worth)
        share = torch.where(better, (2 * share).clamp(max=1.0), share / 2)
    with torch.no_grad():
        x = climb.better(x, first)  # where categories are not as separate as they were taken to be
    return market.by_group.spread(x, -2).exp()


class _Climb:
    """A profit of log prices (B, G, I), summed over each price group and category: (B, G, C)."""

    def __init__(self, profit: Callable[[Tensor], Tensor], market: Market) -> None:
        self.profit, self.market = profit, market

    def items(self, x: Tensor) -> Tensor:
        """(B, G, I) profit of each decision unit."""
        groups = self.market.by_group
        return groups.total(self.profit(groups.spread(x, -2).exp()), -2)

    def value(self, x: Tensor) -> Tensor:
        return self.market.by_category.total(self.items(x), -1)

    def by_item(self, x: Tensor) -> Tensor:
        """Each item its category's."""
        return self.market.by_category.spread(x, -1)

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Profit (B, G, C) of supported prices, and its slope (B, G, I) as far as they may move.

        At an edge of what is supported a step outwards ends where it is drawn back to, so that what counts is
        the slope through that projection, taken a little outside; unless profit rises inwards.
        """
        low, high = (bound.log() for bound in price_range(self.market))
        centre = self.market.supported.centre
        with torch.enable_grad():
            outside = torch.clamp(centre + (x - centre) * (1 + _OUTSIDE), low, high).requires_grad_()
            drawn = nearest(outside, self.market)
            worth = self.value(drawn)
            (full,) = torch.autograd.grad(worth.sum(), drawn, retain_graph=True)
            (along,) = torch.autograd.grad(drawn, outside, full)
        inwards = self.market.by_category.total(full * (x - centre), -1) < 0
        return worth.detach(), torch.where(self.by_item(inwards), full, along)

    def better(self, one: Tensor, other: Tensor) -> Tensor:
        """Of two lists, what earns more in each (market, price group)."""
        return torch.where(
            self.items(one).sum(-1, keepdim=True) >= self.items(other).sum(-1, keepdim=True), one, other
        )

    def best_start(self, starts: Sequence[Tensor]) -> Tensor:
        """Of lists of prices the best in each category, or each item's own best where that earns more."""
        lists = torch.stack([nearest(x, self.market) for x in starts])  # (K, B, G, I)
        items = torch.stack([self.items(x) for x in lists])
        alone = nearest(lists.gather(0, items.argmax(0, keepdim=True))[0], self.market)
        lists, items = (
            torch.cat([lists, alone.unsqueeze(0)]),
            torch.cat([items, self.items(alone).unsqueeze(0)]),
        )
        together = self.by_item(self.market.by_category.total(items, -1)).argmax(0, keepdim=True)
        whole = items.sum(-1, keepdim=True).argmax(0, keepdim=True).expand_as(together)
        return self.better(lists.gather(0, together)[0], lists.gather(0, whole)[0])


def _spread(market: Market, like: Tensor) -> list[Tensor]:
    """Log prices (B, G, I) at even shares of the supported range, and at markups that all items share."""
    low, high = (bound.log().expand_as(like) for bound in price_range(market))
    cost = market.by_group.mean(market.terms.unit_cost.log(), -2)
    least, most = (low - cost).amin(-1, keepdim=True), (high - cost).amax(-1, keepdim=True)
    ranges = [low + (high - low) * share for share in _SHARES]
    return ranges + [cost + least + (most - least) * share for share in _SHARES[1:-1]]


def _secant_step(slope: Tensor, moved: Tensor, change: Tensor) -> Tensor:
    """Newton's step by the curvature met on the last one; the longest uphill where it is not concave."""
    curvature = change / torch.where(moved == 0, 1.0, moved)
    newton = -slope / torch.where(curvature < 0, curvature, -1.0)
    uphill = torch.sign(slope) * _LONGEST_STEP / 2
    return torch.where((curvature < 0) & (moved != 0), newton.clamp(-_LONGEST_STEP, _LONGEST_STEP), uphill)
