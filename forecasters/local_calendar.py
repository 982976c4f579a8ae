"""A calendar for each place: seasons and holiday weeks that differ from the chain's.

What all items of a location have in common beyond the chain, period by period, has a part that comes back
every year: a wave, and single weeks. A price-setter who knows it moves prices with demand, and whose
regressions do not know it takes one for the effect of the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .cross_fit import BLOCK, FOLDS

_DRAWN = 20.0  # periods' worth of belief that a location has the chain's season
_NEAR = 2  # periods before and after, that an ordinary one is like
_ONCE = 1.0  # times' worth of belief that a week of the year is an ordinary one


def local_calendar(values: Tensor, rows: Tensor, waves: Tensor, when: Tensor, year: int) -> Tensor:
    """(T, S, 2·R) what the calendar says of each location beyond the chain, out of fold.

    Args:
        values: (T, S, I, R) what is looked at.
        rows: (T, S, I) bool, where it was seen.
        waves: (T, C) harmonics of the year.
        when: (T,) time of the year, 0 … 1.
        year: periods in it.
    """
    whole, beyond, seen = _by_place(values, rows)
    sudden = _sudden(whole, seen)
    fold = torch.arange(len(values), device=values.device) // BLOCK % FOLDS
    apart = (when.unsqueeze(1) - when).abs()
    same = (1 - year * torch.minimum(apart, 1 - apart)).clamp(min=0)  # (T, T) overlap in other years
    out = torch.zeros(*beyond.shape[:2], 2, beyond.shape[-1], dtype=torch.float64, device=values.device)
    for k in range(FOLDS):
        here = fold == k
        out[here] = _fitted(
            beyond[~here], sudden[~here], seen[~here], waves[~here], waves[here], same[here][:, ~here]
        )
    return out.flatten(2).to(values)


def _by_place(values: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(T, S, R) mean over items, and of what the chain's mean leaves; whether any was seen (T, S)."""
    there = rows.unsqueeze(-1).double()
    values = torch.where(rows.unsqueeze(-1), values, 0.0).double()
    usual = values.sum(0) / there.sum(0).clamp(min=1)
    values = (values - usual) * there
    chain = values.sum(1, keepdim=True) / there.sum(1, keepdim=True).clamp(min=1)
    count = there.sum(2).clamp(min=1)
    return values.sum(2) / count, ((values - chain) * there).sum(2) / count, rows.any(2)


def _sudden(beyond: Tensor, seen: Tensor) -> Tensor:
    """(T, S, R) what a period has beyond its neighbours: slow shocks would hide single weeks."""
    weight = seen.unsqueeze(-1).double()
    total, count = torch.zeros_like(beyond), torch.zeros_like(weight)
    for by in range(1, _NEAR + 1):
        total[by:] += (beyond * weight)[:-by]
        count[by:] += weight[:-by]
        total[:-by] += (beyond * weight)[by:]
        count[:-by] += weight[by:]
    return (beyond - total / count.clamp(min=1)) * weight


def _alike(sudden: Tensor) -> Tensor:
    """(S, S) squared correlation of locations' single periods, 0 where they go against each other."""
    flat = (sudden / sudden.square().mean((0, 1)).sqrt().clamp(min=1e-9)).permute(1, 0, 2).flatten(1)
    norm = flat.square().sum(1).sqrt().clamp(min=1e-9)
    return ((flat @ flat.T) / norm / norm.unsqueeze(1)).clamp(min=0).square()


def _fitted(
    beyond: Tensor, sudden: Tensor, seen: Tensor, waves: Tensor, wanted_waves: Tensor, same: Tensor
) -> Tensor:
    """(T', S, 2, R) the wave and the single weeks of ``wanted`` periods, from others."""
    x = torch.cat([torch.ones_like(waves[:, :1]), waves], dim=1).double()
    weight = seen.double()
    gram = torch.einsum("tc,ts,td->scd", x, weight, x)
    prior = x.new_full((x.shape[1],), _DRAWN / 2)
    prior[0] = 1e-3
    slopes = torch.linalg.solve(gram + prior.diag(), torch.einsum("tc,ts,tsr->scr", x, weight, beyond))
    slopes[:, 0] = 0.0  # a location's level is no calendar
    alike = _alike(sudden)
    total = torch.einsum("sq,wt,tqr->wsr", alike, same, sudden)
    times = torch.einsum("sq,wt,tq->ws", alike, same, weight)
    single = total / (times + _ONCE).unsqueeze(-1)
    wanted = torch.cat([torch.ones_like(wanted_waves[:, :1]), wanted_waves], dim=1).double()
    return torch.stack([torch.einsum("tc,scr->tsr", wanted, slopes), single], dim=2)
