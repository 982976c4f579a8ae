"""Second stage of identification: elasticities by censored likelihood on out-of-fold residuals.

For each item, log μ = m + (ε + δ_s)·r_p + substitution + Σ_k promo_k·r_k + terms + a_s + b_t, where m, r come
from ``nuisance`` (Robinson 1988, doi:10.2307/1912705: the residual of demand on the residual of price), the
terms from ``terms``, δ_s, a_s are locations' deviations and b_t a shock that the period brings to the item
everywhere. What rivals take has two forms (``choice``): shares of a category, linear around the pass before
(``substitution``), with single pairs' deviations; or a constant cross elasticity for each pair. Both are
estimated, and weighed by the likelihood of weeks in which rivals' prices moved, each block of weeks by what
the others say. Deviations, shocks and the rivals' effects around their common mean are random effects
(``mixed``): without b_t the rows of one week would count as independent evidence and the shrinkage would
trust noise. How far locations differ is found item by item, then again drawn to what the items show together.

Where a cost shifter is declared the same is estimated once more with a control function. Its distance from
the plain estimate, pooled over items, says whether something hidden moves price and demand together (Hausman
1978, doi:10.2307/1913827), and corrects the plain estimate where it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..features import History
from ..progress import SILENT, Stage
from ..response import CARRYOVER, MOST, WEAKEST, Choice, carried_over, extra
from ..statistics import BLOCK, MISLED, OPEN, SEASONAL, TERMS, Fit, clear, pool, prior, shrink
from ..tensors import Cut
from .item_regressions import (
    Regressions,
    average,
    coefficient,
    fit_items,
    predicted,
    rivals_of,
    same_category,
)
from .nuisance import Residuals
from .substitution import Moves, Substitution, chosen, find_laws, linearised, pooled_diversion

_NINETY = 1.645
_ALIKE = 10.0  # locations' worth of belief that they differ as much in one item as in another
_ALARM = 4.0  # standard errors between the estimates with and without instrument that count as disagreement
_CURVE = 3.0  # strongest bend of the elasticity: it moves by less than this times the log price
_OPEN_SD = 1.5  # spread of items' diversion, where it is estimated
_APART = 0.05  # least share of promotions' variance between locations, that tells one from all
_FIXED_SD = 0.01  # of an item's diversion around its category's, once that is known
_DOUBT = 0.05  # least chance that either form is the right one

_AXES = {
    **dict.fromkeys(("own", "own_lo", "own_hi"), "SI"),
    **dict.fromkeys(("own_error", "curve", "chain", "price_spread"), "I"),
    **dict.fromkeys(("with_instrument", "without_instrument"), "I"),
    **dict.fromkeys(("promo", "joint", "sway", "carryover"), "IK"),
}


@dataclass(frozen=True)
class Elasticities:
    """What prices and promotions do, by item and, for own prices, by series; 90% intervals."""

    own: Tensor  # (S, I) posterior mean at the reference price, <= WEAKEST
    own_lo: Tensor  # (S, I)
    own_hi: Tensor  # (S, I)
    own_error: Tensor  # (I,) standard error that an item's locations have in common
    choice: Choice  # how customers divide themselves over the items, by form
    promo: Tensor  # (I, K) lift of log demand by a full promotion, >= 0
    curve: Tensor  # (I,) own elasticity moves by exp(curve·(log p − log reference price))
    chain: Tensor  # (I,) more of a price moved at all locations at once
    joint: Tensor  # (I, K) more of a promotion run at all locations at once
    sway: Tensor  # (I, 2) share by which own elasticity grows with sine and cosine of the year
    carryover: Tensor  # (I, 2) effect on log demand of the recent and lasting carryover of own price effects
    price_spread: Tensor  # (I,) standard deviation of residual log price: what there is to learn from
    with_instrument: Tensor | None  # (I,) estimate by the control function, where a shifter is declared
    without_instrument: Tensor | None  # (I,) estimate without it
    gap: float  # mean difference of the two; 0 without a shifter
    gap_error: float  # its standard error
    confounded: bool  # the two disagree beyond their error: something hidden moves price and demand together

    def select(self, cut: Cut) -> Elasticities:
        """Those of a sub-market."""
        return replace(cut.record(self, _AXES), choice=self.choice.select(cut))

    @property
    def cross(self) -> Tensor:
        """(I, I) ∂log demand(row) / ∂log price(column) at reference prices, mean of the locations."""
        return self.choice.cross(self.own)


def estimate(
    history: History,
    residuals: Residuals,
    categories: Tensor,
    stage: Stage = SILENT,
    before: Elasticities | None = None,
) -> Elasticities:
    """Elasticities from out-of-fold residuals.

    Args:
        history: T periods, S locations, I items.
        residuals: of the same panel.
        categories: (I,) int64; cross effects stay within a category.
        stage: advances 2·I times, and I times more where a cost shifter is declared.
        before: what an earlier round found, whose memories the residuals were given. Where it found that
            something hidden moves price and demand together, the terms that this would bend as it bends the
            elasticities are left out.
    """
    none = torch.zeros(len(categories))
    remembered_already = _remembered_already(history, residuals, before)
    level = residuals.log_mean - remembered_already
    without_news = residuals.log_mean_without_news - remembered_already
    choice, slopes = find_laws(history, residuals, categories, without_news)
    near = linearised(Moves.of(history, residuals, none), choice, slopes)
    open_terms = {
        name: (column, 0.0, OPEN[name.split()[0]])
        for name, column in _columns(history, residuals, near, slopes).items()
        if not (before is not None and before.confounded and name.split()[0] in MISLED)
        and (history.whole_year or name not in SEASONAL)
    }
    run = Regressions(
        history,
        residuals.rows,
        level + near.offset,
        near.price,
        near.promo,
        residuals.decided,
        categories,
        rivals_of(history, categories),
        open_terms,
        (near.crowd, -choice.diversion[0] @ choice.kin.T, none + _OPEN_SD),
    )
    first = fit_items(run, stage)
    kept = {name: found for name in open_terms if clear(name, found := pool(coefficient(first, name)))}
    if "recent" in kept and "lasting" in kept:  # the two look alike: the clearer one stays
        del kept[min("recent", "lasting", key=lambda name: abs(kept[name].mean) / kept[name].error)]
    own = torch.cat([f.mean("own") for f in first]).clamp(max=WEAKEST)
    curve = torch.zeros_like(own)
    if "curve" in kept:
        bend = coefficient(first, "curve").over(own)
        curve = shrink(bend, pool(bend))[0].clamp(-_CURVE, _CURVE)
    slopes = torch.stack([torch.cat([f.mean("own"), f.mean("promo")]) for f in first]).float()
    theta, theta_error = pooled_diversion(coefficient(first, "crowd"), choice)
    choice = replace(
        choice,
        diversion=theta.float().unsqueeze(0),
        diversion_error=theta_error.float().unsqueeze(0),
    )
    near = linearised(Moves.of(history, residuals, curve.float()), choice, slopes)
    columns = _columns(history, residuals, near, slopes)
    terms = {name: (columns[name], *prior(name, found)) for name, found in kept.items() if name != "curve"}
    apart = ((sum(f.spreads["places"] ** 2 for f in first) / len(first)) ** 0.5, _ALIKE)
    by_shares = replace(
        run,
        offset=level + near.offset,
        price=near.price,
        promo=near.promo,
        terms=terms,
        apart=apart,
        crowd=(near.crowd, -choice.diversion[0] @ choice.kin.T, none + _FIXED_SD),
    )
    by_pairs = replace(
        by_shares,
        offset=level,
        price=residuals.price + curve.float() * residuals.curve,
        promo=residuals.promo,
        crowd=None,
    )
    fits = [fit_items(form, stage, first) for form in (by_shares, by_pairs)]
    odds = _odds((by_shares, by_pairs), fits)
    forms = [_with_pairs(choice, by_shares, fits[0]), _with_pairs(choice.apart(), by_pairs, fits[1])]
    best = int(odds < 0.5)
    run, second = (by_shares, by_pairs)[best], fits[best]
    plain = _collected(run, second, curve, chosen(forms, (odds, 1 - odds)))
    if residuals.instrument.shape[-1] == 0:
        return plain
    lasting = bool((plain.carryover != 0).any())  # then a shifter that lasts shows what a lasting price does
    if not lasting:
        level = residuals.free_log_mean
        residuals = replace(residuals, price=residuals.free_price, news=residuals.instrument)
    if run.crowd is None:
        run = replace(run, offset=level, price=residuals.price)
    else:
        near = linearised(Moves.of(history, residuals, none), choice, slopes)
        crowd = (near.crowd, *run.crowd[1:])
        run = replace(run, offset=level + near.offset, price=near.price, promo=near.promo, crowd=crowd)
    with_control = replace(
        run,
        terms={name: run.terms[name] for name in run.terms if name in ("recent", "lasting")},
        control=_control(residuals.price, residuals.news[..., 0], residuals.rows, categories),
    )
    control = fit_items(with_control, stage, second)
    return _compared(plain, run, second, control)


def _with_pairs(choice: Choice, run: Regressions, fits: Sequence[Fit]) -> Choice:
    """``choice`` with what single rivals do, as a part of what an item's own price does."""
    pairs = torch.zeros(len(fits), len(fits))
    for item, fit in enumerate(fits):
        if run.crowd is None:
            pairs[item] = fit.mean("rivals").float()
        pairs[item, run.rivals[item]] += fit.mean("each").float()
    own = average(fits).value.clamp(max=WEAKEST).float()
    return replace(choice, pairs=(pairs * same_category(run.category) / -own.unsqueeze(1)).unsqueeze(0))


