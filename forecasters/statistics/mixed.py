"""A count regression with random effects: penalised maximum likelihood, stock-outs included.

log μ = offset + Σ_g X_g·β_g, demand negative binomial, β_g ~ N(centre_g, spread_g²). Spreads that are not
given are estimated by EM (Laird and Ware 1982, doi:10.2307/2529876, with the Laplace approximation). Errors
are the larger of the model's and a sandwich clustered by block of periods. The coefficients of locations,
price spells and periods are eliminated from the Newton system where they can be (``schur``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .distributions import nb_survival_score, row_log_likelihood
from .schur import Family, Layout, Parts, System

_ROUNDS, _NEWTON = 6, 2  # most EM rounds, and Newton steps in each: every round goes on from the last
_AT_LAST = 6  # most Newton steps once the spreads are known
_AGAIN = 3  # the same, where spreads are known from another fit
_STILL = 1e-4  # longest step of a coefficient that ends the Newton steps
_SETTLED = 2e-3  # largest move of a spread, as a share of it, that ends the rounds
BLOCK = 6  # consecutive periods whose errors may go together
_SPREADS = (0.02, 1.5)  # bounds of an estimated spread
_LOG_R = (-5.0, 8.0)  # bounds of the log dispersion: beyond, demand is Poisson to all that can be told
_FIRST_LOG_R = 1.5


@dataclass(frozen=True)
class Group:
    """Columns whose coefficients share a normal prior."""

    columns: Tensor  # (N, k), or (N,) int64 level of a factor: a coefficient each
    spread: float  # standard deviation of the prior; the first guess where ``learned``
    centre: float = 0.0  # of its mean; 0 for levels of a factor
    learned: bool = False
    trust: float = 0.0  # coefficients' worth of belief in ``spread`` where it is learned
    by: Tensor | None = None  # (N,) int64 level of a factor: the single column has a coefficient for each
    levels: int = 0  # of the factor, where there are more than rows show

    @property
    def factor(self) -> Tensor | None:
        return self.columns if self.columns.dim() == 1 else self.by

    @property
    def size(self) -> int:
        """How many coefficients."""
        if self.factor is None:
            return self.columns.shape[1]
        return max(self.levels, int(self.factor.max()) + 1 if len(self.factor) else 0)


@dataclass(frozen=True)
class Rows:
    """What was sold, N rows."""

    units: Tensor  # (N,)
    bound: Tensor  # (N,) bool: sales are a lower bound of demand
    offset: Tensor  # (N,) with the log of the share of the period that sales speak of
    period: Tensor  # (N,) int64
    weight: Tensor | None = None  # (N,) how often a row counts; once where None
    periods: int = 0  # of the table, where it goes on after the last row


@dataclass(frozen=True)
class Effects:
    """Coefficients: of dense columns end to end, of factors apart."""

    beta: Tensor  # (P,) of dense columns
    parts: Mapping[str, slice]  # where each group is in ``beta``
    levels: Mapping[str, Tensor]  # (L,) of groups that have a coefficient for each level
    log_r: Tensor  # () log dispersion
    spreads: Mapping[str, float]  # standard deviation of each group's prior

    def mean(self, group: str) -> Tensor:
        return self.levels[group] if group in self.levels else self.beta[self.parts[group]]


@dataclass(frozen=True)
class Slopes:
    """Errors of one column's coefficients at the levels of a factor."""

    variance: Tensor  # (L,)
    cross: Tensor  # (P, L) covariances with the dense coefficients
    mean_variance: Tensor  # () of the mean over levels
    influence: Tensor  # (K,) what each block of periods did to the mean over levels


@dataclass(frozen=True)
class Fit(Effects):
    """Coefficients with their errors."""

    covariance: Tensor  # (P, P)
    influence: Tensor  # (K, P) what each block of periods did to the coefficients
    slopes: Mapping[str, Slopes]  # of groups with a column by levels

    def cov(self, one: str, other: str) -> Tensor:
        """Covariances (k, k') of two groups, the first of them of dense columns."""
        if other in self.slopes:
            return self.slopes[other].cross[self.parts[one]]
        return self.covariance[self.parts[one], self.parts[other]]

    def variance(self, group: str) -> Tensor:
        return self.slopes[group].variance if group in self.slopes else self.cov(group, group).diag()


