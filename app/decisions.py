"""What to charge and order in the coming period, and what that is expected to gain."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..agents.explanation import explain_decision
from ..agents.policy import Policy
from ..envs.engine.finite import refuse_non_finite
from ..envs.engine.order_rules import order_rules
from ..envs.engine.rules import bound, bounds, enforce, price_rules
from ..envs.engine.types import Decision, State
from ..envs.market import Market
from ..forecasters.panel.sales_panel import SalesPanel
from .explained import with_parts
from .facts import cheapest_fact
from .price_tags import rounded
from .reasons import SAME, TRIED, Known, why
from .spreadsheets import csv
from .standing import Standing, Stock

_NUDGE = 0.01  # share of a price, to see which way the margin goes


@dataclass(frozen=True)
class Decisions:
    """One row per series, and the expected gain of the whole market."""

    rows: pd.DataFrame
    gain: float  # money in the coming period, all prices changed against all kept
    gain_lo: float
    gain_hi: float
    notes: list[str]  # what was not decided, and why
    gains: pd.DataFrame  # by location, a column for each of the customers that the data leave possible

    @classmethod
    def together(cls, rows: pd.DataFrame, gains: pd.DataFrame, notes: list[str]) -> Decisions:
        """Rows, and what the prices of their locations gain together before each of the customers."""
        totals = gains.sum().to_numpy()
        return cls(rows, float(totals[-1]), float(totals.min()), float(totals.max()), notes, gains)

    def __repr__(self) -> str:
        gain = f"{self.gain:+,.6g} [{self.gain_lo:+,.6g}, {self.gain_hi:+,.6g}]"
        return f"Decisions({self.rows['date'].iloc[0]}, series={len(self.rows)}, expected gain {gain})"

    @property
    def changed(self) -> int:
        """How many prices change."""
        return int(((self.rows["price"] / self.rows["current_price"] - 1).abs() > SAME).sum())

    def csv(self) -> str:
        """The rows as CSV text; names that a spreadsheet would run as a formula begin with an apostrophe."""
        return csv(self.rows, ("location", "item", "currency"))


def decide(
    market: Market,
    policy: Policy,
    own: SalesPanel,
    latest: SalesPanel | None,
    stock: Stock | None,
    seed: int,
    explain: bool = False,
) -> Decisions:
    """Price and order of every series for the period right after the latest table.

    Prices have the decimals of the table's own.

    Of those that are sold there and then: what the market does not know, what the latest table lacks and what
    has ended is left out and named.

    The expected gain of a series is what its new price adds to the expected margin of its location in that
    one period, the other items at their new prices, against keeping its current price: its own margin and
    what it takes from or gives to the others. Expected sales are capped by the stock at hand. The interval is
    over all customers that the data leave possible: both ends of the own elasticity's 90% interval, and the
    other form of substitution.

    Args:
        market: a fitted market.
        policy: who decides.
        own: the panel that the market was fitted on.
        latest: the latest sales table, which carries it on; None where there is none.
        stock: on hand and on order (S, I), NaN where unknown; the economics' initial cover where None.
        seed: for policies that draw.
        explain: add the parts of each price and order (``explained``).
    """
    return decided(Standing.of(market, own, latest, seed), policy, stock, explain)


Adjust = Callable[[Decision, State], Decision]  # what a shop does to decisions that keep its rules


def decided(
    standing: Standing,
    policy: Policy,
    stock: Stock | None,
    explain: bool = False,
    adjust: Adjust | None = None,
    locations: Collection[str] | None = None,
) -> Decisions:
    """The same of a market whose history was read before.

    Args:
        standing: where the market stands.
        policy: who decides, on the whole market.
        stock: as for ``decide``.
        explain: likewise.
        adjust: moves prices and orders before it is told what they bring.
        locations: that are told of; all where None.
    """
    market = standing.market
    told = standing.sold if locations is None else standing.sold & standing.at(locations)
    with torch.no_grad():
        state = standing.state(stock)
        wanted = policy.decide(standing.view(state))
        decision = enforce(wanted, state, market)
        tags = rounded(decision.price[0], state.last_price[0], market, standing.decimals)
        decision = replace(decision, price=tags.unsqueeze(0))
        if adjust is not None:
            decision = adjust(decision, state)
        outcome = _outcome(standing, state, decision)
        expected = {name: getattr(outcome, name) for name in ("units", "gain", "gain_lo", "gain_hi")}
        expected |= {"price": decision.price, "order": decision.order}
        refuse_non_finite(expected, f"in the decisions of {policy.name}")
        reasons = _reasons(market, state, wanted, decision, outcome, 10.0**-standing.decimals)
    known = np.zeros(market.shape, bool) if stock is None else np.isfinite(stock[0])
    series = standing.panel.series[told]
    rows = _rows(standing, series, state, decision, outcome, reasons, known)
    if explain:
        rules = _rules(market, state, wanted)[tuple(series.T)]
        found = explain_decision(policy, market, state, standing.ordinary)
        rows = with_parts(rows, found, series, standing.decimals, rules)
    by_location = pd.DataFrame(outcome.by_location.T.double().cpu().numpy(), index=market.locations)
    return Decisions.together(rows, by_location.iloc[np.unique(series[:, 0])], standing.notes)


@dataclass(frozen=True)
class _Outcome:
    """What a decision is expected to bring in the coming period, each (S, I)."""

    gain: Tensor  # margin that the series' new price adds to its location, the others at their new ones
    gain_lo: Tensor
    gain_hi: Tensor
    own_gain: Tensor  # of which its own
    earns: Tensor  # its own margin at the new price
    dearer: Tensor  # margin of the location that a nudge up, of this price alone, adds
    cheaper: Tensor  # … and a nudge down
    units: Tensor  # sold
    demand: Tensor
    demand_before: Tensor  # at its current price, the others at their new ones
    elasticity: Tensor  # own, at the new price
    at_hand: Tensor
    by_location: Tensor  # (K, S) all prices changed against all kept, by customers; the usual ones last


def _outcome(standing: Standing, state: State, decision: Decision) -> _Outcome:
    market = standing.market
    new, old = decision.price[0], state.last_price[0]
    each = torch.arange(len(market.items), device=new.device)

    def with_one(other: Tensor) -> Tensor:
        """(I, S, I) new prices, but for one item at a time that has its ``other``."""
        lists = new.repeat(len(each), 1, 1)
        lists[each, :, each] = other.T
        return lists

    def its_own(values: Tensor) -> Tensor:
        """(S, I) of values (I, S, I) what is the one item's own."""
        return values[each, :, each].T

    at_hand = state.on_hand[0] + (decision.order[0] if market.economics.lead_time == 0 else 0.0)

    def margin(prices: Tensor, demand: Tensor) -> Tensor:
        return (prices - market.terms.unit_cost) * torch.minimum(demand, at_hand)

    kept = torch.cat([new[None], old[None], with_one(old)])
    gains, totals = [], []
    for customers in (*standing.others, standing.usual):  # the usual ones last, to go on with
        demand = customers.expected(kept)
        earned = margin(kept, demand)
        gains.append(earned[0].sum(-1, keepdim=True) - earned[2:].sum(-1).T)
        totals.append((earned[0] - earned[1]).sum(-1))
    span = torch.stack(gains)
    nudged = [with_one(new * (1 + way * _NUDGE)) for way in (1, -1)]
    wanted = [standing.usual.expected(prices) for prices in nudged]
    added = [
        margin(prices, d).sum(-1).T - earned[0].sum(-1, keepdim=True)
        for prices, d in zip(nudged, wanted, strict=True)
    ]
    more, less = (its_own(d).clamp(min=1e-12).log() for d in wanted)
    return _Outcome(
        gain=gains[-1],
        gain_lo=span.min(0).values,
        gain_hi=span.max(0).values,
        own_gain=earned[0] - its_own(earned[2:]),
        earns=earned[0],
        dearer=added[0],
        cheaper=added[1],
        units=torch.minimum(demand[0], at_hand),
        demand=demand[0],
        demand_before=its_own(demand[2:]),
        elasticity=(more - less) / math.log((1 + _NUDGE) / (1 - _NUDGE)),
        at_hand=at_hand,
        by_location=torch.stack(totals),
    )


