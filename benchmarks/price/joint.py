"""Many prices moved at once, the learned market against the true one.

Expected units of a week in which all prices of a category, or of the shop, are multiplied, or half of them
raised and half lowered, mean of the last year's weeks as each began. Then the price list that earns most in
the learned market, kept for ever: what it earns in the true one, as a share of the list that is best there
among all that the history supports. Nobody promotes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mercato.agents.baselines.myopic import best_price
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.store import learned_terms
from mercato.envs.structural import true_market
from mercato.forecasters.simulation.demand import DemandProcess
from mercato.forecasters.tensors.noise import NoiseKey

from .elasticities import Row
from .market import Drawn, Studied

_WEEKS = 52
_MULTIPLES = (0.85, 1.15)
_ITERATIONS = 60

Units = Callable[[Tensor], Tensor]
"""Prices (S, I) → expected units (…, I)."""


def joint_moves(market: Studied) -> Row:
    """Largest relative errors of units, and the profit of the best list."""
    weeks = _last_year(market)
    zero = torch.zeros_like(weeks)
    learned = market.unpromoted, market.unpromoted.reset(weeks, NoiseKey(0, zero, zero, zero))
    true = market.truth.demand, market.truth.demand.rows(weeks)
    return joint_errors(market, partial(_expected, *learned)) | _lists(market, learned, true)


def joint_errors(market: Drawn, told: Units) -> Row:
    """Largest relative errors of what ``told`` says of units."""
    truth = market.truth.demand
    true = partial(_expected, truth, truth.rows(_last_year(market)))
    category = true_market(market.truth).by_category.index
    whole = torch.ones_like(category, dtype=torch.bool)
    turn = torch.arange(len(category)) % 2 == 0

    def error(multiple: Tensor, of: Tensor) -> float:
        """Of the change of the units of some items (I,) bool at multiples (I,) of reference prices."""

        def change(units: Units) -> float:
            moved, usual = (units(market.reference * m)[..., of].sum() for m in (multiple, torch.ones(())))
            return float(moved / usual)

        return change(told) / change(true) - 1

    def moved(multiple: float, which: Tensor) -> Tensor:
        return torch.where(which, multiple, 1.0)

    of_category = [
        error(moved(m, category == c), category == c) for m in _MULTIPLES for c in category.unique()
    ]
    of_shop = [error(moved(m, whole), whole) for m in _MULTIPLES]
    low, high = _MULTIPLES
    of_half = [error(torch.where(up, high, low), whole) for up in (turn, ~turn)]
    return {
        "joint_category": max(map(abs, of_category)),
        "joint_shop": max(map(abs, of_shop)),
        "joint_half": max(map(abs, of_half)),
    }


def _last_year(market: Drawn) -> Tensor:
    periods = market.panel.periods
    return torch.arange(max(1, periods - _WEEKS), periods)


def _expected(demand: DemandProcess, state: Any, price: Tensor) -> Tensor:
    """(B, S, I) of prices (S, I) or (B, S, I)."""
    return demand.expected(state, price.expand(len(demand.outlook(state).mean), *price.shape[-2:]))


def _lists(market: Studied, learned: tuple[DemandProcess, Any], true: tuple[DemandProcess, Any]) -> Row:
    shop = true_market(market.truth)
    terms = learned_terms(market.learned, market.panel, Economics())
    shop = replace(shop, terms=replace(terms, unit_cost=shop.terms.unit_cost))

    def profit(of: tuple[DemandProcess, Any], price: Tensor) -> float:
        return float(((price - shop.terms.unit_cost) * _expected(*of, price)).sum((1, 2)).mean())

    best = {name: _best(shop, of) for name, of in (("learned", learned), ("true", true))}
    most = profit(true, best["true"])
    logged = market.learned.history.log_price[-_WEEKS:].exp()
    earned = profit(true, best["learned"])
    return {
        "list_share": earned / most,
        "list_share_logged": profit(true, logged) / most,
        "list_share_reference": profit(true, market.reference) / most,
        "list_promised": profit(learned, best["learned"]) / earned,
        "list_far": float(shop.supported.distance(best["learned"]).max()),
    }


def _best(shop: Market, of: tuple[DemandProcess, Any]) -> Tensor:
    """(S, I) supported prices that earn most."""

    def profit(price: Tensor) -> Tensor:
        sold = _expected(*of, price[0]).mean(0, keepdim=True)
        return (price - shop.terms.unit_cost) * sold

    return best_price(profit, shop, [shop.terms.reference_price.unsqueeze(0)], iterations=_ITERATIONS)[0]