@dataclass(frozen=True)
class _Design:
    """Columns of all groups, laid out, and what of the rows does not change."""

    rows: Rows
    groups: Mapping[str, Group]
    parts: Mapping[str, slice]
    layout: Layout
    out: Tensor  # (O,) int64 rows whose sales are a lower bound
    counts: Tensor  # (U,) distinct counts of the other rows
    often: Tensor  # (U,) their weights

    @staticmethod
    def of(rows: Rows, groups: Mapping[str, Group]) -> _Design:
        dense = {name: g.columns for name, g in groups.items() if g.factor is None}
        ends = torch.tensor([0, *(x.shape[1] for x in dense.values())]).cumsum(0).tolist()
        parts = {name: slice(a, b) for name, a, b in zip(dense, ends[:-1], ends[1:], strict=True)}
        together: dict[int, list[str]] = {}
        for name, group in groups.items():
            if group.factor is not None and group.size:
                together.setdefault(id(group.factor), []).append(name)
        columns = torch.cat([rows.offset.new_zeros(len(rows.offset), 0), *dense.values()], dim=1)
        layout = Layout.of(columns, [_family(groups, names) for names in together.values()])
        counts, at = rows.units[~rows.bound].unique(return_inverse=True)
        weight = torch.ones_like(rows.offset) if rows.weight is None else rows.weight
        often = torch.zeros_like(counts).index_add_(0, at, weight[~rows.bound])
        return _Design(rows, groups, parts, layout, rows.bound.nonzero()[:, 0], counts, often)

    def at(self, name: str, parts: Parts) -> Tensor:
        """(k, n) the numbers of a group: a view."""
        if name in self.parts:
            return parts.core[self.parts[name]]
        return self.layout.group(name, parts) if self.groups[name].size else parts.core[:0]

    def along(self, values: Mapping[str, float]) -> Parts:
        """A value for each coefficient from one for each group."""
        out = self.layout.zeros()
        for name in self.groups:
            self.at(name, out).fill_(values[name])
        return out


def _family(groups: Mapping[str, Group], names: list[str]) -> Family:
    """The family of groups that have one factor in common."""
    index = groups[names[0]].factor
    assert index is not None
    columns = [
        torch.ones(len(index), dtype=torch.float64, device=index.device)
        if groups[name].by is None
        else groups[name].columns[:, 0]
        for name in names
    ]
    return Family(index, max(groups[n].size for n in names), torch.stack(columns, dim=1), tuple(names))


@dataclass(frozen=True)
class _Solution:
    at: Parts  # coefficients
    log_r: Tensor
    system: System
    score: Tensor  # (N,)


def fit_mixed(rows: Rows, groups: Mapping[str, Group], start: Effects | None = None) -> Fit:
    """The coefficients and their errors; arguments as ``effects`` has them."""
    design = _Design.of(rows, groups)
    found, spreads, used = _solved(design, start)
    effects = _effects(design, found, spreads)
    return _with_errors(design, effects, found, used)


def effects(rows: Rows, groups: Mapping[str, Group], start: Effects | None = None) -> Effects:
    """Alternate the coefficients with the dispersion and the learned spreads.

    ``start`` holds coefficients and spreads to begin from, of the groups that it has; of a group that has
    more columns here, the first.
    """
    design = _Design.of(rows, groups)
    found, spreads, _ = _solved(design, start)
    return _effects(design, found, spreads)


