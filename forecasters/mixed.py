"""A count regression with random effects: penalised maximum likelihood, stock-outs included.

log μ = offset + Σ_g X_g·β_g, demand negative binomial, β_g ~ N(centre_g, spread_g²). Spreads that are not
given are estimated by EM (Laird and Ware 1982, doi:10.2307/2529876, with the Laplace approximation). Errors
are the larger of the model's and a sandwich clustered by block of periods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .distributions import nb_log_prob, nb_survival_score

_ROUNDS, _NEWTON = 6, 4  # EM rounds, and Newton steps in each: every round goes on from the last
BLOCK = 6  # consecutive periods whose errors may go together
_SPREADS = (0.02, 1.5)  # bounds of an estimated spread


@dataclass(frozen=True)
class Group:
    """Columns whose coefficients share a normal prior."""

    columns: Tensor  # (N, k), or (N,) int64 level of a factor: a coefficient each
    spread: float  # standard deviation of the prior; the first guess where ``learned``
    centre: float = 0.0
    learned: bool = False
    trust: float = 0.0  # coefficients' worth of belief in ``spread`` where it is learned


@dataclass(frozen=True)
class Rows:
    """What was sold, N rows."""

    units: Tensor  # (N,)
    censored: Tensor  # (N,) bool
    offset: Tensor  # (N,)
    period: Tensor  # (N,) int64
    weight: Tensor | None = None  # (N,) how often a row counts; once where None
    periods: int = 0  # of the table, where it goes on after the last row


@dataclass(frozen=True)
class Fit:
    """Coefficients of all groups but the largest factor, end to end."""

    beta: Tensor  # (P,)
    covariance: Tensor  # (P, P)
    log_r: Tensor  # () log dispersion
    influence: Tensor  # (K, P) what each block of periods did to the coefficients
    parts: Mapping[str, slice]
    factor: str  # the group that was eliminated
    levels: Tensor  # (L,) its effects
    spreads: Mapping[str, float]  # standard deviation of each group's prior

    def mean(self, group: str) -> Tensor:
        return self.levels if group == self.factor else self.beta[self.parts[group]]

    def cov(self, one: str, other: str) -> Tensor:
        return self.covariance[self.parts[one], self.parts[other]]

    def variance(self, group: str) -> Tensor:
        return self.cov(group, group).diag()


@dataclass(frozen=True)
class _Design:
    """Dense columns, and the largest factor apart: its part of the Hessian is diagonal."""

    dense: Tensor  # (N, P)
    factor: Tensor  # (N,) int64
    levels: int

    def by_level(self, rows: Tensor) -> Tensor:
        """Sums (L, …) over each level of ``rows`` (N, …)."""
        return rows.new_zeros(self.levels, *rows.shape[1:]).index_add_(0, self.factor, rows)


@dataclass(frozen=True)
class _Solution:
    beta: Tensor  # (P,)
    effect: Tensor  # (L,) of the factor's levels
    log_r: Tensor
    inverse: Tensor  # (P, P) of the Hessian, the factor eliminated
    second: Tensor  # (L,) posterior variances of the factor's levels
    influence: Tensor  # (N, P) score of each row in the coefficients, the factor eliminated


def fit_mixed(rows: Rows, groups: Mapping[str, Group]) -> Fit:
    """Alternate the coefficients with the dispersion and the learned spreads; one group is a factor."""
    factors = {k: int(g.columns.max()) + 1 for k, g in groups.items() if g.columns.dim() == 1}
    apart = max(factors, key=lambda name: factors[name])
    dense = {
        k: one_hot(g.columns).to(rows.offset) if k in factors else g.columns
        for k, g in groups.items()
        if k != apart
    }
    ends = torch.tensor([0, *(x.shape[1] for x in dense.values())]).cumsum(0).tolist()
    parts = {name: slice(a, b) for name, a, b in zip(dense, ends[:-1], ends[1:], strict=True)}
    design = _Design(torch.cat(list(dense.values()), dim=1), groups[apart].columns, factors[apart])

    def along(values: Mapping[str, float]) -> Tensor:
        return torch.cat([rows.offset.new_full((x.shape[1],), values[k]) for k, x in dense.items()])

    centre = along({k: g.centre for k, g in groups.items()})
    spreads = {k: g.spread for k, g in groups.items()}
    start = rows.offset.new_zeros(design.levels)
    found = _Solution(centre, start, rows.offset.new_tensor(1.5), design.dense[:0], start, design.dense[:0])
    for _ in range(_ROUNDS):
        precision = along(spreads).pow(-2)
        found = _newton(rows, design, found, centre, precision, spreads[apart] ** -2)
        for name, group in groups.items():
            if group.learned and (name == apart or dense[name].shape[1]):
                if name == apart:
                    second = found.effect.square() + found.second
                else:
                    value = found.beta[parts[name]] - group.centre
                    second = value.square() + found.inverse.diag()[parts[name]]
                square = second.sum() + group.trust * group.spread**2
                spreads[name] = float((square / (len(second) + group.trust)).sqrt().clamp(*_SPREADS))
    block = rows.period // BLOCK
    blocks = max(int(block.max()), (rows.periods - 1) // BLOCK) + 1
    by_block = design.dense.new_zeros(blocks, design.dense.shape[1])
    by_block.index_add_(0, block, found.influence)
    covariance = _covariance(by_block, found.inverse, precision)
    influence = by_block @ found.inverse
    return Fit(found.beta, covariance, found.log_r, influence, parts, apart, found.effect, spreads)


def _newton(
    rows: Rows, design: _Design, found: _Solution, centre: Tensor, precision: Tensor, tightness: float
) -> _Solution:
    """Damped Newton steps; the factor's levels, whose Hessian is diagonal, are eliminated first."""
    x, beta, effect, log_r = design.dense, found.beta, found.effect, found.log_r
    for _ in range(_NEWTON):
        eta = (rows.offset + x @ beta + effect[design.factor]).clamp(-12, 16)
        log_r = _dispersion(rows, eta, log_r)
        score, weight = _score(rows, eta, log_r)
        weighted = weight.unsqueeze(1) * x
        mixed, own = design.by_level(weighted), design.by_level(weight) + tightness  # (L, P), (L,)
        share = mixed / own.unsqueeze(1)
        inverse = torch.linalg.inv(x.T @ weighted + precision.diag() - mixed.T @ share)
        pull = x.T @ score - precision * (beta - centre)
        push = design.by_level(score) - tightness * effect
        move = inverse @ (pull - share.T @ push)
        shift = (push - mixed @ move) / own
        longest = max(float(move.abs().max()), float(shift.abs().max()), 1e-9)
        beta, effect = beta + move * min(1.0, 1.0 / longest), effect + shift * min(1.0, 1.0 / longest)
        if longest < 1e-4:
            break
    second = 1 / own + ((share @ inverse) * share).sum(1)
    influence = score.unsqueeze(1) * (x - share[design.factor])
    return _Solution(beta, effect, log_r, inverse, second, influence)


