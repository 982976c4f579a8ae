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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .choice import MOST, Choice
from .cut import Cut
from .history import History
from .mixed import BLOCK, Fit, Group, Rows, fit_mixed, left_out
from .nuisance import Residuals, carried
from .progress import SILENT, Stage
from .response import MEMORY, WEAKEST, extra, remembered
from .side_by_side import side_by_side
from .substitution import Moves, Substitution, chosen, find_laws, linearised, pooled_diversion
from .terms import MISLED, OPEN, SEASONAL, TERMS, Estimates, clear, pool, prior, shrink

PRIOR_MEAN, PRIOR_SD = -2.0, 1.5  # own elasticity where the data say nothing (Bijmolt et al. 2005: mean -2.6)
_CROSS_SD, _PROMO_SD, _CONTROL_SD, _LEVEL_SD = 0.3, 1.5, 5.0, 0.3
_BASE_SD, _THEN_SD, _INTERCEPT_SD = 0.3, 1.0, 3.0
_NINETY = 1.645
_ALIKE = 10.0  # locations' worth of belief that they differ as much in one item as in another
_ALARM = 4.0  # standard errors between the estimates with and without instrument that count as disagreement
_CURVE = 3.0  # strongest bend of the elasticity: it moves by less than this times the log price
_OPEN_SD = 1.5  # spread of items' diversion, where it is estimated
_APART = 0.05  # least share of promotions' variance between locations, that tells one from all
_FIXED_SD = 0.01  # of an item's diversion around its category's, once that is known
_DOUBT = 0.05  # least chance that either form is the right one
_RIVALS = 32  # most items of a category whose prices have an effect of their own on one item

