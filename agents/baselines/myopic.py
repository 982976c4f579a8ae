"""The price that earns most this period, by the market's own demand model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.view import View
from ...envs.market import Market
from ..policy import nearest, price_range

_LONGEST_STEP = 0.4  # in log price


@dataclass(frozen=True)
class MyopicPrice:
    """Maximises the expected profit (p - c) · E[demand | p] of the coming period, jointly over the items of a
    location, within the supported range. Stock plays no part."""

    iterations: int = 10

    def price(self, view: View) -> Tensor:
        market = view.market

        def profit(price: Tensor) -> Tensor:
            return (price - market.terms.unit_cost) * view.expected(price)

        return best_price(profit, market, markets=view.state.on_hand.shape[0], iterations=self.iterations)


def best_price(
    profit: Callable[[Tensor], Tensor], market: Market, *, markets: int, iterations: int = 10, starts: int = 5
) -> Tensor:
    """Prices (B, S, I) that maximise ``profit`` (B, S, I) of prices (B, S, I), summed over each price group.

    Projected ascent in log price with a secant estimate of each coordinate's curvature, from the best of
    ``starts`` prices spread evenly over the range, so that a second local optimum (deep discounts that carry
    a promotion) is not missed. Each (market, price group) keeps the best price that it met.

    Args:
        profit: expected profit of the series, differentiable in price.
        market: whose supported range and price groups bind the prices.
        markets: B.
        iterations: ascent steps, each one evaluation of ``profit`` and its gradient.
        starts: prices tried at first.
    """
    groups = market.by_group
    low, high = (bound.log().expand(markets, -1, -1) for bound in price_range(market))

    def value(x: Tensor) -> Tensor:
        return groups.total(profit(groups.spread(x, -2).exp()), -2)

    def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            worth = value(x)
            (slope,) = torch.autograd.grad(worth.sum(), x)
        return worth.detach().sum(-1, keepdim=True), slope

    with torch.no_grad():
        x = nearest(_start(value, low, high, starts), market)
    best, best_worth = x, torch.full_like(x[..., :1], -torch.inf)
    earlier_x = earlier_slope = None
    for _ in range(iterations):
        worth, slope = gradient(x)
        better = worth > best_worth
        best, best_worth = torch.where(better, x, best), torch.where(better, worth, best_worth)
        step = _secant_step(x, slope, earlier_x, earlier_slope)
        earlier_x, earlier_slope = x, slope
        x = nearest(torch.clamp(x + step, low, high), market)
    with torch.no_grad():
        best = torch.where(value(x).sum(-1, keepdim=True) > best_worth, x, best)
    return groups.spread(best, -2).exp()


def _start(value: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, starts: int) -> Tensor:
    """Of prices evenly spread over the range, each item's own best, or one share for all if it earns more."""
    grid = [low + (high - low) * share for share in torch.linspace(0.0, 1.0, starts).tolist()]
    worths = torch.stack([value(x) for x in grid])  # (K, B, G, I)
    prices = torch.stack(grid)
    alone = prices.gather(0, worths.argmax(0, keepdim=True))[0]
    joint_worth, joint = worths.sum(-1, keepdim=True).max(0, keepdim=True)
    together = prices.gather(0, joint.expand(1, *low.shape))[0]
    return torch.where(value(alone).sum(-1, keepdim=True) > joint_worth[0], alone, together)


def _secant_step(x: Tensor, slope: Tensor, earlier_x: Tensor | None, earlier_slope: Tensor | None) -> Tensor:
    """Newton's step with the curvature met since the last one; the longest uphill where it is not concave."""
    uphill = torch.sign(slope) * _LONGEST_STEP
    if earlier_x is None or earlier_slope is None:
        return uphill / 4
    moved = x - earlier_x
    curvature = (slope - earlier_slope) / torch.where(moved == 0, 1.0, moved)
    newton = -slope / torch.where(curvature < 0, curvature, -1.0)
    return torch.where(
        (curvature < 0) & (moved != 0), newton.clamp(-_LONGEST_STEP, _LONGEST_STEP), uphill / 2
    )
