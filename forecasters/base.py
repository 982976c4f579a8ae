"""Base demand from its own past: a count regression an item, which the trunk then corrects.

log μ = level + effect of prices + features of the past·w_i + what is known ahead·c_i + place_s: what a linear
model knows it knows at once, out of few weeks and with the exact likelihood of stock-outs; the network is
left with what is not linear. Every member of the ensemble learns from its own resampling of the weeks.

The same regression is fitted once more with what the chain's logged prices say of a week (``chain_news``).
Forecasts of a history read that one; a simulated market, whose prices an agent sets, never does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .cut import Cut
from .history import History
from .mixed import Fit, Group, Rows, fit_mixed
from .past import PARTS, past_features
from .terms import Estimates, clear, pool

_WARM = 13  # first periods, whose running means have seen too little to learn from


@dataclass(frozen=True)
class Base:
    """Weights of the regressions of M members."""

    past: Tensor  # (M, I, F) of the features of the past
    ahead: Tensor  # (M, I, C) of the calendar and exogenous covariates
    place: Tensor  # (M, S, I)
    log_r: Tensor  # (M, I) log dispersion

    def told(self, features: Tensor, ahead: Tensor) -> Tensor:
        """(…, S, I, M, 2) log mean demand above the level, and log dispersion.

        From features (…, S, I, F) of the past and (…, S, I, C) of what is known ahead of the period.
        """
        log_mean = torch.einsum("...sif,mif->...sim", features, self.past)
        log_mean = log_mean + torch.einsum("...sif,mif->...sim", ahead, self.ahead)
        log_mean = log_mean + self.place.permute(1, 2, 0)
        return torch.stack([log_mean, self.log_r.T.expand_as(log_mean)], dim=-1)

    def select(self, cut: Cut) -> Base:
        """The regressions of a sub-market."""
        return cut.record(self, {"past": "MIF", "ahead": "MIC", "place": "MSI", "log_r": "MI"})

    def to(self, device: torch.device | str) -> Base:
        return Base(*(getattr(self, f.name).to(device) for f in fields(self)))


def known_ahead(history: History, adjusted: Tensor, offset: Tensor, rows: Tensor) -> Tensor:
    """(T, S, I, C) calendar and exogenous covariates; the time of year only where items together show it.

    A table of two years has seen each season twice: a wave that is not clear of the weeks' shocks is one of
    them, and of no use in another year. Arguments as in ``fit_base``.
    """
    ahead = history.ahead[: history.periods]
    found = _season(_fit_items(history, adjusted, offset, ahead, rows, torch.ones_like(offset[:, 0, 0])))
    if found is not None and clear("season", pool(found)):
        return ahead
    return torch.cat([torch.zeros_like(ahead[..., :2]), ahead[..., 2:]], dim=-1)


def chain_news(history: History, pivot: Tensor) -> Tensor:
    """(T, S, I, 2 + 2·K) what is the same at all locations: log price over reference and promotions.

    First the item's own, then the mean of the other items'. What such prices *do* is in the price response.
    Beyond it they tell what the chain knew and did that no column shows: nobody prices, or advertises, at
    random. An agent's prices tell nothing of the kind.
    """
    shift = (history.log_price - pivot).unsqueeze(-1)
    own = torch.cat([shift, history.promo], dim=-1).mean(1, keepdim=True).expand(-1, len(pivot), -1, -1)
    others = (own.sum(2, keepdim=True) - own) / max(1, own.shape[2] - 1)
    return torch.cat([own, others], dim=-1)


def fit_base(
    history: History, adjusted: Tensor, offset: Tensor, ahead: Tensor, rows: Tensor, luck: Tensor
) -> Base:
    """Regressions of sales on the past of price-adjusted demand.

    Args:
        history: T periods, S locations, I items.
        adjusted: (T, S, I) log demand above its level, freed of prices.
        offset: (T, S, I) level plus effect of prices.
        ahead: (T, S, I, C) what is known of a period before it comes.
        rows: (T,) bool, periods to learn from.
        luck: (T, M) weight of each period for each member.
    """
    members = []
    for weight in luck.T:
        fits = _fit_items(history, adjusted, offset, ahead, rows, weight)
        members.append([torch.stack(part) for part in zip(*map(_weights, fits), strict=True)])
    weights, place, log_r = (torch.stack(part) for part in zip(*members, strict=True))
    cut = PARTS["around"].stop
    return Base(weights[..., :cut], weights[..., cut:], place.transpose(1, 2).contiguous(), log_r)


@dataclass(frozen=True)
class _ItemFit:
    """The regression of one item."""

    fit: Fit | None  # None where the item was never observed
    scale: Tensor  # (F + C,) what its columns were divided by
    places: int


def _fit_items(
    history: History, adjusted: Tensor, offset: Tensor, ahead: Tensor, rows: Tensor, weight: Tensor
) -> list[_ItemFit]:
    """Every item's regression; arguments as in ``fit_base``, with the weight (T,) of each period."""
    columns = torch.cat([past_features(adjusted, history.known)[:-1], ahead], dim=-1).double()
    keep = history.known & rows.view(-1, 1, 1)
    keep[: min(_WARM, history.periods // 4)] = False
    return [_fit_item(history, columns, offset, keep, weight, i) for i in range(keep.shape[2])]


def _fit_item(
    history: History, columns: Tensor, offset: Tensor, keep: Tensor, weight: Tensor, item: int
) -> _ItemFit:
    period, place = keep[:, :, item].nonzero(as_tuple=True)
    if len(period) == 0:
        return _ItemFit(None, columns.new_ones(columns.shape[-1]), keep.shape[1])

    def at(x: Tensor) -> Tensor:
        return x[:, :, item][period, place].double()

    scale = at(columns).std(0).clamp(min=1e-6)
    x, cut = at(columns) / scale, PARTS["around"].stop
    grain = history.grain[item]
    units, censored = at(history.units) / grain, at(history.censored) > 0
    counts = weight[period].double()
    rows = Rows(units, censored, at(offset) - grain.log(), period, counts, len(keep))
    groups = {
        **{name: Group(x[:, part], 0.2, learned=True) for name, part in PARTS.items()},
        "ahead": Group(x[:, cut:], 0.2, learned=True),
        "places": Group(place, 0.2, learned=True),
        "shocks": Group(period, 0.2, learned=True),  # or a week would count once for every location
        "level": Group(torch.ones_like(x[:, :1]), 3.0),
    }
    return _ItemFit(fit_mixed(rows, groups), scale, keep.shape[1])


def _weights(item: _ItemFit) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (F + C,), first of the past, places (S,) and log dispersion; zeros where never observed."""
    fit, by_place = item.fit, item.scale.new_zeros(item.places)
    if fit is None:
        return torch.zeros_like(item.scale).float(), by_place.float(), by_place.sum().float()
    weights = torch.cat([fit.mean(name) for name in (*PARTS, "ahead")]) / item.scale
    places = fit.mean("places")
    by_place[: len(places)] = places
    return weights.float(), (by_place + fit.mean("level")).float(), fit.log_r.float()


def _season(items: list[_ItemFit]) -> Estimates | None:
    """Sine and cosine of the year of every item observed, one after the other; None without any."""
    fits = [item.fit for item in items if item.fit is not None]
    if not fits:
        return None
    value = torch.cat([fit.mean("ahead")[:2] for fit in fits])
    variance = torch.cat([fit.variance("ahead")[:2] for fit in fits]).clamp(min=0)
    influence = torch.cat([fit.influence[:, fit.parts["ahead"]][:, :2] for fit in fits], dim=1)
    return Estimates(value, variance.sqrt(), influence)
