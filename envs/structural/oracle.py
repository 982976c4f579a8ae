"""The floor: what could be learned of own elasticities by one who knows all else.

The oracle knows what demand would have been at the price that the retailer's rule called for, and that price.
Left to estimate is the answer to the rest of the price, by the exact likelihood of each series' own sales: a
stock-out says only that demand was at least what was sold. No estimator that must also learn base demand and
the rule from the same table does better without borrowing between series; ``shrunk`` borrows.

Where elasticity changes with price or season the oracle takes it as one number a series, about right near the
price of the rule; where the rule saw a shock, so does the oracle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...forecasters.statistics import StockOuts, nb_log_prob, nb_log_survival
from .family import StructuralDemand
from .response import with_own_price
from .retailer import History

_ROUNDS = 12  # Newton steps; the likelihood is all but quadratic in one elasticity
_STEP = 1e-2  # of the difference that measures its curvature
_SETTLED = 200  # rounds of expectation–maximisation, ample for one variance


@dataclass(frozen=True)
class Estimate:
    """Own elasticities by series."""

    value: Tensor  # (S, I) maximum likelihood; NaN where a location never sold the item
    error: Tensor  # (S, I) standard error, from the observed information


def oracle_elasticities(demand: StructuralDemand, history: History) -> Estimate:
    """Maximum likelihood by series, free of the truth it estimates: only price beyond the rule carries it."""
    beyond = (history.price / history.rule_price).log().double()
    state = demand.rows(torch.arange(len(history.price)))
    at_rule = with_own_price(
        lambda price: demand.log_mean(state, price, history.promo), history.price, history.rule_price
    ).double()
    log_r = -demand.dispersion().double().log().expand_as(at_rule)
    listed = demand.shop.assortment(len(history.price))
    seen = StockOuts.of(history.censored)
    at_rule = at_rule + seen.exposure.log()
    empty, full = seen.bound & listed, ~seen.bound & listed
    sales = history.sales.double()

    def slope(own: Tensor) -> Tensor:
        """(S, I) derivative of each series' log-likelihood."""
        own = own.detach().requires_grad_()
        mean = at_rule + own * beyond
        whole = nb_log_prob(sales[full], mean[full], log_r[full]).sum()
        cut = nb_log_survival(sales[empty], mean[empty], log_r[empty]).sum()
        return torch.autograd.grad(whole + cut, own)[0]

    def curvature(own: Tensor) -> Tensor:
        return (slope(own - _STEP) - slope(own + _STEP)) / (2 * _STEP)

    own = torch.zeros_like(at_rule[0]) - 2.0
    for _ in range(_ROUNDS):
        own = own + (slope(own) / curvature(own).clamp(min=1e-9)).clamp(-1.0, 1.0)
    sold = listed.any(0)
    return Estimate(*(x.float().where(sold, torch.nan) for x in (own, curvature(own).rsqrt())))


def shrunk(estimate: Estimate) -> Tensor:
    """(S, I) estimates drawn towards their item's mean, the more the less they are worth.

    Normal–normal empirical Bayes (Efron and Morris 1975, "Data analysis using Stein's estimator"), item by
    item: value ~ N(true, error²), true ~ N(mean, apart²). Mean and apart² are those of largest likelihood,
    by expectation–maximisation.
    """
    sold = estimate.value.isfinite()  # NaN where a location never sold the item
    value, noise = estimate.value.double().nan_to_num(), estimate.error.double().nan_to_num(1.0) ** 2
    number = sold.sum(0)
    apart = ((value - (value * sold).sum(0) / number).square() * sold).sum(0) / number
    for _ in range(_SETTLED):
        weight = sold / (noise + apart)
        mean = (weight * value).sum(0) / weight.sum(0)
        kept = apart / (noise + apart)
        true = mean + kept * (value - mean)
        apart = (((true - mean) ** 2 + kept * noise) * sold).sum(0) / number
    return true.float().where(sold, torch.nan)