def _reasons(
    market: Market, state: State, wanted: Decision, decision: Decision, outcome: _Outcome, step: float
) -> Callable[[int, int], Known]:
    """What is known of each series' decision, by place and item; prices are ``step`` apart."""
    rules, price = market.economics.price_rules, decision.price[0]
    age = market.by_group.spread(market.by_group.smallest(state.since_change[0], -2), -2)
    position = (state.on_hand + state.pipeline.sum(1) - state.backorders)[0]
    room = torch.full_like(position, torch.inf)
    if market.economics.capacity is not None:
        room = (market.economics.capacity * market.terms.typical_demand).ceil() - position
    moved = bound(wanted, state, market)
    cuts = {name: moved[name][0].cpu().numpy() for name in order_rules(state, market) if name != "capacity"}
    edge = market.supported.at_edge(decision.price)[0]
    usual = market.by_group.spread(market.supported.centre, -2).exp()
    below, above = (  # a limit between two prices binds at the nearer one
        {name: torch.where((price - end).abs() < step, price, end) for name, end in ends.items()}
        for ends in bounds(state.last_price[0], market)
    )
    tried = (edge & (price < usual), edge & (price > usual))
    below = {**below, TRIED: torch.where(tried[0], price, 0.0)}
    above = {**above, TRIED: torch.where(tried[1], price, torch.inf)}
    values = {
        "current": state.last_price[0],
        "price": price,
        "wanted": wanted.price[0],
        "margin": (price - market.terms.unit_cost) / price,
        "position": position,
        "order": decision.order[0],
        "room": room,
        **{f.name: getattr(outcome, f.name) for f in fields(Known) if hasattr(outcome, f.name)},
    }
    told = {name: value.cpu().numpy() for name, value in values.items()}
    sides = [{name: end.cpu().numpy() for name, end in side.items()} for side in (below, above)]
    held = ((age < rules.cadence) & torch.tensor(rules.cadence > 1, device=age.device)).cpu().numpy()

    def of(place: int, item: int) -> Known:
        low, high = ({name: float(end[place, item]) for name, end in side.items()} for side in sides)
        return Known(
            **{name: float(value[place, item]) for name, value in told.items()},
            lasts=market.economics.lead_time + 1,
            order_rule=next((name for name in reversed(cuts) if cuts[name][place, item]), None),
            held=bool(held[place, item]),
            ending=rules.ending,
            below=low,
            above=high,
        )

    return of