def _score(rows: Rows, eta: Tensor, log_r: Tensor) -> tuple[Tensor, Tensor]:
    """Derivative of the log likelihood in log μ, and minus its second (expected, where uncensored)."""
    mean, r = eta.exp(), log_r.exp()
    weight = mean / (1 + mean / r)
    score = (rows.units - mean) / (1 + mean / r)
    if bool(rows.censored.any()):
        out = rows.censored
        slope, curvature = nb_survival_score(rows.units[out], eta[out], log_r)
        score = score.masked_scatter(out, slope)
        weight = weight.masked_scatter(out, curvature)
    if rows.weight is not None:
        score, weight = rows.weight * score, rows.weight * weight
    return score, weight


def _dispersion(rows: Rows, eta: Tensor, log_r: Tensor) -> Tensor:
    """Log dispersion: the likeliest of a grid around the last, on the uncensored rows."""
    grid = log_r + torch.linspace(-0.6, 0.6, 9, dtype=eta.dtype, device=eta.device)
    seen = ~rows.censored
    fit = nb_log_prob(rows.units[seen].unsqueeze(1), eta[seen].unsqueeze(1), grid)
    fit = fit.sum(0) if rows.weight is None else rows.weight[seen] @ fit
    return grid[fit.argmax()]


def _covariance(by_block: Tensor, inverse: Tensor, precision: Tensor) -> Tensor:
    """The sandwich clustered by block of periods; the model's own variances where these are larger."""
    sandwich = inverse @ (by_block.T @ by_block + precision.diag()) @ inverse
    larger = (inverse.diag() / sandwich.diag()).clamp(min=1).sqrt()
    return larger.unsqueeze(0) * sandwich * larger
