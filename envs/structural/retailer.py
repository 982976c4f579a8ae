"""How the logged prices and stocks came about: a retailer whose prices follow the demand it expects.

Everything the usual retailer knows is in its table (sales of past weeks, the calendar, its own promotion plan
and costs), so that what its rule does can be learned from that table; what it adds by chance cannot. One with
``insight`` knows more than its table shows; one with ``hold`` keeps a price for weeks. Weeks are the periods
of the shop's log: in a daily one, days.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...forecasters.simulation import Period
from ...forecasters.tensors import NoiseKey
from .family import StructuralDemand
from .records import concatenate
from .shelves import Keeping, Shelf

HISTORY_EPISODE = -1  # noise of the past never returns in play, whose episodes count from 0


@dataclass(frozen=True)
class Retailer:
    """A pricing rule and a base-stock rule.

    log p = log p̄ + reaction·(expected log demand − its usual level) − discount·promo
            + pass_through·log shifter + chance

    Every ``hold`` weeks; in between the price stays, but for promotions.
    """

    reaction: float = 0.32  # of log price to expected log demand: what confounds
    pass_through: float = 0.5  # of the cost shifter into the price
    chance: float = 0.075  # standard deviation of what no column explains in log price
    discount: float = 0.2  # of log price in a promotion
    promotions: float = 0.06  # share of weeks in which an item is promoted, the whole chain at once
    shifter_item: tuple[float, float] = (0.9, 0.1)  # AR(1) of an item's log cost: persistence, spread
    shifter_series: tuple[float, float] = (0.8, 0.05)  # AR(1) of what a location adds to it
    insight: float = 0.0  # weight of the coming week's true shocks in what is expected, 0 … 1
    hold: int = 1  # weeks between two settings of a series' price, each series in its own turn
    learn_location: float = 0.35  # weight of the newest week in what is expected of a location
    learn_series: float = 0.15  # the same for what a series adds to its location
    safety: float = 0.53  # log of stock over expected demand
    stock_noise: float = 0.35  # standard deviation of log stock
    facing: float = 0.0  # units that the shelf is filled up to at least
    shelf: Shelf = field(default_factory=Keeping)


@dataclass(frozen=True)
class History:
    """What happened, week by week; tensors (T, S, I).

    Where an item is not listed its price is the usual one, and nothing is wanted, kept, sold or out of stock.
    """

    price: Tensor
    rule_price: Tensor  # what expected demand, when the price was set, and promotion plan alone called for
    promo: Tensor  # 0 or 1
    cost: Tensor  # a unit
    shifter: Tensor  # wholesale cost index, 1 is usual: moves the price, never demand
    demand: Tensor  # units wanted
    stock: Tensor  # units that the shelf was filled with
    sales: Tensor  # what was wanted while it was not empty
    censored: Tensor  # share of the week in which the shelf was empty; in whole hours where they are logged


@dataclass(frozen=True)
class _Plan:
    """The retailer's shocks and plans for all weeks, drawn before any customer comes: arrays (T, S, I)."""

    promo: Tensor
    log_shifter: Tensor
    log_chance: Tensor
    log_stock: Tensor
    settles: Tensor  # whether the price is set anew
    listed: Tensor  # whether the item is sold there


def _ar1(
    rng: np.random.Generator, weeks: int, shape: tuple[int, ...], law: tuple[float, float]
) -> np.ndarray:
    persistence, spread = law
    path = np.empty((weeks, *shape))
    path[0] = spread * rng.standard_normal(shape)
    for t in range(1, weeks):
        path[t] = persistence * path[t - 1] + spread * np.sqrt(1 - persistence**2) * rng.standard_normal(
            shape
        )
    return path


def _tensor(values: np.ndarray) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


def _plan(retailer: Retailer, weeks: int, listed: Tensor, rng: np.random.Generator) -> _Plan:
    shape = places, goods = listed.shape[1:]
    promo = np.repeat(rng.random((weeks, 1, goods)) < retailer.promotions, places, axis=1)
    shifter = _ar1(rng, weeks, (1, goods), retailer.shifter_item) + _ar1(
        rng, weeks, shape, retailer.shifter_series
    )
    chance = retailer.chance * rng.standard_normal((weeks, *shape))
    stock = retailer.safety + retailer.stock_noise * rng.standard_normal((weeks, *shape))
    turn = rng.spawn(1)[0].integers(retailer.hold, size=shape)
    weeks_since = np.arange(weeks)[:, None, None] - turn
    settles = torch.as_tensor(weeks_since % retailer.hold == 0)
    before = torch.cat([torch.zeros_like(listed[:1]), listed[:-1]])
    settles = settles | (listed & ~before)  # as it is launched
    return _Plan(_tensor(promo) * listed, _tensor(shifter), _tensor(chance), _tensor(stock), settles, listed)