def left_out(rows: Rows, groups: Mapping[str, Group], fit: Fit, random: Sequence[str]) -> Tensor:
    """(N,) log likelihood of each row by what the other blocks of periods say, to first order.

    The levels of the factors named in ``random`` are not known beforehand: their spread counts as dispersion.
    """
    dense = [group.columns for group in groups.values() if group.factor is None]
    others = fit.beta - fit.influence[rows.period // BLOCK]
    log_mean = rows.offset + (torch.cat(dense, dim=1) * others).sum(1)
    variance = (-fit.log_r).exp()
    for name, group in groups.items():
        if name in random:
            variance = variance + fit.spreads[name] ** 2
        elif group.factor is not None and group.size:
            level = fit.levels[name][group.factor]
            log_mean = log_mean + (level if group.by is None else level * group.columns[:, 0])
    log_r = -variance.log()
    return row_log_likelihood(rows.units, rows.bound, log_mean.clamp(-12, 16), log_r.expand_as(log_mean))


def _solved(
    design: _Design, start: Effects | None
) -> tuple[_Solution, dict[str, float], Mapping[str, float]]:
    """Coefficients, the spreads that they show, and the spreads that they were found with."""
    centre = design.along({name: g.centre for name, g in design.groups.items()})
    at, log_r = _begun(design, centre, start)
    known = {} if start is None else start.spreads
    spreads = {
        name: known.get(name, g.spread) if g.learned else g.spread for name, g in design.groups.items()
    }
    for _ in range(_AGAIN if known else _ROUNDS):
        used = dict(spreads)
        precision = design.along({k: s**-2 for k, s in used.items()})
        found = _newton(design, at, log_r, centre, precision, _NEWTON)
        at, log_r = found.at, found.log_r
        second = found.system.variances()
        for name, group in design.groups.items():
            if group.learned and group.size:
                value = design.at(name, at)[:, 0] - group.centre
                square = (
                    value.square() + design.at(name, second)[:, 0]
                ).sum() + group.trust * group.spread**2
                spreads[name] = float((square / (len(value) + group.trust)).sqrt().clamp(*_SPREADS))
        if all(abs(spreads[name] - used[name]) < _SETTLED * used[name] for name in spreads):
            break
    return _newton(design, at, log_r, centre, precision, _AT_LAST), spreads, used


def _begun(design: _Design, centre: Parts, start: Effects | None) -> tuple[Parts, Tensor]:
    """Where the first round begins."""
    at = Parts(centre.core.clone(), centre.outer.clone(), centre.inner.clone())
    if start is None:
        return at, design.rows.offset.new_tensor(_FIRST_LOG_R)
    for name in design.groups:
        if name in start.levels or name in start.parts:
            value, here = start.mean(name), design.at(name, at)
            here[: len(value), 0] = value[: len(here)]
    return at, start.log_r.to(design.rows.offset)


def _newton(
    design: _Design, at: Parts, log_r: Tensor, centre: Parts, precision: Parts, steps: int
) -> _Solution:
    """Damped Newton steps."""
    rows, layout = design.rows, design.layout
    for _ in range(steps):
        eta = (rows.offset + layout.predicted(at)).clamp(-12, 16)
        log_r = _dispersion(design, eta, log_r)
        score, weight = _score(design, eta, log_r)
        system = System.of(layout, weight, precision)
        held = at.each(centre, torch.sub).each(precision, torch.mul)
        move = system.solve(layout.moments(score).each(held, torch.sub))
        longest = max(move.longest(), 1e-9)
        at = at.each(move, lambda x, by: x + by * min(1.0, 1.0 / longest))  # noqa: B023
        if longest < _STILL:
            break
    return _Solution(at, log_r, system, score)


def _score(design: _Design, eta: Tensor, log_r: Tensor) -> tuple[Tensor, Tensor]:
    """Derivative of the log likelihood in log μ, and minus its second (expected, where sales are demand)."""
    rows, out = design.rows, design.out
    mean = eta.exp()
    damped = 1 + mean / log_r.exp()
    weight, score = mean / damped, (rows.units - mean) / damped
    if len(out):
        slope, curvature = nb_survival_score(rows.units[out], eta[out], log_r)
        score, weight = score.index_copy(0, out, slope), weight.index_copy(0, out, curvature)
    if rows.weight is not None:
        score, weight = rows.weight * score, rows.weight * weight
    return score, weight


def _dispersion(design: _Design, eta: Tensor, log_r: Tensor) -> Tensor:
    """Log dispersion after one Newton step on the rows whose sales are demand."""
    rows, r = design.rows, log_r.exp()
    weight = torch.ones_like(eta) if rows.weight is None else rows.weight
    if len(design.out):
        weight = weight.index_fill(0, design.out, 0.0)
    total = eta.exp() + r
    ratio = (rows.units + r) / total
    slope = weight @ (1 - ratio - (total / r).log())
    slope = slope + design.often @ (torch.digamma(design.counts + r) - torch.digamma(r))
    curve = weight @ ((ratio - 2) / total + 1 / r)
    curve = curve + design.often @ (torch.polygamma(1, design.counts + r) - torch.polygamma(1, r))
    first, second = r * slope, r * r * curve + r * slope
    step = torch.where(second < 0, -first / second, first.sign())
    return (log_r + step.clamp(-0.6, 0.6)).clamp(*_LOG_R)


def _effects(design: _Design, found: _Solution, spreads: Mapping[str, float]) -> Effects:
    wide = design.layout.dense.shape[1]
    levels = {
        name: design.at(name, found.at)[:, 0] for name, g in design.groups.items() if g.factor is not None
    }
    return Effects(found.at.core[:wide, 0], design.parts, levels, found.log_r, spreads)


def _with_errors(design: _Design, effects: Effects, found: _Solution, spreads: Mapping[str, float]) -> Fit:
    """The sandwich clustered by block of periods; the model's own variances where these are larger.

    Random effects are noise, too: their priors count in the middle of the sandwich, but for those of the
    largest factor, whose noise the blocks' scores already hold.
    """
    layout, system, wide = design.layout, found.system, design.layout.dense.shape[1]
    block = design.rows.period // BLOCK
    blocks = max(int(block.max()) if len(block) else 0, (design.rows.periods - 1) // BLOCK) + 1
    moved = system.solve(layout.moments_by(block, blocks, found.score))  # a column each block
    factors = {name: g.size for name, g in design.groups.items() if g.columns.dim() == 1}
    largest = max(factors, key=lambda name: factors[name], default="")
    prior = design.along({name: 0.0 if name == largest else s**-2 for name, s in spreads.items()})
    inverse = system.solve(layout.units())
    model = system.solve(inverse.each(prior, torch.mul))  # inverse · priors · inverse
    diagonal = Parts(model.core.diag().unsqueeze(1), system.outer_sandwich(prior).unsqueeze(-1), prior.inner)
    bread = system.variances()

    def wider(name: str, influence: Tensor) -> Tensor:
        sandwich = design.at(name, diagonal)[:, 0] + influence.square().sum(1)
        return (design.at(name, bread)[:, 0] / sandwich).clamp(min=1).sqrt()

    influence = moved.core[:wide]
    larger = torch.cat([wider(name, influence[part]) for name, part in design.parts.items()])
    covariance = (model.core[:wide, :wide] + influence @ influence.T) * larger * larger.unsqueeze(1)
    slopes = {}
    for name in (name for name, g in design.groups.items() if g.by is not None):
        own = design.at(name, moved)
        by = wider(name, own)
        cross = (design.at(name, model)[:, :wide] + own @ influence.T).T * larger.unsqueeze(1) * by
        mean = layout.zeros()
        share = by / max(1, len(by))
        design.at(name, mean)[:, 0] = share
        alike = system.solve(mean)
        variance = alike.each(prior, torch.mul).dot(alike)[0, 0] + (share @ own).square().sum()
        alone = design.at(name, diagonal)[:, 0] + own.square().sum(1)
        slopes[name] = Slopes(by.square() * alone, cross, variance, own.sum(0) / max(1, len(own)))
    return Fit(**vars(effects), covariance=covariance, influence=influence.T, slopes=slopes)
