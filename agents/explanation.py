"""Why a policy decides what it decides: from what it ordinarily decides for a series to what it decides now.

Ordinary is the mean of its decisions for the same series at periods of the last year, as the table has them,
with the stock that is assumed where none is given, if every series had the unit cost, the range of tried
prices (both as shares of its reference price) and the own elasticity of the middle one. What moves a decision
away from that is shared out among groups of what a policy sees: Shapley values, exactly, over all orders in
which the groups are told. A group is told of all series at once, since a policy looks across.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, combinations, permutations

import numpy as np
import torch
from torch import Tensor

from ..envs.engine import tree
from ..envs.engine.types import State
from ..envs.engine.view import View
from ..envs.market import Market
from ..envs.simulator import Simulator
from ..forecasters.simulation import LearnedDemand
from ..forecasters.statistics import Explanation, shapley
from ..forecasters.tensors import Cut
from .policy import Policy

_PERIODS = 13  # of the last year, whose mean is ordinary
_AT_ONCE = 2**18  # series that are decided for together: it bounds the memory
_FIELDS = {  # of a state, that each group of what passes tells of
    "stock": ("on_hand", "cohorts", "pipeline", "backorders"),
    "prices before": ("last_price", "since_change"),
    "past demand": ("last_sales",),
    "calendar": ("start", "age"),
}
_LASTING = ("unit costs", "tried prices", "price response")
GROUPS = (*_FIELDS, *_LASTING)


@dataclass(frozen=True)
class Ordinary:
    """What decisions in a fitted market are compared with."""

    past: State  # (K) at the periods whose mean is ordinary
    unit_cost: Tensor  # () the middle series', as a share of its reference price
    price_low: Tensor  # () likewise
    price_high: Tensor  # () likewise
    own: Tensor  # () own elasticity of the middle series

    @staticmethod
    @torch.no_grad()
    def of(market: Market) -> Ordinary:
        dates, terms, demand = _last_year(market), market.terms, market.demand
        assert isinstance(demand, LearnedDemand)  # only a fitted one has a table
        past = _bare(Simulator(market, len(dates), 1, 0, evaluation=True).initial_state(dates))
        cost, low, high = (
            (price / terms.reference_price).median()
            for price in (terms.unit_cost, terms.price_low, terms.price_high)
        )
        return Ordinary(past, cost, low, high, demand.response.own.median())

    def select(self, cut: Cut) -> Ordinary:
        """The same for a sub-market: the middle series stays that of the whole."""
        return replace(self, past=self.past.select(cut))


@torch.no_grad()
def explain_decision(
    policy: Policy, market: Market, state: State, ordinary: Ordinary | None = None
) -> Explanation:
    """What each of ``GROUPS`` adds to the price and the order that a policy wants, each (2, S, I).

    In money and in units, before price rules and capacity, which come after the policy.

    Args:
        policy: who decides.
        market: a fitted market.
        state: the one market (B = 1) that is decided for.
        ordinary: what it is compared with; the ordinary of the market where None.
    """
    demand: LearnedDemand = market.demand  # type: ignore[assignment]  # only a fitted one has a table
    dates, ordinary = _last_year(market), Ordinary.of(market) if ordinary is None else ordinary
    past = ordinary.past
    now = tree.each(lambda x: x.expand(len(dates), *x.shape[1:]), _bare(state))
    sold = demand.history.listed[dates]
    weight = torch.where(sold.any(0), sold, True).double()  # periods that count for a series
    size = max(1, _AT_ONCE // sold.numel())
    passing, worth = list(_subsets(_FIELDS)), dict[frozenset[str], np.ndarray]()
    for lasting in _subsets(_LASTING):
        shop = _told(market, ordinary, lasting)
        for first in range(0, len(passing), size):
            some = passing[first : first + size]
            seen = [_mixed(demand, past, now, told) for told in some]
            batch = tree.each(lambda *parts: torch.cat(parts), *seen)
            decision = policy.decide(View(shop, batch, shop.demand.outlook(batch.demand)))
            both = torch.stack([decision.price, decision.order]).double().unflatten(1, (len(some), -1))
            means = (both * weight).sum(2) / weight.sum(0)
            worth |= {told | lasting: means[:, k].cpu().numpy() for k, told in enumerate(some)}
    return shapley(worth.__getitem__, GROUPS, permutations(GROUPS))


def _subsets(groups: Iterable[str]) -> Iterable[frozenset[str]]:
    names = list(groups)
    return map(frozenset, chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))


def _last_year(market: Market) -> Tensor:
    """(K,) int64 calendar indices of periods evenly spread over the last year of the table."""
    demand: LearnedDemand = market.demand  # type: ignore[assignment]
    last = demand.periods - 1
    first = min(max(market.first_start, demand.periods - demand.history.year, 1), last)
    return torch.linspace(first, last, min(_PERIODS, last - first + 1), device=market.device).round().long()


def _bare(state: State) -> State:
    """The state without what the network remembers, which is for playing on."""
    return replace(state, demand=replace(state.demand, memory=None))


def _mixed(demand: LearnedDemand, past: State, now: State, told: frozenset[str]) -> State:
    """The states now (K the same) in what is ``told``, those of the past (K) in what is not."""
    sources = {group: now if group in told else past for group in _FIELDS}
    parts = {name: getattr(sources[group], name) for group, names in _FIELDS.items() for name in names}
    carryover = sources["prices before"].demand.carryover
    known = replace(sources["past demand"].demand, carryover=carryover)
    return replace(now, **parts, demand=demand.at_date(known, sources["calendar"].demand.date))


def _told(market: Market, ordinary: Ordinary, told: frozenset[str]) -> Market:
    """The market with the middle series' cost, range and own elasticity for all where they are not told."""
    terms, demand = market.terms, market.demand
    assert isinstance(demand, LearnedDemand)
    usual = terms.reference_price
    if "unit costs" not in told:
        terms = replace(terms, unit_cost=ordinary.unit_cost * usual)
    if "tried prices" not in told:
        low, high = ordinary.price_low * usual, ordinary.price_high * usual
        terms = replace(terms, price_low=low, price_high=high, lists=None)
    if "price response" not in told:
        own = ordinary.own.expand_as(demand.response.own)
        demand = demand.responding(replace(demand.response, own=own))
    return replace(market, terms=terms, demand=demand)