@dataclass(frozen=True)
class _Belief:
    """The retailer's running view of how far demand is above an ordinary week, in logs."""

    location: Tensor  # (S,)
    series: Tensor  # (S, I) on top of the location's

    @property
    def surprise(self) -> Tensor:
        return self.location.unsqueeze(-1) + self.series

    def after(
        self, sales: Tensor, ordinary: Tensor, in_stock: Tensor, listed: Tensor, retailer: Retailer
    ) -> _Belief:
        """The view after a week of ``sales`` where ``ordinary`` (S, I) was usual; stock-outs say nothing.

        Of what is not ``listed`` (S, I) nothing particular is expected.
        """
        news = torch.where(in_stock, ((sales + 0.5) / (ordinary + 0.5)).log().clamp(-1.5, 1.5), self.surprise)
        count = listed.sum(-1).clamp(min=1)

        def mean(values: Tensor) -> Tensor:
            return (values * listed).sum(-1) / count

        shared = self.location + retailer.learn_location * (mean(news) - self.location - mean(self.series))
        series = self.series + retailer.learn_series * (news - shared.unsqueeze(-1) - self.series)
        return _Belief(shared, torch.where(listed, series, 0.0))


@dataclass(frozen=True)
class _Tag:
    """The price as it was last set, promotions aside: logs over the usual price, tensors (S, I)."""

    rule: Tensor  # what expected demand called for
    rest: Tensor  # cost and chance


@dataclass(frozen=True)
class _Desk:
    """What the retailer carries from one week to the next."""

    view: _Belief
    tag: _Tag
    left: Tensor  # (S, I) units on the shelf


def _week(
    demand: StructuralDemand,
    retailer: Retailer,
    plan: _Plan,
    t: int,
    state: Any,
    desk: _Desk,
    key: NoiseKey,
    rng: np.random.Generator,
) -> tuple[dict[str, Tensor], _Desk]:
    """One week, tensors (S, I) keyed by the fields of ``History``, and what is carried into the next."""
    shop, promo, listed = demand.shop, plan.promo[t], plan.listed[t]
    reference = shop.reference_price
    calm = demand.calm(state)
    usual = demand.log_mean(calm, reference.unsqueeze(0))[0]
    shock = demand.log_mean(state, reference.unsqueeze(0))[0] - usual
    surprise = desk.view.surprise + retailer.insight * (shock - desk.view.surprise)
    tag = _Tag(
        rule=torch.where(
            plan.settles[t], retailer.reaction * (usual + surprise - demand.level()), desk.tag.rule
        ),
        rest=torch.where(
            plan.settles[t], retailer.pass_through * plan.log_shifter[t] + plan.log_chance[t], desk.tag.rest
        ),
    )
    rule = torch.where(listed, reference * (tag.rule - retailer.discount * promo).exp(), reference)
    price = torch.where(listed, rule * tag.rest.exp(), reference)
    ordinary = demand.log_mean(calm, price.unsqueeze(0), promo)[0].exp()
    level = (ordinary * (surprise + plan.log_stock[t]).exp()).round().clamp(min=retailer.facing)
    wanted = demand.sample(state, price.unsqueeze(0), key, promo)[0]
    sold = retailer.shelf.sell(desk.left * listed, level * listed, wanted, rng)
    out = sold.out * listed
    out = out if shop.hours is None else (out * shop.hours).round() / shop.hours
    week = {
        "price": price,
        "rule_price": rule,
        "promo": promo,
        "cost": shop.unit_cost * plan.log_shifter[t].exp(),
        "shifter": plan.log_shifter[t].exp(),
        "demand": wanted,
        "stock": sold.stock,
        "sales": sold.sales,
        "censored": out,
    }
    view = desk.view.after(sold.sales, ordinary, (out == 0) & listed, listed, retailer)
    return week, _Desk(view, tag, sold.left)


def write_history(
    market: StructuralDemand, retailer: Retailer, weeks: int, seed: int
) -> tuple[StructuralDemand, History]:
    """Let ``retailer`` run its shops for ``weeks``; returns the market with its realised states."""
    rng = np.random.default_rng([seed, 1])
    plan = _plan(retailer, weeks, market.shop.assortment(weeks), rng)
    nothing = torch.zeros_like(market.shop.reference_price)
    desk = _Desk(_Belief(nothing[:, 0], nothing), _Tag(nothing, nothing), nothing)
    states, logged = [market.realised], []
    for t in range(weeks):
        key = history_key(seed, t)
        week, desk = _week(market, retailer, plan, t, states[-1], desk, key, rng)
        logged.append(week)
        happened = Period(*(week[name].unsqueeze(0) for name in ("price", "demand", "sales")))
        states.append(market.advance(states[-1], happened, key, week["promo"]))
    columns = {name: torch.stack([week[name] for week in logged]) for name in logged[0]}
    return replace(market, realised=concatenate(states)), History(**columns)  # type: ignore[type-var]


def history_key(seed: int, week: int) -> NoiseKey:
    """The noise of one past week."""
    return NoiseKey(
        seed, torch.zeros(1, dtype=torch.int64), torch.tensor([HISTORY_EPISODE]), torch.tensor([week])
    )
