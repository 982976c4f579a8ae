"""What goes on at a place, beyond what is usual there: a calendar of its own, and news.

A price-setter who knows that a place has its season, its fair or its holidays moves prices with demand, and
whose regressions do not know it takes one for the effect of the other. What comes back every year, harmonics
and single weeks, the other years show; the rest shows in what other categories sell, there and at places
like it (common correlated effects: Pesaran 2006, doi:10.1111/j.1468-0262.2006.00692.x). Items of one
category say nothing here: an item's own price moves them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..statistics import BLOCK, FOLDS
from .history import HARMONICS

_COLUMNS = 2  # of either
_DRAWN = 10.0  # periods' worth of belief that a location has the chain's season
_NEAR = 2  # periods before and after, that an ordinary one is like
_ONCE = 1.0  # times' worth of belief that a week of the year is an ordinary one
_NOISE = 0.01  # least variance of a series' log demand


def local_calendar(demand: Tensor, rows: Tensor, when: Tensor, year: int) -> Tensor:
    """(T, S, 2) a location's annual harmonic beyond the chain's, and its single weeks; out of fold.

    Args:
        demand: (T, S, I) log demand freed of what prices did.
        rows: (T, S, I) bool, where it was seen.
        when: (T,) time of the year, 0 … 1.
        year: periods in it.
    """
    apart, sudden, seen = _beyond_chain(demand, rows)
    fold = torch.arange(len(demand), device=demand.device) // BLOCK % FOLDS
    out = demand.new_zeros(*seen.shape, _COLUMNS)
    x = _harmonics(when)
    for k in range(FOLDS):
        here, rest = fold == k, fold != k
        near = _overlap(when[here], when[rest], year)
        out[here, :, 0] = (x[here, 1:] @ _harmonic(apart[rest], seen[rest], x[rest])).to(demand)
        out[here, :, 1] = _single(sudden[rest], seen[rest], near).to(demand)
    return out


def local_news(demand: Tensor, rows: Tensor, categories: Tensor) -> Tensor:
    """(T, S, I, 2) mean over the location's items of other categories, and the same over locations like it.

    Args:
        demand: (T, S, I) log demand freed of what prices and the calendar did.
        rows: (T, S, I) bool, where it was seen.
        categories: (I,) int64.
    """
    there = rows.double()
    beyond = _beyond_usual(demand, there)
    weight = there / (beyond.square().sum(0) / there.sum(0).clamp(min=1) + _NOISE)
    others = (categories.unsqueeze(0) != categories.unsqueeze(1)).double()
    total, count = (beyond * weight) @ others, weight @ others
    alike = _alike((beyond * weight).sum(2) / weight.sum(2).clamp(min=1e-6))
    elsewhere = [torch.einsum("sq,tqi->tsi", alike, x) for x in (total, count)]
    means = (a / b.clamp(min=1e-6) for a, b in ((total, count), elsewhere))
    return torch.stack(list(means), dim=-1).to(demand)


def _beyond_chain(demand: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(T, S) float64 a location's mean beyond the chain's, and beyond the periods next to it; where seen."""
    there = rows.double()
    beyond = _beyond_usual(demand, there)
    chain = beyond.sum(1, keepdim=True) / there.sum(1, keepdim=True).clamp(min=1)
    seen, count = rows.any(2), there.sum(2).clamp(min=1)
    apart = ((beyond - chain) * there).sum(2) / count
    return apart, _sudden(beyond.sum(2) / count, seen), seen


def _beyond_usual(demand: Tensor, there: Tensor) -> Tensor:
    """(T, S, I) float64, over the mean of the series; 0 where nothing was seen."""
    demand = torch.where(there > 0, demand.double(), 0.0)
    return (demand - demand.sum(0) / there.sum(0).clamp(min=1)) * there


def _harmonics(when: Tensor) -> Tensor:
    """(N, 1 + C) float64: 1 and the harmonics of times (N,) of the year."""
    angle = 2 * torch.pi * when.double()
    harmonics = [f(k * angle) for k in range(1, HARMONICS + 1) for f in (torch.sin, torch.cos)]
    return torch.stack([torch.ones_like(angle), *harmonics], dim=-1)


def _overlap(one: Tensor, other: Tensor, year: int) -> Tensor:
    """(N, N') share that periods at two times of the year, (N,) and (N',), have in common."""
    gap = (one.unsqueeze(1) - other).abs()
    return (1 - year * torch.minimum(gap, 1 - gap)).clamp(min=0).double()


def _sudden(beyond: Tensor, seen: Tensor) -> Tensor:
    """(T, S) what a period has beyond its neighbours: slow shocks would hide single weeks."""
    weight = seen.to(beyond)
    total, count = torch.zeros_like(beyond), torch.zeros_like(beyond)
    for by in range(1, _NEAR + 1):
        total[by:] += (beyond * weight)[:-by]
        count[by:] += weight[:-by]
        total[:-by] += (beyond * weight)[by:]
        count[:-by] += weight[by:]
    return (beyond - total / count.clamp(min=1)) * weight


def _alike(x: Tensor) -> Tensor:
    """(S, S) squared correlation of what happens at locations, x (T, S); 0 where it is opposed."""
    x = x / x.square().sum(0).sqrt().clamp(min=1e-9)
    return (x.T @ x).clamp(min=0).square()


def _harmonic(apart: Tensor, seen: Tensor, x: Tensor) -> Tensor:
    """(C, S) weights of the harmonics x (T, 1 + C), the first column of which is 1."""
    gram = torch.einsum("tc,ts,td->scd", x, seen.to(x), x)
    prior = x.new_full((x.shape[1],), _DRAWN)
    prior[0] = 1e-3
    return torch.linalg.solve(gram + prior.diag(), (x.T @ (apart * seen)).T).T[1:]


def _single(sudden: Tensor, seen: Tensor, same: Tensor) -> Tensor:
    """(T', S) what the same weeks of other years had, pooled over locations that are alike."""
    alike = _alike(sudden)
    return (same @ sudden @ alike) / (same @ seen.to(sudden) @ alike + _ONCE)
