"""Showing customers what earns most in the simulated market, with its stock and its memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..envs.market import Market
from ..envs.processes import CustomerMarket
from ..forecasters.customers import Lift, Popular, Recommender, WorthMost, lifted, slates
from ..forecasters.errors import InputError
from .evaluation import earned
from .policy import Policy
from .seeds import seed_for

CANDIDATES: tuple[Recommender, ...] = (Popular(), *(WorthMost(power) for power in (0.0, 0.5, 1.0, 2.0)))
"""Popularity, taste alone, and taste with more and more weight on what a unit leaves."""


def showing(market: Market, recommender: Recommender, length: int, effect: Lift) -> Market:
    """The market whose customers are shown ``length`` items each by a recommender.

    Raises:
        InputError: its customers are not known one by one.
    """
    market = market.remembered
    demand = market.demand
    if not isinstance(demand, CustomerMarket):
        raise InputError(
            f"{market.name}: expected a market with customers (fitted with --events), found none"
        )
    margin = market.terms.reference_price - market.terms.unit_cost
    shown = slates(recommender, demand.population, margin, length)
    return market.with_demand(demand.showing(lifted(shown, effect)))


def learned_recommender(
    market: Market,
    policy: Policy,
    length: int,
    effect: Lift,
    seed: int = 0,
    episodes: int = 32,
    horizon: int = 26,
    candidates: Sequence[Recommender] = CANDIDATES,
) -> tuple[Recommender, dict[str, float]]:
    """Of some recommenders the one that earns most beside a policy's prices and orders, and what each earns.

    The same simulated customers meet all of them; profits are means of an episode.

    Raises:
        InputError: the market's customers are not known one by one.
    """
    some = torch.arange(episodes)
    worth = {}
    for one in candidates:
        profit, _ = earned(
            showing(market, one, length, effect), policy, some, horizon, seed_for("show", seed)
        )
        worth[one.name] = float(profit.sum((1, 2)).mean())
    best = max(candidates, key=lambda one: worth[one.name])
    return best, worth
