"""Base demand from its own past: a count regression an item, which the trunk then corrects.

log μ = level + effect of prices + features of the past·w_i + what is known ahead·c_i + place_s: what a linear
model knows it knows at once, out of few weeks and with the exact likelihood of stock-outs; the network is
left with what is not linear. Every member of the ensemble learns from its own resampling of the weeks.

The same regression is fitted once more with what the chain's logged prices say of a week (``chain_news``).
Forecasts of a history read that one; a simulated market, whose prices an agent sets, never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import torch
from torch import Tensor

from ..features import HARMONICS, PARTS, History, past_features
from ..progress import SILENT, Stage
from ..statistics import Effects, Estimates, Fit, Group, Rows, clear, effects, fit_mixed, pool
from ..tensors import Cut, side_by_side

_STILL = 0.25  # log units: a mean that moved by less in the table may move by more in play
_WARM = 13  # first periods, whose running means have seen too little to learn from


@dataclass(frozen=True)
class Base:
    """Weights of the regressions of M members."""

    past: Tensor  # (M, I, F) of the features of the past
    ahead: Tensor  # (M, I, C) of the calendar and exogenous covariates
    place: Tensor  # (M, S, I)
    log_r: Tensor  # (M, I) log dispersion

    def known(self, ahead: Tensor) -> Tensor:
        """(…, S, I, M) what is known of a period ahead of it adds: of (…, S, I, C), and the place."""
        return torch.einsum("...sif,mif->...sim", ahead, self.ahead) + self.place.permute(1, 2, 0)

    def predict(self, features: Tensor, known: Tensor) -> Tensor:
        """(…, S, I, M, 2) log mean demand above the level, and log dispersion.

        From features (…, S, I, F) of the past and what is ``known`` ahead of the period.
        """
        log_mean = torch.einsum("...sif,mif->...sim", features, self.past) + known
        return torch.stack([log_mean, self.log_r.T.expand_as(log_mean)], dim=-1)

    def select(self, cut: Cut) -> Base:
        """The regressions of a sub-market."""
        return cut.record(self, {"past": "MIF", "ahead": "MIC", "place": "MSI", "log_r": "MI"})

    def to(self, device: torch.device | str) -> Base:
        return Base(*(getattr(self, f.name).to(device) for f in fields(self)))


def known_ahead(
    history: History, adjusted: Tensor, offset: Tensor, rows: Tensor, stage: Stage = SILENT
) -> tuple[Tensor, list[Effects]]:
    """(T, S, I, C) calendar and exogenous covariates, with as many waves of the year as items together show.

    A table of two years has seen each season twice: a wave that is not clear of the weeks' shocks is one of
    them, and of no use in another year. Every wave that is kept is clear, and so are all longer ones.
    Arguments as in ``fit_base``, for which the fits of all items, which come back, too, are a start.
    """
    ahead = _with_waves(history.ahead[: history.periods], max(1, history.waves))
    table = _Table.of(history, adjusted, offset, ahead, rows)

    def one(number: int) -> Fit:
        item = table.item(number)
        stage.advance()
        return fit_mixed(item.rows, item.groups)

    fits = side_by_side(one, len(history.grain), table.keep[:, :, 0].numel())
    seen = [fit for fit, there in zip(fits, table.keep.any(0).any(0).tolist(), strict=True) if there]
    waves = 0
    while seen and waves < history.waves and clear("season", pool(_wave(seen, waves))):
        waves += 1
    return _with_waves(ahead, waves), list(fits)


def chain_news(history: History, pivot: Tensor) -> Tensor:
    """(T, S, I, 2 + 4·K) what is the same at all locations: log price over reference and promotions.

    Means over the locations that were seen to sell the item: its promotions of the period after, which
    customers wait for, and those that are over, of which they have a store; its own price and promotions; and
    the mean of the other items'. What such prices *do* is in the price response. Beyond it they tell what the
    chain knew and did that no column shows: nobody prices, or advertises, at random. An agent's prices tell
    nothing of the kind.
    """
    shift = (history.log_price - pivot).unsqueeze(-1)
    there = (history.known & history.listed[: history.periods]).unsqueeze(-1).to(shift)
    count = there.sum(1, keepdim=True)
    own = (torch.cat([shift, history.promo], dim=-1) * there).sum(1, keepdim=True) / count.clamp(min=1)
    sold = (count > 0).to(shift)
    others = (own.sum(2, keepdim=True) - own) / (sold.sum(2, keepdim=True) - sold).clamp(min=1)
    run = own[..., 1:]
    after = torch.cat([run[1:], torch.zeros_like(run[:1])])
    return torch.cat([after, _ended(run), own, others], dim=-1).expand(-1, len(pivot), -1, -1)


def _ended(run: Tensor) -> Tensor:
    """How large a promotion (T, …) was that is over, half of it a period on."""
    left, out = torch.zeros_like(run[0]), [torch.zeros_like(run[0])]
    for before, now in pairwise(run):
        left = torch.maximum(left / 2, before)
        out.append(left * (1 - now))
    return torch.stack(out)


def fit_base(
    history: History,
    adjusted: Tensor,
    offset: Tensor,
    ahead: Tensor,
    rows: Tensor,
    resampling: Tensor,
    start: Sequence[Effects],
    stage: Stage = SILENT,
) -> tuple[Base, list[Effects]]:
    """Regressions of sales on the past of price-adjusted demand.

    Args:
        history: T periods, S locations, I items.
        adjusted: (T, S, I) log demand above its level, freed of prices.
        offset: (T, S, I) level plus effect of prices.
        ahead: (T, S, I, C) what is known of a period before it comes.
        rows: (T,) bool, periods to learn from.
        resampling: (T, M) weight of each period for each member.
        start: of each item, a fit of the first of the columns, near which these are looked for.
        stage: advances I times.

    Returns:
        The regressions, and of each item the last member's fit.
    """
    table = _Table.of(history, adjusted, offset, ahead, rows)

    def one(number: int) -> tuple[list[Tensor], Effects]:
        item, near, found = table.item(number), start[number], []
        for weight in resampling.T:
            weighted = replace(item.rows, weight=weight[item.rows.period].double())
            near = effects(weighted, item.groups, near)
            found.append(item.weights(near))
        stage.advance()
        return [torch.stack(part) for part in zip(*found, strict=True)], near

    fits, last = zip(*side_by_side(one, len(history.grain), table.keep[:, :, 0].numel()), strict=True)
    weights, place, log_r = (torch.stack(part, dim=1) for part in zip(*fits, strict=True))
    cut = PARTS["around"].stop
    base = Base(weights[..., :cut], weights[..., cut:], place.transpose(1, 2).contiguous(), log_r)
    return base, list(last)


@dataclass(frozen=True)
class _Item:
    """The regression of one item."""

    rows: Rows
    groups: dict[str, Group]
    scale: Tensor  # (F + C,) what its columns were divided by
    here: Tensor  # (L,) int64 locations with rows
    places: int

    def weights(self, found: Effects) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (F + C,), first of the past, places (S,) and log dispersion; zeros where never observed."""
        by_place = self.scale.new_zeros(self.places)
        if len(self.here) == 0:
            return torch.zeros_like(self.scale).float(), by_place.float(), by_place.sum().float()
        weights = torch.cat([found.mean(name) for name in (*PARTS, "ahead")]) / self.scale
        by_place[self.here] = found.mean("places")
        return weights.float(), (by_place + found.mean("level")).float(), found.log_r.float()