_AXES = {
    **dict.fromkeys(("own", "own_lo", "own_hi"), "SI"),
    **dict.fromkeys(("own_error", "curve", "chain", "price_spread"), "I"),
    **dict.fromkeys(("with_instrument", "without_instrument"), "I"),
    **dict.fromkeys(("promo", "joint", "sway", "memory"), "IK"),
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
    memory: Tensor  # (I, 2) effect on log demand of the recent and lasting memory of own price effects
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


@dataclass(frozen=True)
class _Stage:
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
    run = _Stage(
        history,
        residuals.rows,
        level + near.offset,
        near.price,
        near.promo,
        residuals.decided,
        categories,
        _rivals(history, categories),
        open_terms,
        (near.crowd, -choice.diversion[0] @ choice.kin.T, none + _OPEN_SD),
    )
    first = _fit_items(run, stage)
    kept = {name: found for name in open_terms if clear(name, found := pool(_coefficient(first, name)))}
    if "recent" in kept and "lasting" in kept:  # the two look alike: the clearer one stays
        del kept[min("recent", "lasting", key=lambda name: abs(kept[name].mean) / kept[name].error)]
    own = torch.cat([f.mean("own") for f in first]).clamp(max=WEAKEST)
    curve = torch.zeros_like(own)
    if "curve" in kept:
        bend = _coefficient(first, "curve").over(own)
        curve = shrink(bend, pool(bend))[0].clamp(-_CURVE, _CURVE)
    slopes = torch.stack([torch.cat([f.mean("own"), f.mean("promo")]) for f in first]).float()
    theta, theta_error = pooled_diversion(_coefficient(first, "crowd"), choice)
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
    fits = [_fit_items(form, stage, first) for form in (by_shares, by_pairs)]
    odds = _odds((by_shares, by_pairs), fits)
    forms = [_with_pairs(choice, by_shares, fits[0]), _with_pairs(choice.apart(), by_pairs, fits[1])]
    best = int(odds < 0.5)
    run, second = (by_shares, by_pairs)[best], fits[best]
    plain = _collected(run, second, curve, chosen(forms, (odds, 1 - odds)))
    if residuals.instrument.shape[-1] == 0:
        return plain
    lasting = bool((plain.memory != 0).any())  # then a shifter that lasts shows what a lasting price does
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
    control = _fit_items(with_control, stage, second)
    return _compared(plain, run, second, control)


def _with_pairs(choice: Choice, run: _Stage, fits: Sequence[Fit]) -> Choice:
    """``choice`` with what single rivals do, as a part of what an item's own price does."""
    pairs = torch.zeros(len(fits), len(fits))
    for item, fit in enumerate(fits):
        if run.crowd is None:
            pairs[item] = fit.mean("rivals").float()
        pairs[item, run.rivals[item]] += fit.mean("each").float()
    own = _average(fits).value.clamp(max=WEAKEST).float()
    return replace(choice, pairs=(pairs * _same(run.category) / -own.unsqueeze(1)).unsqueeze(0))


def _odds(forms: Sequence[_Stage], fits: Sequence[Sequence[Fit]]) -> float:
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
        told = [_told(form, item, of_form[item]) for form, of_form in zip(forms, fits, strict=True)]
        gain.index_add_(0, keep.nonzero()[felt, 0] // BLOCK, (told[0] - told[1])[felt])
    error = (len(gain) * gain.var()).sqrt() if len(gain) > 1 else gain.new_ones(())
    chance = float(torch.special.ndtr(gain.sum() / error.clamp(min=1e-9)))
    return min(max(chance, _DOUBT), 1 - _DOUBT)


def _told(run: _Stage, item: int, fit: Fit) -> Tensor:
    """(N,) log likelihood of an item's rows by what other blocks say."""
    rows, groups = _regression(run, item, _by_category(run.price, run.category), None)
    return left_out(rows, groups, fit, ("shocks", "spells"))


def _columns(history: History, residuals: Residuals, near: Substitution, slopes: Tensor) -> dict[str, Tensor]:
    """Column (T, S, I) of every candidate; slopes (…, I, 1 + K) of price and promotions for the memories."""
    price, weight = near.price, residuals.rows.float()
    wave = history.ahead[: len(price), ..., :2]  # the calendar begins with sine and cosine of the year
    columns = (near.curve, _everywhere(price, weight), price * wave[..., 0], price * wave[..., 1])
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
    """(T, S, I) recent and lasting memory of own effects, beyond what was expected."""
    effect = residuals.price * slopes[..., 0] + (residuals.promo * slopes[..., 1:]).sum(-1)
    whole = residuals.shift * slopes[..., 0] + (history.promo * slopes[..., 1:]).sum(-1)
    return remembered(extra(whole) - extra(whole - effect), MEMORY[0]), remembered(effect, MEMORY[1])


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
    return recent * before.memory[:, 0] + lasting * before.memory[:, 1]


def _rivals(history: History, categories: Tensor) -> tuple[Tensor, ...]:
    """Items of the same category, in order; where there are very many, those that sell for most."""
    value = (history.units * history.log_price.exp()).sum((0, 1))
    out = []
    for item, category in enumerate(categories):
        others = (categories == category).nonzero()[:, 0]
        others = others[others != item]
        out.append(others[value[others].argsort(descending=True, stable=True)[:_RIVALS].sort().values])
    return tuple(out)


def _by_category(x: Tensor, category: Tensor) -> Tensor:
    """(T, S, G) sums over the items of each category, float64."""
    out = torch.zeros(*x.shape[:2], int(category.max()) + 1, dtype=torch.float64, device=x.device)
    for item, group in enumerate(category.tolist()):
        out[..., group] += x[..., item]
    return out


def _fit_items(run: _Stage, stage: Stage, start: Sequence[Fit] | None = None) -> list[Fit]:
    """Every item's regression; ``start`` from another of the same rows, whose spreads are found anew."""
    crowd = _by_category(run.price, run.category)
    controls = None if run.control is None else _by_category(run.control, run.category)

    def one(item: int) -> Fit:
        rows, groups = _regression(run, item, crowd, controls)
        found = fit_mixed(rows, groups, None if start is None else replace(start[item], spreads={}))
        stage.advance()
        return found

    return side_by_side(one, len(run.category), run.rows[:, :, 0].numel())


def _regression(
    run: _Stage, item: int, crowd: Tensor, controls: Tensor | None
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
        "own": Group(own, PRIOR_SD, PRIOR_MEAN),
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


def _mean_by(x: Tensor, index: Tensor, levels: int) -> Tensor:
    """(L,) mean of x (N,) over the rows of each level."""
    total = x.new_zeros(levels).index_add_(0, index, x)
    return total / torch.bincount(index, minlength=levels).clamp(min=1)


def _listed_mean(x: Tensor, history: History, item: int) -> Tensor:
    """(S,) mean of x (T, S) over the periods in which a location lists an item."""
    there = history.listed[: len(x), :, item].to(x)
    return (x * there).sum(0) / there.sum(0).clamp(min=1)


def _coefficient(fits: Sequence[Fit], name: str) -> Estimates:
    """An item's single coefficient ``name``, float64."""
    variance = torch.cat([f.variance(name) for f in fits]).clamp(min=0)
    influence = torch.cat([f.influence[:, f.parts[name]] for f in fits], dim=1)
    return Estimates(torch.cat([f.mean(name) for f in fits]), variance.sqrt(), influence)


def _control(price: Tensor, shifter: Tensor, rows: Tensor, category: Tensor) -> Tensor:
    """(T, S, I) control function v = r_p − π·r_z, π pooled over the items of a category."""
    weight = rows.float()
    product = (weight * price * shifter).sum((0, 1))
    square = (weight * shifter.square()).sum((0, 1))

    def pooled(x: Tensor) -> Tensor:
        return x.new_zeros(int(category.max()) + 1).index_add_(0, category, x)[category]

    return price - pooled(product) / pooled(square).clamp(min=1e-9) * shifter


def _collected(run: _Stage, fits: Sequence[Fit], curve: Tensor, choice: Choice) -> Elasticities:
    own, variance = _by_series(run, fits)
    there = run.rows.any(0)
    usual = torch.where(there.any(0), (own * there).sum(0) / there.sum(0).clamp(min=1), own.mean(0))

    def term(name: str) -> Tensor:
        return _coefficient(fits, name).value.float() if name in run.terms else torch.zeros(len(fits))

    value, lo, hi = _ends(own, variance)
    spread = [_std(run.price[:, :, i][run.rows[:, :, i]]) for i in range(len(fits))]
    return Elasticities(
        own=value,
        own_lo=lo,
        own_hi=hi,
        own_error=_coefficient(fits, "own").error.float(),
        choice=choice,
        promo=torch.stack([f.mean("promo") for f in fits]).float().clamp(min=0),
        curve=curve.float(),
        chain=term("chain"),
        joint=torch.stack([term(f"joint {k}") for k in range(run.promo.shape[-1])], dim=-1)
        if run.promo.shape[-1]
        else run.promo.new_zeros(len(fits), 0),
        sway=torch.stack([term("sine"), term("cosine")], dim=-1) / usual.float().unsqueeze(-1),
        memory=torch.stack([term("recent"), term("lasting")], dim=-1),
        price_spread=torch.stack(spread).float(),
        with_instrument=None,
        without_instrument=None,
        gap=0.0,
        gap_error=float("nan"),
        confounded=False,
    )


def _same(category: Tensor) -> Tensor:
    """(I, I) 1 where two items are of one category, 0 elsewhere and on the diagonal."""
    return (category.unsqueeze(0) == category.unsqueeze(1)).float().fill_diagonal_(0.0)


def _std(x: Tensor) -> Tensor:
    """Standard deviation of x (N,), 0 where there is too little to have one."""
    return x.std() if len(x) > 1 else x.new_zeros(())


def _by_series(run: _Stage, fits: Sequence[Fit]) -> tuple[Tensor, Tensor]:
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
    plain: Elasticities, run: _Stage, without: Sequence[Fit], control: Sequence[Fit]
) -> Elasticities:
    """The plain estimate beside the control function's, and moved to it where the two disagree.

    What hides is much alike in all items: their gaps are shrunk to the mean one, so that the correction
    costs little of the plain estimate's precision.
    """
    one, two = _average(without), _average(control)
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
    across = pool(_coefficient(control, name) - _coefficient(without, name)).mean
    own, lo, hi = _ends(own + gap, variance + gap_error.square())
    return replace(
        plain,
        own=own,
        own_lo=lo,
        own_hi=hi,
        own_error=(plain.own_error.square() + gap_error.square()).sqrt().float(),
        choice=_corrected(plain.choice, across, run, own),
    )


def _corrected(choice: Choice, across: float, run: _Stage, own: Tensor) -> Choice:
    """``choice`` with what rivals do moved by ``across`` in the likeliest form."""
    first = torch.zeros(len(choice.odds), 1)
    first[0] = 1.0
    if run.crowd is not None:
        moved = torch.where(choice.diversion > 0, choice.diversion - first * across, 0.0)
        return replace(choice, diversion=moved.clamp(0.0, MOST))
    more = across * _same(run.category) / -own.mean(0).unsqueeze(1)
    return replace(choice, pairs=choice.pairs + first.unsqueeze(-1) * more).regular()


def _average(fits: Sequence[Fit]) -> Estimates:
    """Own elasticity of an item, mean over its locations, float64."""
    values, variances, influences = [], [], []
    for fit in fits:
        places, cov = fit.slopes["places"], fit.cov("own", "places")
        values.append(fit.mean("own")[0] + _mean(fit.mean("places")))
        variances.append(fit.variance("own")[0] + 2 * _mean(cov[0]) + places.mean_variance)
        influences.append(fit.influence[:, fit.parts["own"]][:, 0] + places.influence)
    error = torch.stack(variances).clamp(min=0).sqrt()
    return Estimates(torch.stack(values), error, torch.stack(influences, dim=1))


def _mean(x: Tensor) -> Tensor:
    """Mean of x (N,), 0 of nothing."""
    return x.sum() / max(1, len(x))
