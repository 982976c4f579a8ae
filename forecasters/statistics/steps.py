"""Lasting steps in the level of single series: a shelf that moved, a rival next door that closed.

A regression on the past takes a step for a shock that dies out, and goes back to a level that is a mean of
before and after. Here a step is told from shocks: series by series, against what its item does at other
locations and its location with other items, as a difference of means before and after that is larger than
chance makes it anywhere in the table (a test for one break at an unknown date: Andrews 1993,
doi:10.2307/2951764). Chance is measured, not assumed, since shocks that last a while are alike to steps: by
the differences of all series at the same date, and by the series' own means over blocks of periods.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .mixed import BLOCK
from .terms import student

LEAST = 8  # periods before a step and after it
_FALSE = 0.01  # chance that a table without any step shows one
_EXACT = 0.01  # least error of a mean, in logs
_DATES = 8  # of a series at which a step could be, as if they were independent
_MEDIAN = 0.4549  # of a squared standard normal
_FEW = 50  # series' worth of belief that all dates are alike
_PASSES = 6  # a step hides the smaller ones of its item and location


def lasting_steps(demand: Tensor, seen: Tensor) -> Tensor | None:
    """What a series' level was over that at the end (T, S, I), in logs, of those that stepped; else None.

    Args:
        demand: (T, S, I) log demand freed of prices.
        seen: (T, S, I) bool, where it was observed.
    """
    found = torch.zeros_like(demand)
    for _ in range(_PASSES):
        more = _largest(demand - found, seen)
        if more is None:
            break
        found = found + more
    return found if bool(found.any()) else None


def _largest(demand: Tensor, seen: Tensor) -> Tensor | None:
    """The step of each series that is clear, and the clearest one of its location and of its item."""
    apart, weight = _apart(demand, seen), seen.to(demand)
    size, clear = _clearest(apart, weight)
    strength, when = clear.max(0)
    first = (strength >= strength.amax(0, keepdim=True)) & (strength >= strength.amax(1, keepdim=True))
    stepped = first & (strength > 1)
    if not bool(stepped.any()):
        return None
    by = size.gather(0, when.unsqueeze(0))[0] * stepped
    before = torch.arange(len(demand), device=demand.device).view(-1, 1, 1) < when
    return torch.where(before, -by, torch.zeros_like(by))


def _apart(demand: Tensor, seen: Tensor) -> Tensor:
    """(T, S, I) demand above its mean, less what the others of its item and of its location do."""
    weight = seen.to(demand)
    usual = (demand * weight).sum(0) / weight.sum(0).clamp(min=1)
    value = (demand - usual) * weight
    sums = {dims: (value.sum(dims, keepdim=True), weight.sum(dims, keepdim=True)) for dims in (1, 2, (1, 2))}
    item, place = (sums[dims][0] - value for dims in (1, 2))
    item_count, place_count = (sums[dims][1] - weight for dims in (1, 2))
    rest, count = (
        all_ - a - b - own
        for all_, a, b, own in zip(
            sums[1, 2], (item, item_count), (place, place_count), (value, weight), strict=True
        )
    )
    means = [total / number.clamp(min=1) for total, number in ((item, item_count), (place, place_count))]
    return (value - means[0] - means[1] + rest / count.clamp(min=1)) * weight


def _clearest(apart: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """(T, S, I) mean from each period on less that before, and its size over what would be clear."""
    count = weight.cumsum(0) - weight
    total = (apart * weight).cumsum(0) - apart * weight
    after = weight.sum(0) - count
    possible = (count >= LEAST) & (after >= LEAST)
    size = ((apart * weight).sum(0) - total) / after.clamp(min=1) - total / count.clamp(min=1)
    unit = 1 / after.clamp(min=1) + 1 / count.clamp(min=1)
    pairs = weight[1:] * weight[:-1]
    rough = ((apart[1:] - apart[:-1]).square() * pairs).sum(0) / pairs.sum(0).clamp(min=1) / 2
    square = torch.where(possible, size.square() / (rough * unit).clamp(min=1e-12), torch.nan)
    number = max(1, int((weight.sum(0) > 0).sum()))
    alike = square.flatten(1).nanmedian(1).values / _MEDIAN
    usual = square.flatten().nanmedian() / _MEDIAN
    alike = usual + number / (number + _FEW) * (alike - usual)
    variance = torch.maximum(alike, usual).clamp(min=1).view(-1, 1, 1) * rough
    error = (torch.maximum(variance, _of_blocks(apart, weight, size, count)) * unit).sqrt().clamp(min=_EXACT)
    chance = torch.tensor(_FALSE / (2 * _DATES * number), dtype=torch.float64)
    normal = -float(torch.special.ndtri(chance))
    bound = student(normal, max(2, len(apart) // BLOCK))
    return size, torch.where(possible, size.abs() / (bound * error), torch.zeros_like(size))


def _of_blocks(apart: Tensor, weight: Tensor, size: Tensor, count: Tensor) -> Tensor:
    """(T, S, I) variance of one period as the means of blocks have it, were there a step at each period."""
    blocks = len(apart) // BLOCK
    x, w = ((y[len(y) - blocks * BLOCK :]).unflatten(0, (blocks, BLOCK)) for y in (apart * weight, weight))
    number = w.sum(1)  # (K, S, I)
    mean = x.sum(1) / number.clamp(min=1)
    there = number > 0
    # within the two parts: the spread of the blocks less that between the parts
    whole = (there * number * (mean - ((mean * number).sum(0) / number.sum(0).clamp(min=1))).square()).sum(0)
    total = weight.sum(0)
    between = size.square() * count * (total - count) / total.clamp(min=1)
    return (whole - between).clamp(min=0) / (there.sum(0) - 2).clamp(min=1)
