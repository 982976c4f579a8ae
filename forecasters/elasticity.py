"""Second stage of identification: elasticities by censored likelihood on out-of-fold residuals.

For each item, log μ = m + (ε + δ_s)·r_p + Σ_j cross_j·r_pj + Σ_k promo_k·r_k + λ·v + a_s + b_t, where m, r
come from ``nuisance`` (Robinson 1988, doi:10.2307/1912705: the residual of demand on the residual of
price), v is the control function of a declared cost shifter, δ_s, a_s are locations' deviations and b_t a
shock that the period brings to the item everywhere. Deviations, shocks and the rivals' effects around their
common mean are random effects whose variances are estimated by EM: without b_t the rows of one week would
count as independent evidence and the shrinkage would trust noise. Intervals come from a sandwich clustered
by period.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .distributions import nb_log_prob, nb_survival_score
from .nuisance import Residuals
from .progress import SILENT, Stage
from .response import WEAKEST

PRIOR_MEAN, PRIOR_SD = -2.0, 1.5  # own elasticity where the data say nothing (Bijmolt et al. 2005: mean -2.6)
_CROSS_SD, _PROMO_SD, _CONTROL_SD, _LEVEL_SD = 0.3, 1.5, 5.0, 0.3
_NINETY = 1.645
_ROUNDS, _NEWTON = 6, 4  # EM rounds, and Newton steps in each: every round goes on from the last
_ALARM = 2.0  # standard errors between the estimates with and without instrument that count as disagreement


@dataclass(frozen=True)
class Elasticities:
    """Own elasticities with 90% intervals, cross elasticities and promotion lifts."""

    own: Tensor  # (S, I) posterior mean, <= WEAKEST
    own_lo: Tensor  # (S, I)
    own_hi: Tensor  # (S, I)
    cross: Tensor  # (I, I) ∂log demand(row) / ∂log price(column)
    promo: Tensor  # (I, K) lift of log demand by a full promotion, >= 0
    price_spread: Tensor  # (I,) standard deviation of residual log price: what there is to learn from
    with_instrument: Tensor | None  # (I,) estimate by the control function, where a shifter is declared
    without_instrument: Tensor | None  # (I,) estimate without it
    confounded: bool  # the two disagree beyond their error: something hidden moves price and demand together


@dataclass(frozen=True)
class _Rows:
    """The rows of one item, flattened to N."""

    units: Tensor  # (N,)
    censored: Tensor  # (N,) bool
    offset: Tensor  # (N,)
    design: Tensor  # (N, P)
    period: Tensor  # (N,) int64


def _score(rows: _Rows, eta: Tensor, log_r: Tensor) -> tuple[Tensor, Tensor]:
    """Derivative of the log likelihood in log μ, and minus its second (expected, where uncensored)."""
    mean, r = eta.exp(), log_r.exp()
    weight = mean / (1 + mean / r)
    score = (rows.units - mean) / (1 + mean / r)
    if bool(rows.censored.any()):
        out = rows.censored
        slope, curvature = nb_survival_score(rows.units[out], eta[out], log_r)
        score = score.masked_scatter(out, slope)
        weight = weight.masked_scatter(out, curvature)
    return score, weight


def _dispersion(rows: _Rows, eta: Tensor, log_r: Tensor) -> Tensor:
    """Log dispersion of an item: the likeliest of a grid around the last, on the uncensored rows."""
    grid = log_r + torch.linspace(-0.6, 0.6, 9, dtype=eta.dtype, device=eta.device)
    seen = ~rows.censored
    fit = nb_log_prob(rows.units[seen].unsqueeze(1), eta[seen].unsqueeze(1), grid).sum(0)
    return grid[fit.argmax()]


@dataclass(frozen=True)
class _Fit:
    beta: Tensor  # (P,)
    covariance: Tensor  # (P, P) sandwich
    log_r: Tensor  # ()
    posterior: Tensor  # (P,) variance of each coefficient under the model


def _solve(rows: _Rows, start: Tensor, centre: Tensor, precision: Tensor, log_r: Tensor) -> _Fit:
    """Penalised maximum likelihood by damped Newton steps."""
    beta = start
    for _ in range(_NEWTON):
        eta = (rows.offset + rows.design @ beta).clamp(-12, 16)
        log_r = _dispersion(rows, eta, log_r)
        score, weight = _score(rows, eta, log_r)
        information = rows.design.T @ (weight.unsqueeze(1) * rows.design)
        hessian = information + precision.diag()
        gradient = rows.design.T @ score - precision * (beta - centre)
        move = torch.linalg.solve(hessian, gradient)
        beta = beta + move * min(1.0, 1.0 / float(move.abs().max().clamp(min=1e-9)))
        if float(move.abs().max()) < 1e-4:
            break
    by_period = torch.zeros(int(rows.period.max()) + 1, len(beta), dtype=beta.dtype, device=beta.device)
    by_period.index_add_(0, rows.period, score.unsqueeze(1) * rows.design)
    clustered = by_period.T @ by_period
    inverse = torch.linalg.inv(hessian)
    covariance = inverse @ (clustered + precision.diag()) @ inverse
    return _Fit(beta, covariance, log_r, inverse.diag())


def _control(residuals: Residuals, same: Tensor) -> Tensor:
    """(T, S, I, Z) control function v = r_p − π·r_z, π pooled over the items of a category."""
    z = residuals.instrument
    if z.shape[-1] == 0:
        return z
    weight = residuals.rows.float()
    product = (weight * residuals.price * z[..., 0]).sum((0, 1))
    square = (weight * z[..., 0].square()).sum((0, 1))
    pi = (same @ product) / (same @ square).clamp(min=1e-9)
    return (residuals.price - pi * z[..., 0]).unsqueeze(-1)


def _item_rows(
    units: Tensor, censored: Tensor, residuals: Residuals, control: Tensor, item: int, rivals: Tensor
) -> _Rows:
    """Columns: own, its deviations, rivals in common, each rival, promotions, controls, levels, shocks."""
    keep = residuals.rows[:, :, item]
    period, place = keep.nonzero(as_tuple=True)
    places = keep.shape[1]

    def at(x: Tensor) -> Tensor:
        return x[period, place].double()

    own = at(residuals.price[:, :, item]).unsqueeze(1)
    one_hot = torch.nn.functional.one_hot(place, places).double()
    when = torch.nn.functional.one_hot(period, keep.shape[0]).double()
    others = at(residuals.price[:, :, rivals])
    columns = [own, own * one_hot, others.sum(1, keepdim=True), others, at(residuals.promo[:, :, item])]
    if control.shape[-1]:
        columns += [at(control[:, :, item]), at(control[:, :, rivals, 0])]
    return _Rows(
        units=at(units[:, :, item]),
        censored=at(censored[:, :, item]) > 0,
        offset=at(residuals.log_mean[:, :, item]),
        design=torch.cat([*columns, one_hot, when], dim=1),
        period=period,
    )


def estimate(
    units: Tensor, censored: Tensor, residuals: Residuals, categories: Tensor, stage: Stage = SILENT
) -> Elasticities:
    """Elasticities from out-of-fold residuals.

    Where a cost shifter is declared both estimates are made. The control function costs most of the
    precision, so the plain one stands unless the two disagree (Hausman 1978, doi:10.2307/1913827, with the
    control's error taken as common to all items).

    Args:
        units, censored: (T, S, I) as in ``History``.
        residuals: of the same panel.
        categories: (I,) int64; cross effects stay within a category.
    """
    plain = _estimate(units, censored, residuals, categories, residuals.instrument[..., :0], stage)
    if residuals.instrument.shape[-1] == 0:
        return Elasticities(**plain, with_instrument=None, without_instrument=None, confounded=False)
    same = (categories.unsqueeze(0) == categories.unsqueeze(1)).float()
    control = _estimate(units, censored, residuals, categories, _control(residuals, same), SILENT)
    gap = (control["own"] - plain["own"]).mean()
    error = (control["own_hi"] - control["own_lo"]).mean() / (2 * _NINETY)
    confounded = bool(gap.abs() > _ALARM * error)
    return Elasticities(
        **(control if confounded else plain),
        with_instrument=control["own"].mean(0),
        without_instrument=plain["own"].mean(0),
        confounded=confounded,
    )


def _shrunk(rows: _Rows, sizes: list[int], at_place: slice, each: slice, shocks: slice) -> _Fit:
    """Alternate the fit with the spreads of the deviations and of the periods' shocks (EM)."""
    centre = torch.zeros(sum(sizes), dtype=torch.float64)
    centre[0] = PRIOR_MEAN
    parts, spreads = (at_place, each, shocks), [0.3, 0.2, 0.2]
    beta, log_r = centre, torch.tensor(1.5, dtype=torch.float64)
    for _ in range(_ROUNDS):
        by_place, by_rival, by_period = spreads
        sds = [
            PRIOR_SD,
            by_place,
            _CROSS_SD,
            by_rival,
            _PROMO_SD,
            _CONTROL_SD,
            _CONTROL_SD,
            _LEVEL_SD,
            by_period,
        ]
        pairs = zip(sizes, sds, strict=True)
        precision = torch.cat([torch.full((n,), sd**-2.0, dtype=torch.float64) for n, sd in pairs])
        fit = _solve(rows, beta, centre, precision, log_r)
        beta, log_r = fit.beta, fit.log_r
        for number, part in enumerate(parts):
            second = fit.beta[part].square() + fit.posterior[part]
            spreads[number] = float(second.mean().sqrt().clamp(0.02, 1.5)) if len(second) else spreads[number]
    return fit


def _estimate(
    units: Tensor, censored: Tensor, residuals: Residuals, categories: Tensor, control: Tensor, stage: Stage
) -> dict[str, Tensor]:
    _, places, goods = units.shape
    promos, controls = residuals.promo.shape[-1], control.shape[-1]
    own = torch.zeros(places, goods, dtype=torch.float64)
    variance = torch.zeros_like(own)
    cross = torch.zeros(goods, goods)
    promo = torch.zeros(goods, promos)
    spread = torch.zeros(goods)
    for item in range(goods):
        rivals = (
            (categories == categories[item]) & (torch.arange(goods, device=categories.device) != item)
        ).nonzero()[:, 0]
        rows = _item_rows(units, censored, residuals, control, item, rivals)
        sizes = [
            1,
            places,
            1,
            len(rivals),
            promos,
            controls,
            len(rivals) if controls else 0,
            places,
            len(units),
        ]
        starts = torch.tensor([0, *sizes]).cumsum(0).tolist()
        at_place, common, each, lift = (
            slice(1, 1 + places),
            starts[2],
            slice(*starts[3:5]),
            slice(*starts[4:6]),
        )
        fit = _shrunk(rows, sizes, at_place, each, slice(*starts[8:10]))
        own[:, item] = fit.beta[0] + fit.beta[at_place]
        diagonal = fit.covariance.diag()
        variance[:, item] = diagonal[0] + diagonal[at_place] + 2 * fit.covariance[0, at_place]
        cross[item, rivals] = (fit.beta[common] + fit.beta[each]).float()
        promo[item] = fit.beta[lift].float().clamp(min=0)
        spread[item] = rows.design[:, 0].std().float()
        stage.advance()
    half = _NINETY * variance.clamp(min=0).sqrt()
    bounded = [x.clamp(max=WEAKEST).float() for x in (own, own - half, own + half)]
    return {
        "own": bounded[0],
        "own_lo": bounded[1],
        "own_hi": bounded[2],
        "cross": cross,
        "promo": promo,
        "price_spread": spread,
    }
