"""What adds how much to a result: parts that sum to its difference from a stated baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Explanation:
    """``told`` = ``ordinary`` + the sum of ``parts``; all arrays have one shape."""

    ordinary: np.ndarray  # the result where nothing out of the ordinary is told
    parts: dict[str, np.ndarray]  # what each group adds
    told: np.ndarray  # the result where all is


def shapley(
    worth: Callable[[frozenset[str]], np.ndarray], groups: Sequence[str], orders: Iterable[Sequence[str]]
) -> Explanation:
    """Shapley values of groups (Shapley 1953): what each adds when it is told, mean over orders of telling.

    They are exact over all orders, ``itertools.permutations(groups)``, and an unbiased estimate over orders
    drawn at random (Štrumbelj and Kononenko 2014, doi:10.1007/s10115-013-0679-x, section 3). Over any orders
    the parts sum to the difference, but for rounding.

    Args:
        worth: the result where some groups are told and the others are ordinary; asked once for each set.
        groups: their names.
        orders: of all the groups, each.
    """
    known: dict[frozenset[str], np.ndarray] = {}

    def of(told: frozenset[str]) -> np.ndarray:
        if told not in known:
            known[told] = worth(told).astype(np.float64)
        return known[told]

    nothing, everything = of(frozenset()), of(frozenset(groups))
    parts, count = {name: np.zeros_like(nothing) for name in groups}, 0
    for order in orders:
        told: frozenset[str] = frozenset()
        for name in order:
            parts[name] += of(told | {name}) - of(told)
            told |= {name}
        count += 1
    return Explanation(nothing, {name: part / count for name, part in parts.items()}, everything)


def integrated_gradients(
    function: Callable[[Mapping[str, Tensor]], Tensor],
    inputs: Mapping[str, Tensor],
    steps: int = 32,
    at_once: int = 32,
) -> dict[str, Tensor]:
    """Integrated gradients from inputs of zero (Sundararajan et al. 2017, arXiv 1703.01365, eq. 1).

    Their sum is function(inputs) − function(zeros), up to the error of the quadrature along the straight line
    between them (Gauss–Legendre).

    Args:
        function: of inputs with an axis of points before their own to a number each (P,), differentiable
            almost everywhere.
        inputs: by name, any shapes.
        steps: points of the quadrature.
        at_once: of these, P at most.

    Returns:
        By name, of the shape of each input, what each of its numbers adds.
    """
    nodes, weights = map(torch.from_numpy, np.polynomial.legendre.leggauss(steps))
    total = {name: torch.zeros_like(value) for name, value in inputs.items()}
    for node, weight in zip(nodes.split(at_once), weights.split(at_once), strict=True):
        with torch.enable_grad():
            here = {
                name: torch.stack([value * (1 + at) / 2 for at in node.tolist()]).requires_grad_()
                for name, value in inputs.items()
            }
            values = function(here)
            weighted = (values * weight.to(values)).sum()
            slopes = torch.autograd.grad(weighted, list(here.values()), materialize_grads=True)
        for slope, sums in zip(slopes, total.values(), strict=True):
            sums += slope.sum(0) / 2
    return {name: total[name] * value for name, value in inputs.items()}
