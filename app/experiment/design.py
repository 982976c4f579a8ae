"""A price test for a market: what may be charged, what it costs and tells, and the plan that is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...envs.engine.types import State
from ...envs.engine.units import Partition
from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.experiments import (
    Candidates,
    Plan,
    Power,
    believed,
    choose,
    fewest_units,
    power,
)
from ...forecasters.names import positions
from ...forecasters.panel.calendar import declared_grid
from ...forecasters.simulation import LearnedDemand
from ..runtime import fitted_panel
from ..standing import Customers, Standing
from .prices import pairs_of


@dataclass(frozen=True)
class Design:
    """A plan, with what it costs and tells."""

    plan: Plan
    power: Power
    cost: float  # expected profit that the plan forgoes against the usual prices
    cost_lo: float  # … the least of it over customers that the data leave possible
    cost_hi: float
    profit: float  # expected at the usual prices in the same periods, of all series
    currency: str
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row an item in the test: where, how far prices move, and what is known before and after.

        ``locations``, ``low`` and ``high`` (mean multiples of the usual price), ``error`` (expected standard
        error of the test's own estimate), ``detectable`` (a difference from any elasticity that a 90%
        interval excludes with a chance of 80%), ``before`` and ``after`` (spread of what is believed).
        """
        plan, told, tested = self.plan, self.power, self.plan.tested
        with np.errstate(invalid="ignore"):
            low, high = plan.low / plan.usual, plan.high / plan.usual
        rows = [
            {
                "item": name,
                "locations": int(tested[:, i].sum()),
                "low": float(np.nanmean(low[:, i])),
                "high": float(np.nanmean(high[:, i])),
                "error": float(told.error[i]),
                "detectable": float(told.detectable[i]),
                "before": float(told.before[i]),
                "after": float(told.after[i]),
            }
            for i, name in enumerate(plan.items)
            if tested[:, i].any()
        ]
        return pd.DataFrame(rows)


@torch.no_grad()
def design(
    market: Market,
    periods: int,
    budget: float,
    locations: Sequence[str] | None,
    items: Sequence[str] | None,
    block: int | None,
    seed: int,
) -> Design:
    """``mercato.design_experiment`` of a fitted market.

    Raises:
        InputError: the market was not fitted, a name is not known, or nothing can be tested.
    """
    shop = Shop.of(market, periods, seed)
    allowed = _asked(market, locations, items) & shop.sold
    block, washout = _rhythm(market, periods, block)
    offered = pairs_of(shop, allowed)
    starts = np.arange(periods) // block
    counts = np.arange(periods) % block >= washout
    number = shop.of_unit(torch.from_numpy(allowed).double()).numpy() * counts.sum()
    weight = shop.of_unit((shop.information * torch.from_numpy(allowed)).cpu()).numpy() * counts.sum()
    unit, item = np.nonzero((weight > 0) & (offered.width.max(0) > 0))
    if not len(unit):
        raise InputError(
            "experiment: expected series that sell and may have two prices, found none: rules hold them, or"
            " nothing was tried"
        )
    fitted: LearnedDemand = market.demand  # type: ignore[assignment]  # ``Shop.of`` has made sure
    found = fitted.elasticities
    rivals = found.cross.double().fill_diagonal_(0).square().sum(1).sqrt().cpu().numpy()
    candidates = Candidates(
        item=item,
        width=offered.width[:, unit, item].T,
        cost=offered.cost[:, unit, item].T,
        rows=number[unit, item],
        variance=(number / np.maximum(weight, 1e-12))[unit, item],
        rivals=rivals[item],
    )
    spread = believed(found.own_error.double().cpu().numpy(), found.gap_error)
    fewest = fewest_units(int(starts[-1]) + 1)
    level = choose(candidates, spread, budget, fewest)
    if (level < 0).all():
        raise InputError(
            f"budget: expected enough to test one item, the least is about"
            f" {candidates.least_cost(fewest):,.4g}, found {budget:g}"
        )
    kept = level >= 0
    at = (level[kept], unit[kept], item[kept])
    low, high = (np.full(shop.usual.shape, np.nan) for _ in range(2))
    low[at[1:]], high[at[1:]] = offered.low[at], offered.high[at]
    told = np.zeros(len(market.items))
    np.add.at(told, item[kept], candidates.information[np.flatnonzero(kept), level[kept]])
    within = shop.series(low)
    tested = np.isfinite(within) & allowed
    plan = Plan(
        dates=shop.dates,
        block=starts,
        counts=counts,
        items=market.items,
        locations=market.locations,
        unit=shop.units,
        usual=np.where(tested, shop.series(shop.usual), np.nan),
        low=np.where(tested, within, np.nan),
        high=np.where(tested, shop.series(high), np.nan),
        seed=seed,
    )
    profit, costs = _cost(shop, plan)
    notes = list(_notes(shop, plan, washout, allowed))
    return Design(
        plan,
        power(told, spread),
        costs[0],
        min(costs),
        max(costs),
        profit,
        market.economics.currency,
        tuple(notes),
    )


