"""What prices that move with the stock are worth at most, by a dynamic program of a shop's typical series.

A typical series has the shop's economics and, of its series by typical revenue, the median demand, spread,
elasticity, unit cost and range of prices; demand is independent from period to period. Where it sells more
than a few units a period they are counted in lots: what a share of profit is worth hangs on the spread of
demand, which lots keep, and hardly on the size of a lot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
import torch
from torch import Tensor

from ...envs.economics import Economics, PriceRules
from ...envs.engine.rules import limits
from ...envs.market import Market
from ...envs.problems import one_series
from ...envs.processes import Counts, Independent, NegativeBinomial, Poisson, constant_elasticity
from ...envs.processes.iid import Curve
from ...envs.simulator import Simulator
from .series import Program, Series

PRICES = 25  # candidates, evenly over the logarithms of the range
_DATES = 8  # of the history over which demand is averaged
_LOTS = (40.0, 40.0, 6.0, 4.0)  # lots a period at most, by lead time: states multiply with it
_FEW = 8.0  # lots a period that are enough, unless demand is more regular than so few can be
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
    curve: Curve = constant_elasticity


@dataclass(frozen=True)
class Bound:
    """Profit of one typical series, a period or a season, in units times reference price."""

    typical: Typical
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
        curve=market.demand.curve if isinstance(market.demand, Independent) else constant_elasticity,
    )


def bound_of(typical: Typical, economics: Economics) -> Bound:
    """What moving prices is worth at most for a series under some economics."""
    lead_time = min(economics.lead_time, len(_LOTS) - 1)
    prices = np.geomspace(typical.low, typical.high, PRICES)
    best, bought = _usual(typical, prices)  # a price, and units a period at it
    lots = min(bought, max(_FEW, min(typical.spread**-2, _LOTS[0])), _LOTS[lead_time])
    unit = bought / lots  # units a lot
    shop = economics.model_copy(
        update={
            "lead_time": lead_time,
            "fixed_order_cost": economics.fixed_order_cost / (unit * typical.price),
            "price_change_cost": 0.0,
            "price_rules": PriceRules(),
        }
    )
    stock, order = _sizes(typical, shop, lots, lead_time)
    program = Program(Series.of(_market(typical, shop, typical.mean / unit), prices, stock, order))
    precision = _PRECISION * lots * best
    still = program.long_run_at_each_price(precision)
    moving = program.long_run(precision).value
    return Bound(
        typical=typical,
        static_price=float(prices[still.argmax()]),
        static=float(still.max()) * unit,
        dynamic=moving * unit,
        notes=tuple(_notes(economics, lead_time)),
    )


def _usual(typical: Typical, prices: np.ndarray) -> tuple[float, float]:
    """The price whose margin earns most where there is always stock, and the units that it sells a period."""
    relative, own = torch.as_tensor(prices).view(-1, 1), torch.tensor([[typical.elasticity]]).double()
    units = typical.mean * typical.curve(relative, own).flatten().numpy()
    best = int(((prices - typical.unit_cost) * units).argmax())
    return float(prices[best]), float(max(units[best], 1e-3))


def _sizes(typical: Typical, shop: Economics, lots: float, lead_time: int) -> tuple[int, int]:
    """Largest stock and order worth telling apart, in lots: some more than are needed until the order after
    next, and than one order whose fixed cost is shared by many."""
    periods = lead_time + 1
    carrying = (shop.holding_rate + shop.waste_rate) * typical.unit_cost
    shared = sqrt(2 * shop.fixed_order_cost * lots / max(carrying, 0.01 * typical.unit_cost))
    need = periods * lots + 3 * typical.spread * lots * sqrt(periods) + shared
    stock = ceil(1.5 * need) + 4
    if lead_time < 2:
        return stock, stock
    return stock, ceil(2.5 * lots + shared)


def _market(typical: Typical, shop: Economics, mean: float) -> Market:
    """The series as a market whose reference price is 1, selling ``mean`` lots a period at it."""
    one = torch.ones(1, 1)
    demand = Independent(
        _counts(typical.spread, mean),
        mean * one,
        reference_price=one,
        elasticity=typical.elasticity * one,
        curve=typical.curve,
    )
    return one_series(
        "typical", demand, shop, unit_cost=typical.unit_cost, low=typical.low, high=typical.high
    )


def _counts(spread: float, mean: float) -> Counts:
    """A family whose spread at ``mean`` is that, or as near as counts come."""
    beyond = spread**2 - 1 / mean
    return NegativeBinomial(1 / beyond) if beyond > 1e-6 else Poisson()


def _notes(economics: Economics, lead_time: int) -> Iterator[str]:
    """What was left out of account."""
    if lead_time < economics.lead_time:
        yield f"the lead time is taken as {lead_time} periods: the states of longer ones are too many"
    if economics.price_rules != PriceRules() or economics.price_change_cost:
        yield "price rules other than the range, and the cost of changing a price, would only lower it"
