"""The floor: what could be learned of own elasticities by one who knows all else.

The oracle knows what demand would have been at the price that the retailer's rule called for, and that price.
Left to estimate is the answer to the rest of the price, by the exact likelihood of each series' own sales: a
stock-out says only that demand was at least what was sold. No estimator that must also learn base demand and
the rule from the same table does better without borrowing between series.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...forecasters.distributions import nb_log_prob, nb_log_survival
from .log_linear import LogLinearDemand
from .retailer import History

_ROUNDS = 8  # Newton steps; the likelihood is all but quadratic in one elasticity
_STEP = 1e-2  # of the difference that measures its curvature


@dataclass(frozen=True)
class Estimate:
    """Own elasticities by series."""

    value: Tensor  # (S, I) maximum likelihood
    error: Tensor  # (S, I) standard error, from the observed information


def oracle_elasticities(demand: LogLinearDemand, history: History) -> Estimate:
    """Maximum likelihood by series, free of the truth it estimates: only price beyond the rule carries it."""
    beyond = (history.price / history.rule_price).log().double()
    weeks = torch.arange(len(history.price))
    log_mean = demand.log_mean(demand.rows(weeks), history.price, history.promo).double()
    at_rule = log_mean - demand.own() * beyond
    log_r = -demand.parameters.dispersion.double().log().expand_as(at_rule)
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
