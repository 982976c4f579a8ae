"""What prices that move with the stock are worth at most, by a dynamic program of a shop's typical series.

A typical series has the shop's economics and, of its series by typical revenue, the median demand, spread,
elasticity, unit cost and range of prices; demand is independent from period to period. Where it sells more
than a few units a period they are counted in lots: what a share of profit is worth hangs on the spread of
demand, which lots keep, and hardly on the size of a lot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil, sqrt

import numpy as np
import torch
from torch import Tensor

from ...envs.economics import Economics, PriceRules
from ...envs.engine.rules import limits
from ...envs.market import Market
from ...envs.processes import Counts, Independent, NegativeBinomial, Poisson, constant_elasticity
from ...envs.processes.iid import Curve
from ...envs.simulator import Simulator
from .series import Program, Series, chances, largest_order, shown

PRICES = 25  # candidates, evenly over the logarithms of the range
_DATES = 8  # of the history over which demand is averaged
_FEW, _MANY = 12.0, 40.0  # lots a period that are enough, and as many as regular demand may need
_COARSEST, _LEAST = 1.5, 1e-3  # lots, and units, a period
_WORK = 2.5e7  # multiplications of a period's step
_PRECISION = 2e-6  # of what a period may earn


@dataclass(frozen=True)
class Typical:
    """The series that stands for a shop; prices in multiples of its reference price."""

    mean: float  # units a period at the reference price
    spread: float  # standard deviation of a period's demand divided by its mean
    elasticity: float
    unit_cost: float
    low: float
    high: float
    price: float  # the reference price, in money
    items: int = 1  # of a location, which share the joint cost of orders
    curve: Curve = constant_elasticity


@dataclass(frozen=True)
class Bound:
    """Profit of one typical series, a period or a season, in units times reference price."""

    typical: Typical
    season: int | None  # periods; None: profit is a period's in the long run
    static_price: float
    static: float  # the best price that stays, with the best orders at it
    dynamic: float  # the best prices and orders, whatever the stock
    notes: tuple[str, ...] = ()

    @property
    def gain(self) -> float:
        """Share of the static price's profit that moving prices adds at most."""
        return self.dynamic / self.static - 1 if self.static > 0 else float("nan")


def bound(market: Market, seed: int = 0) -> Bound:
    """What moving prices is worth at most in the shop of a market."""
    return bound_of(typical_series(market, seed), market.economics)


def typical_series(market: Market, seed: int = 0) -> Typical:
    """Medians over the series of a market by typical revenue, demand averaged over dates of its history."""
    simulator, terms = Simulator(market, _DATES, 1, seed), market.terms
    outlook = simulator.view(simulator.reset()).outlook
    reference, (least, most) = terms.reference_price, limits(market)
    low, high = (torch.clamp(end, least, most) for end in (terms.price_low, terms.price_high))
    weight = (reference * terms.typical_demand).flatten()

    def median(values: Tensor) -> float:
        order = values.flatten().argsort()
        below = weight[order].cumsum(0) < weight.sum() / 2
        return float(values.flatten()[order][int(below.sum())])

    return Typical(
        mean=median(outlook.mean.mean(0)),
        spread=median(outlook.spread.mean(0)),
        elasticity=median(outlook.elasticity.mean(0)),
        unit_cost=median(terms.unit_cost / reference),
        low=median(low / reference),
        high=median(high / reference),
        price=median(reference),
        items=len(market.items),
        curve=market.demand.curve if isinstance(market.demand, Independent) else constant_elasticity,
    )


def bound_of(typical: Typical, economics: Economics) -> Bound:
    """What moving prices is worth at most for a series under some economics."""
    prices = np.geomspace(typical.low, typical.high, PRICES)
    if economics.decide == "order":
        prices = np.ones(1)
    units = _units(typical, prices)
    usual = int(((prices - typical.unit_cost) * units).argmax())  # what earns most with stock at hand
    grain = _grain(typical, economics, units[usual])
    unit = units[usual] / grain.lots
    program = Program(_series(typical, grain, prices, unit))
    if economics.season is None:
        precision = _PRECISION * grain.lots * float(prices[usual])
        still, moving = program.long_run_at_each_price(precision), program.long_run(precision).value
    else:
        still, moving = program.season_at_each_price(grain.start), program.season(grain.start).value
    return Bound(
        typical=typical,
        season=economics.season,
        static_price=float(prices[still.argmax()]),
        static=float(still.max() * unit),
        dynamic=float(max(moving, still.max()) * unit),  # right to the precision, and not less
        notes=tuple(_notes(economics, grain.shop)),
    )


def _units(typical: Typical, prices: np.ndarray) -> np.ndarray:
    """(P,) units a period at each price."""
    relative, own = torch.as_tensor(prices).view(-1, 1), torch.tensor([[typical.elasticity]]).double()
    return (typical.mean * typical.curve(relative, own)).clamp(min=_LEAST).flatten().numpy()


@dataclass(frozen=True)
class _Grain:
    """How finely a series is told."""

    shop: Economics  # with the money of an order in lots at the reference price
    lots: float  # a period at the usual price
    stock: int  # largest
    order: int  # largest
    start: int  # opening stock

    @property
    def work(self) -> float:
        """Multiplications of a period's step."""
        orders = self.order + 1
        life = self.shop.shelf_life
        kept, left = (self.stock, self.stock) if life is None else (orders**life, orders ** (life - 1))
        return PRICES * kept * left * orders**self.shop.lead_time


