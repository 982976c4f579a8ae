"""Estimating substitution: first the few laws of ``choice``, then columns for the items' regressions.

The laws (diversion, how many customers buy at all, how much more one segment minds prices, who buys what) are
found by the penalised likelihood of all items at once, beside rough own elasticities and promotions.
Around them log demand is linear in what the regressions look for, up to a known offset (Gauss and Newton):

    f(actual) − f(expected) ≈ offset + ε·price + Σ_k lift_k·promo_k − θ·crowd

with price and promotions damped where an item has most of its customers already, and the crowd what others of
the category did to it. Expected are prices and promotions as the first stage foresaw them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ..features import History
from ..response import BY_FORM, MOST, WEAKEST, Choice
from ..statistics import Estimates, pool, shrink
from .nuisance import Residuals

_STEPS = 60  # most iterations of the search
_ROWS = 200_000  # that the laws are found from: locations beyond are left out
_LEAST = 0.01  # of an item's units in either segment
_STEEPEST, _USUAL = 20.0, 2.2  # bound of own elasticities; log odds against it of an ordinary one, −2
_SHOCK, _LOG_R = 0.15, 2.5  # spread of what a week brings to an item everywhere, and log dispersion, at first


@dataclass(frozen=True)
class Substitution:
    """Columns of the regressions, differences of what happened and what was expected."""

    offset: Tensor  # (T, S, I)
    price: Tensor  # (T, S, I)
    curve: Tensor  # (T, S, I)
    promo: Tensor  # (T, S, I, K)
    crowd: Tensor  # (T, S, I)


@dataclass(frozen=True)
class Moves:
    """Prices and promotions; 0 where not listed."""

    price: Tensor  # (T, S, I) log price over reference price, bent by the curve
    bend: Tensor  # (T, S, I) half its square
    promo: Tensor  # (T, S, I, K)

    @staticmethod
    def of(history: History, residuals: Residuals, curve: Tensor) -> tuple[Moves, Moves]:
        """Those that were, and those that were expected; bent by ``curve`` (I,)."""
        there = history.listed[: history.periods].to(curve.dtype)
        price, bend = residuals.shift, residuals.shift.square() / 2

        def moves(price: Tensor, bend: Tensor, promo: Tensor) -> Moves:
            return Moves((price + curve * bend) * there, bend * there, promo * there.unsqueeze(-1))

        return moves(price, bend, history.promo), moves(
            price - residuals.price, bend - residuals.curve, history.promo - residuals.promo
        )

    def effect(self, slopes: Tensor) -> Tensor:
        """(T, S, I) what they do by slopes (I, 1 + K), each by itself."""
        return self.price * slopes[:, 0] + (self.promo * slopes[:, 1:]).sum(-1)


def usual_units(history: History) -> Tensor:
    """(S, I) mean units of a period in which the item was listed, > 0."""
    there = history.known & history.listed[: history.periods]
    usual = (history.units * there).sum(0) / there.sum(0).clamp(min=1)
    return usual.clamp(min=1e-3 * float(usual.mean()))


def find_laws(
    history: History, residuals: Residuals, categories: Tensor, level: Tensor
) -> tuple[Choice, Tensor]:
    """The laws of substitution, and rough effects of price and promotions (I, 1 + K).

    By the mode of a posterior: negative binomial counts, a level for each series and a shock for each item
    and period; few numbers, each with a prior that lets the data speak.

    Args:
        history: T periods, S locations, I items.
        residuals: of the same panel.
        categories: (I,) int64.
        level: (T, S, I) expected log demand.
    """
    units = usual_units(history).double()
    places = _some(residuals.rows)
    rows = (residuals.rows & ~history.stock_outs.bound)[:, places]
    counts = (history.units / history.grain)[:, places].double()
    base = (level + history.stock_outs.exposure.log() - history.grain.log())[:, places].double()
    both = [
        Moves(*(x[:, places].double() for x in vars(moves).values()))
        for moves in Moves.of(history, residuals, torch.zeros(len(categories)))
    ]
    goods, groups, promos = len(categories), int(categories.max()) + 1, history.promo.shape[-1]
    alone = torch.bincount(categories, minlength=groups) < 2
    sizes = {
        "own": (goods,),
        "lift": (goods, promos),
        "theta": (groups,),
        "theta_all": (1,),
        "away": (1,),
        "ratio": (1,),
        "part": (goods,),
        "part_all": (1,),
        "level": (len(places), goods),
        "shock": (len(rows), goods),
        "log_r": (goods,),
    }
    free = {name: units.new_zeros(size).requires_grad_() for name, size in sizes.items()}

    def laws() -> tuple[Choice, Tensor]:
        theta = MOST * torch.sigmoid(free["theta"] + free["theta_all"]) * ~alone
        away = MOST * torch.sigmoid(free["away"][0] - 2) * (groups > 1)
        ratio = 1 + softplus(2 * free["ratio"][0])
        part = _LEAST + (1 - 2 * _LEAST) * torch.sigmoid(free["part"] + free["part_all"])
        choice = Choice.of(
            categories,
            units,
            torch.stack([1 - part, part]),
            theta,
            away,
            torch.stack([torch.ones_like(ratio), ratio]),
        )
        own = -_STEEPEST * torch.sigmoid(free["own"] - _USUAL)
        return choice, torch.cat([own.unsqueeze(1), free["lift"]], dim=1)

    def loss() -> Tensor:
        choice, slopes = laws()
        choice = replace(choice, share=choice.share[:, places], of_shop=choice.of_shop[:, places])
        told = [choice.mixed(choice.moved(moves.effect(slopes))) for moves in both]
        log_mean = base + told[0] - told[1] + free["level"] + free["shock"].unsqueeze(1) * _SHOCK
        r = (free["log_r"] + _LOG_R).clamp(-5, 8).exp()
        log_mean = log_mean.clamp(-12, 16)
        total = torch.logaddexp(log_mean, r.log())
        value = (counts + r) * total - counts * log_mean - r * r.log()
        value = value - torch.lgamma(counts + r) + torch.lgamma(r)
        prior = sum(x.square().sum() / 2 for x in free.values())
        return (value * rows).sum() + prior

    search = torch.optim.LBFGS(list(free.values()), max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        value = loss()
        value.backward()
        return value

    search.step(closure)
    with torch.no_grad():
        choice, slopes = laws()
    choice = Choice(*(getattr(choice, f.name).to(level) for f in fields(choice)))
    return choice, torch.cat([slopes[:, :1].clamp(max=WEAKEST), slopes[:, 1:]], dim=1).to(level)


def _some(rows: Tensor) -> Tensor:
    """Locations that hold about as many rows as are needed, evenly spaced."""
    count = rows.shape[1]
    take = max(1, min(count, round(count * _ROWS / max(1, rows.numel()))))
    return torch.linspace(0, count - 1, take).round().long()


def linearised(both: tuple[Moves, Moves], choice: Choice, slopes: Tensor) -> Substitution:
    """The columns around a form and slopes (I, 1 + K), of moves that were and those that were expected."""
    actual, expected = (_at(choice, slopes, moves) for moves in both)
    moved = Substitution(*(a - e for a, e in zip(actual, expected, strict=True)))
    linear = moved.price * slopes[:, 0] + (moved.promo * slopes[:, 1:]).sum(-1)
    theta = choice.diversion[0] @ choice.kin.T
    return replace(moved, offset=moved.offset - linear + theta * moved.crowd)


def _at(choice: Choice, slopes: Tensor, moves: Moves) -> tuple[Tensor, ...]:
    """Change of log demand, then the columns."""
    kin, theta = choice.kin, choice.diversion[0]
    moved = choice.moved(moves.effect(slopes))  # (T, K, S, I)
    within, shop = choice.values(moved)
    weighed = choice.part.log().unsqueeze(1) + choice.by_segment(moved)
    buyers = weighed.softmax(-3)  # of an item now, by segment
    gone = choice.lost(shop)  # of those who come to the shop, by what else is there
    of_group = choice.of_shop * ((1 - theta) * within - shop).exp()
    of_item = choice.share * (moved - within @ kin.T).exp()
    felt = 1 - of_item * (theta @ kin.T + gone * ((1 - theta) * of_group) @ kin.T)
    felt = (buyers * choice.moved(torch.ones_like(moves.price)) * felt).sum(-3)
    alone = (choice.share * moved.clamp(max=40).expm1()).log1p()
    return (
        weighed.logsumexp(-3),
        felt * moves.price,
        felt * moves.bend,
        felt.unsqueeze(-1) * moves.promo,
        (buyers * (within @ kin.T - alone)).sum(-3),
    )


def pooled_diversion(found: Estimates, choice: Choice) -> tuple[Tensor, Tensor]:
    """Diversion of each category (G,), and its standard error.

    ``found`` are the coefficients of the items' crowds, minus the diversion. Items of a category are pooled,
    and categories are drawn to each other.
    """
    groups, several = choice.kin.argmax(1), choice.several
    means, errors = (torch.zeros(len(several), dtype=torch.float64) for _ in range(2))
    influence = found.influence.new_zeros(len(found.influence), len(several))
    for group in several.nonzero()[:, 0].tolist():
        here = groups == group
        some = pool(Estimates(found.value[here], found.error[here], found.influence[:, here]))
        means[group], errors[group] = some.mean, max(some.error, 1e-3)
        influence[:, group] = found.influence[:, here].mean(1)
    if int(several.sum()) > 1:
        each = Estimates(means[several], errors[several], influence[:, several])
        means[several], errors[several] = shrink(each, pool(each))
    return (-means).clamp(0.0, MOST) * several, errors * several


def chosen(forms: Sequence[Choice], odds: Sequence[float]) -> Choice:
    """All ``forms`` in one, the likeliest first."""
    order = sorted(range(len(forms)), key=lambda k: -odds[k])
    stacked = {name: torch.cat([getattr(forms[k], name) for k in order]) for name in BY_FORM}
    stacked["odds"] = stacked["odds"].new_tensor([odds[k] for k in order])
    return replace(forms[0], **stacked).regular()
