"""Demand behind a stock-out where its tail is heavier than the count distribution's.

Stock that is planned with error censors at random levels, so that the tail shows between the shelves that
held more: the product-limit estimate (Kaplan and Meier 1958, doi:10.1080/01621459.1958.10501452; of censored
demand: Huh et al. 2011, doi:10.1287/opre.1100.0906) asks for no family of distributions. Where there is
nothing beyond the largest value its mass is put there (Efron 1967).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .distributions import nb_mean_above, nb_mixture_cdf
from .luck import gamma_share

_TAIL = 0.99  # quantile of the fitted distribution beyond which a tail is looked at
_HEAVY = 2.0  # times what should lie there, over all items, from which on it counts as heavier
_LUCK = 0.5  # share of the market's luck in an item's variance; below, counts are too small to have a ratio


def wanted(
    units: Tensor, censored: Tensor, known: Tensor, log_mean: Tensor, log_r: Tensor, grain: Tensor
) -> Tensor:
    """(T, S, I) units wanted: sales; where stock ran out, what is expected of those who met the empty shelf.

    By the count distribution, or by the product limit of demand over its forecast where the items' tails
    together hold far more than the distribution says.

    Args:
        units, censored, known: (T, S, I) sales, share of the period out of stock, whether observed.
        log_mean, log_r: (T, S, I, M) of the forecast's members.
        grain: (I,) units a count stands for.
    """
    mean, out = log_mean.exp().mean(-1), (censored > 0) & known
    above = nb_mean_above(units / grain, (mean / grain).log(), log_r.mean(-1)) * grain
    share = gamma_share(log_mean, log_r, known, grain)
    at = nb_mixture_cdf(units, log_mean, log_r, grain)
    below = nb_mixture_cdf(units - grain, log_mean, log_r, grain)
    rank = torch.where(out, below, (at + below) / 2)
    items = [i for i in range(len(share)) if share[i] > _LUCK and bool(out[:, :, i].any())]
    beyond = [_beyond(rank[:, :, i][known[:, :, i]], out[:, :, i][known[:, :, i]]) for i in items]
    if beyond and sum(beyond) / len(beyond) > _HEAVY * (1 - _TAIL):
        for i in items:
            seen = known[:, :, i]
            ratio = mean_beyond((units / mean)[:, :, i][seen], out[:, :, i][seen])
            above[:, :, i][seen] = ratio * mean[:, :, i][seen]
    return torch.where(out, above, units)


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
