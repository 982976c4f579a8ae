"""A search for the best of a few positive numbers, each trial of which costs something."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_FINE = 0.01  # log distance between neighbours, below which it no longer pays to look


def pattern_search(
    worth: Callable[[Tensor, float], Tensor],
    grids: Sequence[Sequence[float]],
    rounds: int,
    start: Tensor | None = None,
) -> tuple[float, ...]:
    """The numbers that are worth most.

    All points of a grid, then stars around the best so far, whose size is halved where none of their points
    is better (Hooke and Jeeves 1961, Journal of the ACM 8(2)), all in logs. The many points of the grid are
    tried with a small share of the trials, later stars with more of them, the last ones with all (successive
    halving: Jamieson and Talwalkar 2016).

    Args:
        worth: what each row of candidates (K, D) is worth, (K,), by a share in (0, 1] of the trials.
        grids: of each of D numbers the values tried first, rising, > 0.
        rounds: stars that are tried, at most.
        start: (D,) the best point of the grid, where it is known.
    """
    best = best_of_grid(worth, grids)[0] if start is None else start
    step = torch.tensor([_ratio(grid) for grid in grids], dtype=torch.float64).log() / 2
    sides = torch.tensor([0.0, -1.0, 1.0], dtype=torch.float64)
    star = torch.cartesian_prod(*[sides] * len(grids)).view(-1, len(grids))
    known: dict[float, Tensor] = {}  # what the best is worth, by share
    for number in range(rounds):
        share = _share(number)
        tried = best * (star * step).exp()
        centre = known.get(share)
        earned = worth(tried, share) if centre is None else torch.cat([centre, worth(tried[1:], share)])
        place = int(earned.argmax())
        best, known = tried[place], {share: earned[place : place + 1]}
        if place == 0:
            step = step / 2
            if float(step.max()) < _FINE:
                break
    return tuple(best.tolist())


def best_of_grid(
    worth: Callable[[Tensor, float], Tensor], grids: Sequence[Sequence[float]]
) -> tuple[Tensor, float]:
    """The best point (D,) of a grid, and what it is worth by the first share of the trials."""
    tried = torch.cartesian_prod(*(torch.tensor(grid, dtype=torch.float64) for grid in grids))
    tried = tried.view(-1, len(grids))
    earned = worth(tried, _share(-1))
    place = int(earned.argmax())
    return tried[place], float(earned[place])


def _share(number: int) -> float:
    """Of the trials, in star ``number``; -1 is the grid."""
    return min(1.0, 2.0 ** (number // 2 - 2))


def _ratio(grid: Sequence[float]) -> float:
    """Mean ratio of a value of a grid to the one before."""
    return (grid[-1] / grid[0]) ** (1 / max(1, len(grid) - 1))
