"""Base demand from its own past: a count regression an item, which the trunk then corrects.

log μ = level + effect of prices + features of the past·w_i + what is known ahead·c_i + place_s: what a linear
model knows it knows at once, out of few weeks and with the exact likelihood of stock-outs; the network is
left with what is not linear. Every member of the ensemble learns from its own resampling of the weeks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .cut import Cut
from .history import History
from .mixed import Group, Rows, fit_mixed
from .past import PARTS, past_features

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


def fit_base(history: History, adjusted: Tensor, offset: Tensor, rows: Tensor, luck: Tensor) -> Base:
    """Regressions of sales on the past of price-adjusted demand.

    Args:
        history: T periods, S locations, I items.
        adjusted: (T, S, I) log demand above its level, freed of prices.
        offset: (T, S, I) level plus effect of prices.
        rows: (T,) bool, periods to learn from.
        luck: (T, M) weight of each period for each member.
    """
    features = past_features(adjusted, history.known)[:-1]
    columns = torch.cat([features, history.ahead[: history.periods]], dim=-1).double()
    keep = history.known & rows.view(-1, 1, 1)
    keep[: min(_WARM, history.periods // 4)] = False
    members = []
    for weight in luck.T:
        fits = [
            _fit_item(history, columns, features.shape[-1], offset, keep, weight, i)
            for i in range(keep.shape[2])
        ]
        members.append([torch.stack(part) for part in zip(*fits, strict=True)])
    weights, place, log_r = (torch.stack(part) for part in zip(*members, strict=True))
    cut = features.shape[-1]
    return Base(weights[..., :cut], weights[..., cut:], place.transpose(1, 2).contiguous(), log_r)


def _fit_item(
    history: History, columns: Tensor, cut: int, offset: Tensor, keep: Tensor, weight: Tensor, item: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (F + C,), the first ``cut`` of the past, places (S,) and log dispersion of one item.

    Zeros where it was never observed.
    """
    period, place = keep[:, :, item].nonzero(as_tuple=True)
    if len(period) == 0:
        nothing = offset.new_zeros(columns.shape[-1])
        return nothing, offset.new_zeros(keep.shape[1]), nothing.sum()

    def at(x: Tensor) -> Tensor:
        return x[:, :, item][period, place].double()

    scale = at(columns).std(0).clamp(min=1e-6)
    x = at(columns) / scale
    grain = history.grain[item]
    units, censored = at(history.units) / grain, at(history.censored) > 0
    rows = Rows(units, censored, at(offset) - grain.log(), period, weight[period].double())
    groups = {
        **{name: Group(x[:, part], 0.2, learned=True) for name, part in PARTS.items()},
        "ahead": Group(x[:, cut:], 0.2, learned=True),
        "places": Group(place, 0.2, learned=True),
        "shocks": Group(period, 0.2, learned=True),  # or a week would count once for every location
        "level": Group(torch.ones_like(x[:, :1]), 3.0),
    }
    fit = fit_mixed(rows, groups)
    weights = torch.cat([fit.mean(name) for name in (*PARTS, "ahead")]) / scale
    by_place = fit.beta.new_zeros(keep.shape[1])
    places = fit.mean("places")
    by_place[: len(places)] = places
    return weights.float(), (by_place + fit.mean("level")).float(), fit.log_r.float()
