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

from ...forecasters.distributions import nb_log_prob, nb_log_survival
from .family import StructuralDemand
from .response import with_own_price
from .retailer import History

_ROUNDS = 12  # Newton steps; the likelihood is all but quadratic in one elasticity
_STEP = 1e-2  # of the difference that measures its curvature
_SETTLED = 200  # rounds of expectation–maximisation, ample for one variance


@dataclass(frozen=True)
class Estimate:
    """Own elasticities by series."""

    value: Tensor  # (S, I) maximum likelihood
    error: Tensor  # (S, I) standard error, from the observed information


def oracle_elasticities(demand: StructuralDemand, history: History) -> Estimate:
    """Maximum likelihood by series, free of the truth it estimates: only price beyond the rule carries it."""
    beyond = (history.price / history.rule_price).log().double()
    state = demand.rows(torch.arange(len(history.price)))
    at_rule = with_own_price(
        lambda price: demand.log_mean(state, price, history.promo), history.price, history.rule_price
    ).double()
    log_r = -demand.dispersion().double().log().expand_as(at_rule)
    empty = history.censored > 0
    sales = history.sales.double()

    def slope(own: Tensor) -> Tensor:
        """(S, I) derivative of each series' log-likelihood."""
        own = own.detach().requires_grad_()
        mean = at_rule + own * beyond
        whole = nb_log_prob(sales[~empty], mean[~empty], log_r[~empty]).sum()
        cut = nb_log_survival(sales[empty], mean[empty], log_r[empty]).sum()
        return torch.autograd.grad(whole + cut, own)[0]

    def curvature(own: Tensor) -> Tensor:
        return (slope(own - _STEP) - slope(own + _STEP)) / (2 * _STEP)

    own = torch.zeros_like(at_rule[0]) - 2.0
    for _ in range(_ROUNDS):
        own = own + (slope(own) / curvature(own)).clamp(-1.0, 1.0)
    return Estimate(own.float(), curvature(own).rsqrt().float())


def shrunk(estimate: Estimate) -> Tensor:
    """(S, I) estimates drawn towards their item's mean, the more the less they are worth.

    Normal–normal empirical Bayes (Efron and Morris 1975, "Data analysis using Stein's estimator"), item by
    item: value ~ N(true, error²), true ~ N(mean, apart²). Mean and apart² are those of largest likelihood,
    by expectation–maximisation.
    """
    value, noise = estimate.value.double(), estimate.error.double() ** 2
    apart = value.var(0, correction=0)
    for _ in range(_SETTLED):
        weight = 1 / (noise + apart)
        mean = (weight * value).sum(0) / weight.sum(0)
        kept = apart * weight
        true = mean + kept * (value - mean)
        apart = ((true - mean) ** 2 + kept * noise).mean(0)
    return true.float()