def _grain(typical: Typical, economics: Economics, bought: float) -> _Grain:
    """The finest that can be worked out; where none can, of a shorter lead time or shelf life."""
    enough = max(_FEW, min(typical.spread**-2, _MANY))
    shop = economics.model_copy(update={"price_change_cost": 0.0, "price_rules": PriceRules()})
    if not _supplied(shop):
        return _grained(typical, shop.model_copy(update={"lead_time": 1}), min(bought, enough), bought, 0)
    while True:
        lots = min(bought, enough)
        while (grain := _grained(typical, shop, lots, bought)).work > _WORK and lots > _COARSEST:
            lots = max(0.9 * lots, _COARSEST)
        if grain.work <= _WORK:
            return grain
        which = "shelf_life" if shop.shelf_life and shop.shelf_life > shop.lead_time else "lead_time"
        shop = shop.model_copy(update={which: getattr(shop, which) - 1})


def _grained(
    typical: Typical, shop: Economics, lots: float, bought: float, order: int | None = None
) -> _Grain:
    """Some more than is needed until the order after next, and than an order that shares its cost."""
    unit = bought / lots
    fixed = (shop.fixed_order_cost + shop.joint_order_cost / typical.items) / (unit * typical.price)
    periods = shop.lead_time + shop.order_every
    carrying = max(shop.holding_rate + shop.waste_rate, 0.01) * typical.unit_cost
    shared = sqrt(2 * fixed * lots / carrying)
    start = round(float(np.mean(shop.initial_cover)) * typical.mean / unit)
    stock = ceil(1.5 * (periods * lots + 3 * typical.spread * lots * sqrt(periods) + shared)) + 4
    if order is None:
        single = ceil((1.5 + shop.order_every) * lots + shared)
        order = max(single, start) if shop.shelf_life else stock if shop.lead_time < 2 else single
        order = largest_order(shop, typical.mean / unit, order)
    return _Grain(
        shop=shop.model_copy(update={"fixed_order_cost": fixed, "joint_order_cost": 0.0}),
        lots=lots,
        stock=stock if shop.season is None else max(stock, start),
        order=order,
        start=start,
    )


def _series(typical: Typical, grain: _Grain, prices: np.ndarray, unit: float) -> Series:
    """The series in lots of ``unit``, its reference price being 1."""
    mean = _units(typical, prices) / unit
    spread = np.sqrt(1 / (mean * unit) + max(typical.spread**2 - 1 / typical.mean, 0.0))
    counts = _counts(typical)

    def exact(classes: int) -> np.ndarray:
        return counts.probabilities(torch.as_tensor(mean), classes).numpy()

    most, capacity = shown(grain.shop, grain.stock, grain.order), grain.shop.capacity
    return Series(
        economics=grain.shop,
        reference_price=1.0,
        unit_cost=typical.unit_cost,
        prices=prices,
        chances=chances(exact if unit <= 1 else partial(rounded_gamma, mean, spread), most)[None],
        mean=mean[None],
        most_stock=grain.stock,
        most_order=grain.order,
        room=None if capacity is None else ceil(capacity * typical.mean / unit),
    )


def _counts(typical: Typical) -> Counts:
    """The family of that spread; Poisson where it is more regular than counts are."""
    beyond = typical.spread**2 - 1 / typical.mean
    return NegativeBinomial(1 / beyond) if beyond > _LEAST else Poisson()


def rounded_gamma(mean: np.ndarray, spread: np.ndarray, counts: int) -> np.ndarray:
    """(…, counts) P(D = k): a gamma variable of that mean and spread, rounded up or down by chance.

    So that the mean stays, P(D = k) = E[(1 - |X - k|)+], the second difference of E[(y - X)+] at k. What
    rounding adds to the variance is taken off before, a sixth where X falls anywhere between two counts.
    """
    m, variance = (torch.as_tensor(x).unsqueeze(-1) for x in (mean, (mean * spread) ** 2))
    variance = torch.maximum(variance - 1 / 6, 0.01 * variance)
    y, shape, scale = torch.arange(-1, counts + 1).clamp(min=0).double(), m**2 / variance, variance / m
    below = y * torch.special.gammainc(shape, y / scale) - m * torch.special.gammainc(shape + 1, y / scale)
    return below.diff(n=2, dim=-1).clamp(min=0).numpy()


def _supplied(economics: Economics) -> bool:
    """Whether anything may be ordered that arrives before a season's end."""
    in_time = economics.season is None or economics.lead_time < economics.season
    return in_time and economics.decide != "price"


def _notes(economics: Economics, shop: Economics) -> Iterator[str]:
    """What was left out of account."""
    for name in ("lead_time", "shelf_life") if _supplied(economics) else ():
        if (taken := getattr(shop, name)) != getattr(economics, name):
            yield f"the {name.replace('_', ' ')} is taken as {taken}: the states of longer ones are too many"
    if economics.price_rules != PriceRules() or economics.price_change_cost:
        yield "price rules other than the range, and the cost of changing a price, would only lower it"
    if economics.order_budget is not None:
        yield "the order budget is left out"
    if economics.joint_order_cost:
        yield "the joint cost of orders is shared by a location's items"