@dataclass(frozen=True)
class Shop:
    """A fitted market right after its table."""

    market: Market
    state: State
    customers: tuple[Customers, ...]  # kinds that the data leave possible, the fitted first
    dates: np.ndarray  # (T,) of the test
    sold: np.ndarray  # (S, I) bool
    units: tuple[str, ...]  # (S,) label of the unit of each location
    by_unit: Partition
    usual: np.ndarray  # (G, I) price that the levels depart from, common to a unit
    information: Tensor  # (S, I) of a row about its log mean
    total: Tensor  # (S, I) units expected in the whole test at usual prices, over those of its first period

    @staticmethod
    def of(market: Market, periods: int, seed: int) -> Shop:
        panel = fitted_panel(market)
        fitted: LearnedDemand = market.demand  # type: ignore[assignment]  # with a table it is a fitted one
        plain = fitted.response.without_promotions()  # none comes with a test's prices
        unpromoted = replace(market, demand=LearnedDemand(fitted.model, fitted.history, plain))
        standing = Standing.of(unpromoted, panel, None, seed)
        demand, state = standing.demand, standing.state(None)
        units = tuple(label.removeprefix("fair ") for label in market.compared)
        by_unit = Partition.of(units, market.device)
        weight = market.terms.typical_demand
        log = market.terms.reference_price.log()
        usual = (by_unit.total(weight * log, -2) / by_unit.total(weight, -2)).exp()
        reference = by_unit.spread(usual, -2).unsqueeze(0)
        outlook = demand.outlook(state.demand)
        once = demand.expected(state.demand, reference).clamp(min=1e-9)
        total = demand.later(state.demand, reference, periods) / once
        dates = declared_grid(panel.frequency, panel.dates).starts(np.arange(periods) + panel.periods)
        sold = demand.history.listed[panel.periods].cpu().numpy() & (outlook.mean[0] > 0).cpu().numpy()
        return Shop(
            market,
            state,
            (standing.usual, *standing.others),
            dates.astype("datetime64[D]"),
            sold,
            units,
            by_unit,
            usual.double().cpu().numpy(),
            outlook.spread[0].double() ** -2,
            total[0],
        )

    def of_unit(self, values: Tensor) -> Tensor:
        """(G, I) sums of (S, I) over the locations of each unit."""
        return Partition.of(self.units, torch.device("cpu")).total(values, -2)

    def series(self, values: np.ndarray) -> np.ndarray:
        """(S, I) of each location what (G, I) its unit has."""
        at = {label: n for n, label in enumerate(dict.fromkeys(self.units))}
        return values[[at[label] for label in self.units]]

    def profit(self, customers: Customers, prices: Tensor) -> Tensor:
        """(V, S) expected of a location in the whole test if it charged ``prices`` (V, S, I) throughout."""
        margin = prices - self.market.terms.unit_cost
        return (margin * customers.expected(prices) * self.total).sum(-1)

    @property
    def reference(self) -> Tensor:
        """(S, I) usual prices."""
        like = self.market.terms.reference_price
        return torch.from_numpy(self.series(self.usual)).to(like)


