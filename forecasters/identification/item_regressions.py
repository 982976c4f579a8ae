"""The regression of one item: its rows, its columns with their priors, and what is read from the fits.

Every item has its own, by censored likelihood on out-of-fold residuals (``mixed``); which columns there are
is what ``elasticity`` asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..features import History
from ..progress import Stage
from ..statistics import Estimates, Fit, Group, Rows, fit_mixed, left_out
from ..tensors import side_by_side
from .nuisance import carried

_PRIOR_MEAN, _PRIOR_SD = (
    -2.0,
    1.5,
)  # own elasticity where the data say nothing (Bijmolt et al. 2005: mean -2.6)
_CROSS_SD, _PROMO_SD, _CONTROL_SD, _LEVEL_SD = 0.3, 1.5, 5.0, 0.3
_BASE_SD, _THEN_SD, _INTERCEPT_SD = 0.3, 1.0, 3.0
_RIVALS = 32  # most items of a category whose prices have an effect of their own on one item


@dataclass(frozen=True)
class Regressions:
    """What one run over the items regresses."""

    history: History
    rows: Tensor  # (T, S, I) bool
    offset: Tensor  # (T, S, I) expected log demand given the past
    price: Tensor  # (T, S, I) residual of log price, bent by the curve
    promo: Tensor  # (T, S, I, K) residuals of promotions
    decided: Tensor  # (T, S, I) bool: rows in which a price was decided
    category: Tensor  # (I,) int64
    rivals: tuple[Tensor, ...]  # of each item, those of its category that have an effect of their own
    terms: Mapping[str, tuple[Tensor, float, float]]  # column (T, S, I), centre and spread of its prior
    crowd: (
        tuple[Tensor, Tensor, Tensor] | None
    )  # what rivals take by shares (T, S, I): centre and spread (I,)
    control: Tensor | None = None  # (T, S, I) control function
    apart: tuple[float, float] = (0.3, 0.0)  # spread of locations' own elasticities, and trust in it


def rivals_of(history: History, categories: Tensor) -> tuple[Tensor, ...]:
    """Items of the same category, in order; where there are very many, those that sell for most."""
    value = (history.units * history.log_price.exp()).sum((0, 1))
    out = []
    for item, category in enumerate(categories):
        others = (categories == category).nonzero()[:, 0]
        others = others[others != item]
        out.append(others[value[others].argsort(descending=True, stable=True)[:_RIVALS].sort().values])
    return tuple(out)


def by_category(x: Tensor, category: Tensor) -> Tensor:
    """(T, S, G) sums over the items of each category, float64."""
    out = torch.zeros(*x.shape[:2], int(category.max()) + 1, dtype=torch.float64, device=x.device)
    for item, group in enumerate(category.tolist()):
        out[..., group] += x[..., item]
    return out


def fit_items(run: Regressions, stage: Stage, start: Sequence[Fit] | None = None) -> list[Fit]:
    """Every item's regression; ``start`` from another of the same rows, whose spreads are found anew."""
    crowd = by_category(run.price, run.category)
    controls = None if run.control is None else by_category(run.control, run.category)

    def one(item: int) -> Fit:
        rows, groups = _regression(run, item, crowd, controls)
        found = fit_mixed(rows, groups, None if start is None else replace(start[item], spreads={}))
        stage.advance()
        return found

    return side_by_side(one, len(run.category), run.rows[:, :, 0].numel())


