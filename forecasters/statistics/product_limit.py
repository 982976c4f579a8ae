"""Demand behind a stock-out where its tail is heavier than the count distribution's.

Stock that is planned with error censors at random levels, so that the tail shows between the shelves that
held more: the product-limit estimate (Kaplan and Meier 1958, doi:10.1080/01621459.1958.10501452; of censored
demand: Huh et al. 2011, doi:10.1287/opre.1100.0906) asks for no family of distributions. Where there is
nothing beyond the largest value its mass is put there (Efron 1967).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .common_shocks import gamma_share
from .distributions import nb_mixture_cdf
from .stock_outs import StockOuts, expected_demand

_TAIL = 0.99  # quantile of the fitted distribution beyond which a tail is looked at
_HEAVY = 2.0  # times what should lie there, over all items, from which on it counts as heavier
_SHOCKS = 0.5  # share of common shocks in an item's variance; below, counts are too small to have a ratio


def uncensored(
    units: Tensor, stock_outs: StockOuts, known: Tensor, log_mean: Tensor, log_r: Tensor, grain: Tensor
) -> Tensor:
    """(T, S, I) units wanted: sales, and what is expected of those who met an empty shelf.

    By the count distribution. Where sales are a lower bound of a whole period's demand, by the product limit
    of demand over its forecast, if the items' tails together hold far more than the distribution says.

    Args:
        units, known: (T, S, I) sales, whether observed.
        stock_outs: how these rows were seen.
        log_mean, log_r: (T, S, I, M) of the forecast's members.
        grain: (I,) units a count stands for.
    """
    if stock_outs.never:
        return units
    mean = log_mean.exp().mean(-1)
    demand = expected_demand(units / grain, mean / grain, log_r.mean(-1), stock_outs) * grain
    bound = stock_outs.bound & (stock_outs.exposure == 1) & known
    out = ~stock_outs.whole
    share = gamma_share(log_mean, log_r, known, grain)
    items = [i for i in range(len(share)) if share[i] > _SHOCKS and bool(bound[:, :, i].any())]

    def beyond(i: int) -> float:
        seen = known[:, :, i]
        mean, spread = (x[:, :, i][seen].unsqueeze(1) for x in (log_mean, log_r))  # (N, 1, M)
        sold, empty = units[:, :, i][seen].unsqueeze(1), out[:, :, i][seen]
        below, at = (part[:, 0] for part in nb_mixture_cdf(sold, mean, spread, grain[i : i + 1]))
        return _beyond(torch.where(empty, below, (at + below) / 2), empty)

    found = [beyond(i) for i in items]
    if found and sum(found) / len(found) > _HEAVY * (1 - _TAIL):
        for i in items:
            seen, fixed = known[:, :, i], bound[:, :, i]
            ratio = mean_beyond((units / mean)[:, :, i][seen], out[:, :, i][seen])
            above = demand[:, :, i].clone()
            above[seen] = ratio * mean[:, :, i][seen]
            demand[:, :, i] = torch.where(fixed, above, demand[:, :, i])
    return demand


def product_limit(values: Tensor, censored: Tensor) -> tuple[Tensor, Tensor]:
    """Order (N,) of values, those that are only lower bounds last among equals, and the mass (N,) of each."""
    order = torch.argsort(censored.byte(), stable=True)  # by two keys: the second first
    order = order[torch.argsort(values[order], stable=True)]
    certain = ~censored[order]
    certain[-1] = True
    at_risk = torch.arange(len(order), 0, -1, dtype=torch.float64, device=values.device)
    left = torch.where(certain, 1 - 1 / at_risk, 1.0).cumprod(0)
    before = torch.cat([left.new_ones(1), left[:-1]])
    return order, before - left


def mean_beyond(values: Tensor, censored: Tensor) -> Tensor:
    """(N,) mean of all values (N,) that are at least as large, where some are only lower bounds."""
    order, mass = product_limit(values, censored)
    ordered = values[order].double()
    weight, total = (x.flip(0).cumsum(0).flip(0) for x in (mass, mass * ordered))
    out = torch.empty_like(values)
    out[order] = (total / weight.clamp(min=1e-300)).to(values.dtype)
    return torch.maximum(out, values)


def _beyond(rank: Tensor, censored: Tensor) -> float:
    """Mass of ranks (N,) in 0 … 1 beyond ``_TAIL``."""
    order, mass = product_limit(rank, censored)
    return float(mass[rank[order] > _TAIL].sum())