def _odds(forms: Sequence[Regressions], fits: Sequence[Sequence[Fit]]) -> float:
    """Chance that the first form predicts weeks it has not seen better than the second.

    In rows whose rivals' prices moved more than usual. The sum over blocks of weeks of the difference in log
    likelihood, beside its standard error (Yao, Vehtari, Simpson and Gelman 2018, doi:10.1214/17-BA1091).
    """
    first = forms[0]
    assert first.crowd is not None
    taken = first.crowd[0]
    gain = torch.zeros(len(first.offset) // BLOCK + 1, dtype=torch.float64)
    for item in range(len(first.category)):
        keep = first.rows[:, :, item]
        crowd = taken[:, :, item][keep]
        felt = crowd.abs() > crowd.square().mean().sqrt()
        if not bool(felt.any()):
            continue
        said = [predicted(form, item, of_form[item]) for form, of_form in zip(forms, fits, strict=True)]
        gain.index_add_(0, keep.nonzero()[felt, 0] // BLOCK, (said[0] - said[1])[felt])
    error = (len(gain) * gain.var()).sqrt() if len(gain) > 1 else gain.new_ones(())
    chance = float(torch.special.ndtr(gain.sum() / error.clamp(min=1e-9)))
    return min(max(chance, _DOUBT), 1 - _DOUBT)


def _columns(history: History, residuals: Residuals, near: Substitution, slopes: Tensor) -> dict[str, Tensor]:
    """Column (T, S, I) of every candidate; slopes (…, I, 1 + K) of price and promotions for the memories."""
    price, weight = near.price, residuals.rows.float()
    harmonic = history.ahead[: len(price), ..., :2]  # the calendar begins with sine and cosine of the year
    columns = (near.curve, _everywhere(price, weight), price * harmonic[..., 0], price * harmonic[..., 1])
    joint = {
        f"joint {k}": _everywhere(promo, weight)
        for k, promo in enumerate(near.promo.unbind(-1))
        if _alone(residuals.promo[..., k], residuals.rows)
    }
    attributes = {
        f"attribute {q}": price * values
        for q, values in enumerate(history.static.unbind(-1))
        if float(values.std()) > 0
    }
    memories = _memories(history, residuals, slopes)
    return dict(zip(TERMS, (*columns, *memories), strict=True)) | joint | attributes


def _memories(history: History, residuals: Residuals, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """(T, S, I) recent and lasting carryover of own effects, beyond what was expected."""
    effect = residuals.price * slopes[..., 0] + (residuals.promo * slopes[..., 1:]).sum(-1)
    whole = residuals.shift * slopes[..., 0] + (history.promo * slopes[..., 1:]).sum(-1)
    return carried_over(extra(whole) - extra(whole - effect), CARRYOVER[0]), carried_over(
        effect, CARRYOVER[1]
    )


def _alone(promo: Tensor, rows: Tensor) -> bool:
    """Whether a promotion (T, S, I) runs at single locations, too, and not always everywhere at once."""
    apart = (promo - _everywhere(promo, rows.float())) * rows
    return float(apart.square().sum()) > _APART * float((promo * rows).square().sum())


def _everywhere(x: Tensor, weight: Tensor) -> Tensor:
    """(T, S, I) mean over the item's locations in each period."""
    mean = (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
    return mean.expand_as(x)


def _remembered_already(history: History, residuals: Residuals, before: Elasticities | None) -> Tensor:
    """(T, S, I) the part of the memories' effect that their columns stand for."""
    if before is None:
        return torch.zeros_like(residuals.price)
    recent, lasting = _memories(history, residuals, residuals.slopes)
    return recent * before.carryover[:, 0] + lasting * before.carryover[:, 1]


def _control(price: Tensor, shifter: Tensor, rows: Tensor, category: Tensor) -> Tensor:
    """(T, S, I) control function v = r_p − π·r_z, π pooled over the items of a category."""
    weight = rows.float()
    product = (weight * price * shifter).sum((0, 1))
    square = (weight * shifter.square()).sum((0, 1))

    def pooled(x: Tensor) -> Tensor:
        return x.new_zeros(int(category.max()) + 1).index_add_(0, category, x)[category]

    return price - pooled(product) / pooled(square).clamp(min=1e-9) * shifter


def _collected(run: Regressions, fits: Sequence[Fit], curve: Tensor, choice: Choice) -> Elasticities:
    own, variance = _by_series(run, fits)
    there = run.rows.any(0)
    usual = torch.where(there.any(0), (own * there).sum(0) / there.sum(0).clamp(min=1), own.mean(0))

    def term(name: str) -> Tensor:
        return coefficient(fits, name).value.float() if name in run.terms else torch.zeros(len(fits))

    value, lo, hi = _ends(own, variance)
    spread = [_std(run.price[:, :, i][run.rows[:, :, i]]) for i in range(len(fits))]
    return Elasticities(
        own=value,
        own_lo=lo,
        own_hi=hi,
        own_error=coefficient(fits, "own").error.float(),
        choice=choice,
        promo=torch.stack([f.mean("promo") for f in fits]).float().clamp(min=0),
        curve=curve.float(),
        chain=term("chain"),
        joint=torch.stack([term(f"joint {k}") for k in range(run.promo.shape[-1])], dim=-1)
        if run.promo.shape[-1]
        else run.promo.new_zeros(len(fits), 0),
        sway=torch.stack([term("sine"), term("cosine")], dim=-1) / usual.float().unsqueeze(-1),
        carryover=torch.stack([term("recent"), term("lasting")], dim=-1),
        price_spread=torch.stack(spread).float(),
        with_instrument=None,
        without_instrument=None,
        gap=0.0,
        gap_error=float("nan"),
        confounded=False,
    )


def _std(x: Tensor) -> Tensor:
    """Standard deviation of x (N,), 0 where there is too little to have one."""
    return x.std() if len(x) > 1 else x.new_zeros(())


def _by_series(run: Regressions, fits: Sequence[Fit]) -> tuple[Tensor, Tensor]:
    """Own elasticities (S, I) and their variances: item, attributes of the location, the location's own."""
    values, variances = [], []
    for item, fit in enumerate(fits):
        names = ["own", *(name for name in run.terms if name.startswith("attribute"))]
        static = run.history.static[:, item].double()
        weights = torch.stack(
            [static.new_ones(len(static)), *(static[:, int(n.split()[1])] for n in names[1:])], 1
        )
        at = torch.cat([torch.arange(len(fit.beta))[fit.parts[name]] for name in names])
        value = weights @ fit.beta[at]
        variance = ((weights @ fit.covariance[at][:, at]) * weights).sum(1)
        here, places = run.rows[:, :, item].any(0), fit.slopes["places"]
        value[here] += fit.mean("places")
        beyond = places.variance + 2 * (weights[here] * places.cross[at].T).sum(1)
        variance[here] += beyond
        variance[~here] += fit.spreads["places"] ** 2  # who has never sold it is one of those who might
        values.append(value)
        variances.append(variance)
    return torch.stack(values, dim=1), torch.stack(variances, dim=1)


def _ends(own: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Own elasticities (S, I) and the ends of their 90% intervals, none of the wrong sign."""
    half = _NINETY * variance.clamp(min=0).sqrt()
    own, lo, hi = (x.clamp(max=WEAKEST).float() for x in (own, own - half, own + half))
    return own, lo, hi


def _compared(
    plain: Elasticities, run: Regressions, without: Sequence[Fit], control: Sequence[Fit]
) -> Elasticities:
    """The plain estimate beside the control function's, and moved to it where the two disagree.

    What hides is much alike in all items: their gaps are shrunk to the mean one, so that the correction
    costs little of the plain estimate's precision.
    """
    one, two = average(without), average(control)
    found = pool(two - one)
    confounded = abs(found.mean) > _ALARM * found.error
    plain = replace(
        plain,
        with_instrument=two.value.float(),
        without_instrument=one.value.float(),
        gap=found.mean,
        gap_error=found.error,
        confounded=confounded,
    )
    if not confounded:
        return plain
    gap, gap_error = shrink(two - one, found)
    own, variance = _by_series(run, without)
    name = "rivals" if run.crowd is None else "crowd"
    across = pool(coefficient(control, name) - coefficient(without, name)).mean
    own, lo, hi = _ends(own + gap, variance + gap_error.square())
    return replace(
        plain,
        own=own,
        own_lo=lo,
        own_hi=hi,
        own_error=(plain.own_error.square() + gap_error.square()).sqrt().float(),
        choice=_corrected(plain.choice, across, run, own),
    )


def _corrected(choice: Choice, across: float, run: Regressions, own: Tensor) -> Choice:
    """``choice`` with what rivals do moved by ``across`` in the likeliest form."""
    first = torch.zeros(len(choice.odds), 1)
    first[0] = 1.0
    if run.crowd is not None:
        moved = torch.where(choice.diversion > 0, choice.diversion - first * across, 0.0)
        return replace(choice, diversion=moved.clamp(0.0, MOST))
    more = across * same_category(run.category) / -own.mean(0).unsqueeze(1)
    return replace(choice, pairs=choice.pairs + first.unsqueeze(-1) * more).regular()