def _regression(
    run: Regressions, item: int, crowd: Tensor, controls: Tensor | None
) -> tuple[Rows, dict[str, Group]]:
    """Rows and columns of one item; ``crowd`` and ``controls`` (T, S, G) are sums over categories."""
    keep, rivals, category = run.rows[:, :, item], run.rivals[item], run.category[item]
    period, place = keep.nonzero(as_tuple=True)

    def at(x: Tensor) -> Tensor:
        return x[period, place].double()

    def column(x: Tensor) -> Tensor:
        return at(x[:, :, item]).unsqueeze(1)

    grain = run.history.grain[item]
    own, offset = column(run.price), at(run.offset[:, :, item]) - grain.log()
    here, index = place.unique(return_inverse=True)  # only locations that have sold it
    usual = _mean_by(offset, index, len(here))
    apart, trust = run.apart
    one = torch.ones_like(own)
    groups = {
        "own": Group(own, _PRIOR_SD, _PRIOR_MEAN),
        "places": Group(own, apart, learned=True, trust=trust, by=index),
        "each": Group(at(run.price[:, :, rivals]), 0.2, learned=True),
        "promo": Group(at(run.promo[:, :, item]), _PROMO_SD),
        "base": Group((offset - usual[index]).unsqueeze(1), _BASE_SD),
        "level": Group(one, _INTERCEPT_SD),
        "levels": Group(one, _LEVEL_SD, by=index),
        "shocks": Group(period, 0.2, learned=True),
    }
    if run.crowd is None:
        groups["rivals"] = Group(at(crowd[..., category]).unsqueeze(1) - own, _CROSS_SD)
    else:
        taken, expected, sd = run.crowd
        groups["crowd"] = Group(column(taken), float(sd[item]), float(expected[item]))
    stay = run.decided[:, :, item]
    if bool((stay != keep).any()):  # while a price stays, what else persists would pass for its effect
        spell = at(stay.cumsum(0) + len(stay) * torch.arange(stay.shape[1], device=stay.device)).long()
        expected = run.offset[:, :, item]
        then = carried(expected - _listed_mean(expected, run.history, item), stay)
        groups["then"] = Group(at(then).unsqueeze(1), _THEN_SD)  # expected when the price was decided
        groups["spells"] = Group(spell.unique(return_inverse=True)[1], 0.2, learned=True)
    for name, (x, centre, spread) in run.terms.items():
        groups[name] = Group(column(x), spread, centre)
    if run.control is not None and controls is not None:
        each = at(run.control[:, :, rivals])
        groups["control"] = Group(column(run.control), _CONTROL_SD)
        groups["controls"] = Group(each, _CONTROL_SD)
        if int((run.category == category).sum()) > len(rivals) + 1:
            rest = at(controls[..., category]).unsqueeze(1) - column(run.control) - each.sum(1, keepdim=True)
            groups["other controls"] = Group(rest, _CONTROL_SD)
    outs = run.history.stock_outs
    units, open_for = at(run.history.units[:, :, item]) / grain, at(outs.exposure[:, :, item])
    bound = outs.bound[:, :, item][period, place]
    return Rows(units, bound, offset + open_for.log(), period, periods=len(keep)), groups


def predicted(run: Regressions, item: int, fit: Fit) -> Tensor:
    """(N,) log likelihood of an item's rows by what other blocks say."""
    rows, groups = _regression(run, item, by_category(run.price, run.category), None)
    return left_out(rows, groups, fit, ("shocks", "spells"))


def _mean_by(x: Tensor, index: Tensor, levels: int) -> Tensor:
    """(L,) mean of x (N,) over the rows of each level."""
    total = x.new_zeros(levels).index_add_(0, index, x)
    return total / torch.bincount(index, minlength=levels).clamp(min=1)


def _listed_mean(x: Tensor, history: History, item: int) -> Tensor:
    """(S,) mean of x (T, S) over the periods in which a location lists an item."""
    there = history.listed[: len(x), :, item].to(x)
    return (x * there).sum(0) / there.sum(0).clamp(min=1)


def coefficient(fits: Sequence[Fit], name: str) -> Estimates:
    """An item's single coefficient ``name``, float64."""
    variance = torch.cat([f.variance(name) for f in fits]).clamp(min=0)
    influence = torch.cat([f.influence[:, f.parts[name]] for f in fits], dim=1)
    return Estimates(torch.cat([f.mean(name) for f in fits]), variance.sqrt(), influence)


def average(fits: Sequence[Fit]) -> Estimates:
    """Own elasticity of an item, mean over its locations, float64."""
    values, variances, influences = [], [], []
    for fit in fits:
        places, cov = fit.slopes["places"], fit.cov("own", "places")
        values.append(fit.mean("own")[0] + _mean(fit.mean("places")))
        variances.append(fit.variance("own")[0] + 2 * _mean(cov[0]) + places.mean_variance)
        influences.append(fit.influence[:, fit.parts["own"]][:, 0] + places.influence)
    error = torch.stack(variances).clamp(min=0).sqrt()
    return Estimates(torch.stack(values), error, torch.stack(influences, dim=1))


def same_category(category: Tensor) -> Tensor:
    """(I, I) 1 where two items are of one category, 0 elsewhere and on the diagonal."""
    return (category.unsqueeze(0) == category.unsqueeze(1)).float().fill_diagonal_(0.0)


def _mean(x: Tensor) -> Tensor:
    """Mean of x (N,), 0 of nothing."""
    return x.sum() / max(1, len(x))
