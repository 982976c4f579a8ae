"""The count regression with every column written out: slow, and plain enough to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mercato.forecasters.statistics import BLOCK, Group, Rows, mixed


@dataclass(frozen=True)
class Dense:
    beta: Tensor  # (P,) coefficients of all groups end to end
    covariance: Tensor  # (P, P)
    influence: Tensor  # (K, P)
    parts: Mapping[str, slice]
    log_r: float
    spreads: Mapping[str, float]

    def mean(self, name: str) -> Tensor:
        return self.beta[self.parts[name]]

    def cov(self, one: str, other: str) -> Tensor:
        return self.covariance[self.parts[one], self.parts[other]]


def written_out(group: Group) -> Tensor:
    """(N, k) columns of a group."""
    if group.factor is None:
        return group.columns
    levels = one_hot(group.factor, group.size).double()
    return levels if group.by is None else levels * group.columns


def fit_dense(rows: Rows, groups: Mapping[str, Group]) -> Dense:
    """The same rounds as ``fit_mixed``, with one large Hessian."""
    design = mixed._Design.of(rows, groups)
    columns = {name: written_out(group) for name, group in groups.items()}
    ends = torch.tensor([0, *(c.shape[1] for c in columns.values())]).cumsum(0).tolist()
    parts = {name: slice(a, b) for name, a, b in zip(columns, ends[:-1], ends[1:], strict=True)}
    x = torch.cat(list(columns.values()), dim=1)

    def along(values: Mapping[str, float]) -> Tensor:
        return torch.cat([x.new_full((c.shape[1],), values[name]) for name, c in columns.items()])

    centre = along({name: g.centre for name, g in groups.items()})
    beta, log_r = centre, x.new_tensor(mixed._FIRST_LOG_R)
    spreads = {name: g.spread for name, g in groups.items()}

    def newton(
        beta: Tensor, log_r: Tensor, precision: Tensor, steps: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        for _ in range(steps):
            eta = rows.offset + x @ beta
            log_r = mixed._dispersion(design, eta, log_r)
            score, weight = mixed._score(design, eta, log_r)
            inverse = torch.linalg.inv(x.T @ (weight.unsqueeze(1) * x) + precision.diag())
            move = inverse @ (x.T @ score - precision * (beta - centre))
            longest = float(move.abs().max())
            beta = beta + move * min(1.0, 1.0 / longest)
            if longest < mixed._STILL:
                break
        return beta, log_r, inverse, score

    for _ in range(mixed._ROUNDS):
        used = dict(spreads)
        precision = along(used).pow(-2)
        beta, log_r, inverse, _ = newton(beta, log_r, precision, mixed._NEWTON)
        for name, g in groups.items():
            if g.learned:
                value = beta[parts[name]] - g.centre
                square = (value.square() + inverse.diag()[parts[name]]).sum() + g.trust * g.spread**2
                spreads[name] = float((square / (len(value) + g.trust)).sqrt().clamp(*mixed._SPREADS))
        if all(abs(spreads[name] - used[name]) < mixed._SETTLED * used[name] for name in spreads):
            break
    beta, log_r, inverse, score = newton(beta, log_r, precision, mixed._AT_LAST)
    blocks = one_hot(rows.period // BLOCK, max(rows.periods - 1, int(rows.period.max())) // BLOCK + 1)
    influence = blocks.double().T @ (score.unsqueeze(1) * x) @ inverse
    factors = [name for name, g in groups.items() if g.columns.dim() == 1]
    middle = precision.clone()
    middle[parts[max(factors, key=lambda name: groups[name].size)]] = 0.0
    sandwich = inverse @ middle.diag() @ inverse + influence.T @ influence
    larger = (inverse.diag() / sandwich.diag()).clamp(min=1).sqrt()
    covariance = sandwich * larger * larger.unsqueeze(1)
    return Dense(beta, covariance, influence, parts, float(log_r), spreads)
