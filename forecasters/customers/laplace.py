"""Laplace's approximation of a posterior: a normal about its mode, as wide as it is curved there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_ROUNDS = 200


def laplace(
    log_posterior: Callable[[Tensor], Tensor], start: Sequence[float], rows: int
) -> tuple[Tensor, Tensor]:
    """Mode (P,) and covariance (P, P), in double precision.

    Args:
        log_posterior: of parameters (P,), up to a constant.
        start: where the search begins, such as the prior's means.
        rows: of data, by which what is searched is divided.
    """
    found = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([found], max_iter=_ROUNDS, line_search_fn="strong_wolfe", tolerance_grad=1e-8)

    def loss() -> Tensor:
        search.zero_grad()
        value = -log_posterior(found) / max(rows, 1)
        value.backward()
        return value

    search.step(loss)
    mode = found.detach()
    hessian = torch.autograd.functional.hessian(lambda x: -log_posterior(x), mode)
    return mode, torch.linalg.inv(hessian)