@dataclass(frozen=True)
class _Table:
    """What the regressions of all items read."""

    history: History
    past: Tensor  # (T, S, I, F) features
    ahead: Tensor  # (T, S, I, C)
    offset: Tensor  # (T, S, I)
    keep: Tensor  # (T, S, I) bool

    @staticmethod
    def of(history: History, adjusted: Tensor, offset: Tensor, ahead: Tensor, rows: Tensor) -> _Table:
        keep = history.known & history.listed[: history.periods] & rows.view(-1, 1, 1)
        keep[: min(_WARM, history.periods // 4)] = False
        past = past_features(adjusted, history.known, history.assortment)[:-1]
        return _Table(history, past, ahead, offset, keep)

    def item(self, item: int) -> _Item:
        history, outs = self.history, self.history.stock_outs
        period, place = self.keep[:, :, item].nonzero(as_tuple=True)

        def at(x: Tensor) -> Tensor:
            return x[:, :, item][period, place].double()

        x = torch.cat([at(self.past), at(self.ahead)], dim=1)
        least = x.new_full((x.shape[1],), 1e-6)
        least[: PARTS["around"].stop] = _STILL
        scale = torch.maximum(x.std(0), least) if len(x) > 1 else torch.ones_like(x.sum(0))
        x, cut, grain = x / scale, PARTS["around"].stop, history.grain[item]
        here, index = place.unique(return_inverse=True)
        offset = at(self.offset) + at(outs.exposure).log() - grain.log()
        bound = outs.bound[:, :, item][period, place]
        rows = Rows(at(history.units) / grain, bound, offset, period, periods=len(self.keep))
        groups = {
            **{name: Group(x[:, part], 0.2, learned=True) for name, part in PARTS.items()},
            "ahead": Group(x[:, cut:], 0.2, learned=True),
            "places": Group(index, 0.2, learned=True),
            "shocks": Group(period, 0.2, learned=True),  # or a week would count once for every location
            "level": Group(torch.ones_like(x[:, :1]), 3.0),
        }
        return _Item(rows, groups, scale, here, self.keep.shape[1])


def _with_waves(ahead: Tensor, waves: int) -> Tensor:
    """(…, C) with the first ``waves`` of the year alone, zeros for the others."""
    first, end = 2 * waves, 2 * HARMONICS
    return torch.cat([ahead[..., :first], torch.zeros_like(ahead[..., first:end]), ahead[..., end:]], dim=-1)


def _wave(fits: list[Fit], number: int) -> Estimates:
    """Sine and cosine of a wave of the year, 0 the longest, of every item observed, one after the other."""
    part = slice(2 * number, 2 * number + 2)
    value = torch.cat([fit.mean("ahead")[part] for fit in fits])
    variance = torch.cat([fit.variance("ahead")[part] for fit in fits]).clamp(min=0)
    influence = torch.cat([fit.influence[:, fit.parts["ahead"]][:, part] for fit in fits], dim=1)
    return Estimates(value, variance.sqrt(), influence)