def _rhythm(market: Market, periods: int, block: int | None) -> tuple[int, int]:
    """Periods that a price stays, and those among them that are not read.

    Where customers remember prices the first period of a block still feels the price before, and is not read
    unless the prices of a location never change.
    """
    demand: LearnedDemand = market.demand  # type: ignore[assignment]
    remembered = bool((demand.response.carryover != 0).any())
    cadence = market.economics.price_rules.cadence
    if block is not None and block < cadence:
        raise InputError(
            f"block: expected the {cadence} periods that a price must stay, or more, found {block}"
        )
    block = min(block or max(cadence, 2 if remembered else 1), periods)
    return block, int(remembered and block > 1)


def _asked(market: Market, locations: Sequence[str] | None, items: Sequence[str] | None) -> np.ndarray:
    """(S, I) bool: the series that may be in the test."""
    out = np.zeros(market.shape, dtype=bool)
    places = range(len(market.locations))
    goods = range(len(market.items))
    if locations is not None:
        places = positions(list(locations), market.locations, "locations of the market").tolist()
    if items is not None:
        goods = positions(list(items), market.items, "items of the market").tolist()
    out[np.ix_(list(places), list(goods))] = True
    inside = {market.compared[place] for place in places}
    for place, label in enumerate(market.compared):
        if label in inside and place not in places:
            raise InputError(
                f"locations: expected all that share their prices with the others, found"
                f" {market.locations[place]!r:.60} missing"
            )
    return out


def _cost(shop: Shop, plan: Plan) -> tuple[float, list[float]]:
    """Profit at usual prices, and what the drawn plan forgoes by kinds of customers, the fitted first."""
    reference = shop.reference
    prices = torch.from_numpy(np.nan_to_num(plan.price)).to(reference)
    charged = torch.where(prices > 0, prices, reference)
    first = [int(np.argmax(plan.block == number)) for number in range(plan.blocks)]
    share = torch.from_numpy(np.bincount(plan.block) / len(plan.block)).to(reference)
    lists = torch.cat([reference.unsqueeze(0), charged[first]])
    profits = [shop.profit(who, lists).double().sum(-1) for who in shop.customers]
    return float(profits[0][0]), [float(p[0] - (p[1:] * share).sum()) for p in profits]


def _notes(shop: Shop, plan: Plan, washout: int, allowed: np.ndarray) -> Iterator[str]:
    market, tested = shop.market, plan.tested
    none = [name for i, name in enumerate(plan.items) if allowed[:, i].any() and not tested[:, i].any()]
    if none:
        yield f"{len(none)} items are not worth a test for this budget, first {none[0]:.60}"
    if washout:
        yield f"customers remember prices: the first {washout} of each block's periods is not read"
    few = [
        item
        for item in np.flatnonzero(tested.any(0))
        if len({plan.unit[place] for place in np.flatnonzero(tested[:, item])}) < fewest_units(plan.blocks)
    ]
    if few:
        yield (
            f"{len(few)} items are tested in fewer than {fewest_units(plan.blocks)} units, first"
            f" {plan.items[few[0]]:.60}: they may be drawn in too few ways for an interval with two ends;"
            " test more periods or locations"
        )
    prices = torch.from_numpy(np.nan_to_num(plan.price)).to(shop.reference)
    outside = (market.supported.distance(torch.where(prices > 0, prices, shop.reference)) > 0).cpu().numpy()
    if (share := outside[:, tested].mean()) > 0:
        yield (
            f"{share:.0%} of its prices belong to combinations that were never tried together, so that their"
            " cost is extrapolated; each price by itself is within its own range"
        )