def _rules(market: Market, state: State, wanted: Decision) -> np.ndarray:
    """(S, I) names of the price rules that moved what was wanted."""
    out = np.full(market.shape, "", dtype=object)
    moved = bound(wanted, state, market)
    for name in price_rules(state, market):
        here = (moved[name][0].abs() > SAME).cpu().numpy()
        out[here] = [f"{told}, {name}" if told else name for told in out[here]]
    return out


def _rows(
    standing: Standing,
    series: np.ndarray,
    state: State,
    decision: Decision,
    outcome: _Outcome,
    reasons: Callable[[int, int], Known],
    known: np.ndarray,
) -> pd.DataFrame:
    market = standing.market
    place, item = series.T

    def listed(values: Tensor) -> np.ndarray:
        return values.double().cpu().numpy()[place, item]  # rounded in single precision they show it

    def rounded_to_cents(values: Tensor) -> np.ndarray:
        return listed(values).round(2) + 0.0  # without a minus before nothing

    terms, price, current = market.terms, listed(decision.price[0]), listed(state.last_price[0])
    low, high = listed(terms.price_low) * (1 - SAME), listed(terms.price_high) * (1 + SAME)
    alone = [(p < low) | (p > high) for p in (price, current)]
    outside = [listed(market.supported.distance(p)[0]) > 0 for p in (decision.price, state.last_price)]
    together = [out & ~itself for out, itself in zip(outside, alone, strict=True)]
    notes = [
        "; ".join(text for text, holds in zip(_NOTES, row, strict=True) if holds)
        for row in zip(*alone, *together, ~known[place, item], strict=True)
    ]
    told = [reasons(*pair) for pair in zip(place.tolist(), item.tolist(), strict=True)]
    columns: dict[str, Any] = {
        "date": standing.date,
        "location": np.array(market.locations, dtype=object)[place],
        "item": np.array(market.items, dtype=object)[item],
        "current_price": current.round(4),
        "price": price.round(4),
        "order": listed(decision.order[0]).astype(np.int64),
        "on_hand": rounded_to_cents(state.on_hand[0]),
        "expected_units": rounded_to_cents(outcome.units),
        "expected_gain": rounded_to_cents(outcome.gain),
        "gain_lo": rounded_to_cents(outcome.gain_lo),
        "gain_hi": rounded_to_cents(outcome.gain_hi),
        "currency": market.economics.currency,
        "outside_support": outside[0] | outside[1],
        "why": [why(one) for one in told],
        "would_change": ["" if (fact := cheapest_fact(one)) is None else str(fact) for one in told],
        "note": notes,
    }
    return pd.DataFrame(columns)


BEYOND = ("(?:^|; )price outside the supported range", "(?:^|; )prices of the category never tried together")
_NOTES = (
    "price outside the supported range",
    "current price outside the supported range",
    "prices of the category never tried together",
    "current prices of the category never tried together",
    "stock assumed",
)
