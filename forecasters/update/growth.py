"""A fitted model of a market that has grown: what is new begins as what it is most like.

Cold start: a new location is like the one whose attributes are nearest, a new item like the nearest of its
category in attributes and price; demand is scaled by what the attributes make of the others' levels, and
moved by the item's own first rows. The network meets both without an id, as it was trained to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log

import numpy as np
import torch
from torch import Tensor

from ..features import build_history
from ..model import DemandModel
from ..panel.growth import Grown
from ..panel.sales_panel import SalesPanel
from ..response import WEAKEST, PriceResponse, history_effect, log_level
from ..statistics import Likeness
from ..tensors import Cut

_NINETY = 1.645
_PERIODS = 2.0  # of its own rows that what something is like counts for, of its level
_SAME_PRICE = 0.15  # log price within which an item that follows another is taken for it under a new code
_GAP = 4  # periods between the last row of an item and the first of the one that follows it, at most


@dataclass(frozen=True)
class Like:
    """Which of the known ones something new is like."""

    name: str
    like: str
    multiple: float  # of that one's demand, by attributes
    relaunched: bool = False  # it takes the place of an item that ended: the same under a new code

    def __str__(self) -> str:
        if self.relaunched:
            return f"{self.name}: taken for {self.like} under a new code"
        return f"{self.name}: new, assumed to be like {self.like}, with {self.multiple:.3g} times its demand"


def grown_model(model: DemandModel, grown: Grown) -> tuple[DemandModel, list[str]]:
    """The model of all locations and items of ``grown.panel``, and notes on what the new ones are like.

    Own elasticities of new items are as wide as items differ.
    """
    panel = grown.panel
    fitted = grown.before if model.fitted is None else model.fitted
    if not grown.series.any():
        return replace(model, fitted=fitted), []
    level = model.level.double()
    places = {n: _like_place(panel, model, n, level.mean(1)) for n in grown.locations}
    goods = {n: _like_item(panel, grown, model, n, level.mean(0)) for n in grown.items}
    from_place, new_places, more_places = _sources(panel.locations, model.locations, places)
    from_good, new_goods, more_goods = _sources(panel.items, model.items, goods)
    cut = Cut(from_place, from_good)
    wide = model.select(cut)
    choice = model.response.choice.with_twins(cut)
    response = replace(wide.response, choice=choice)
    if len(new_goods):
        response = _less_sure(response, new_goods, float(model.response.own.mean(0).std(correction=0)))
    wide = replace(
        wide,
        locations=panel.locations,
        items=panel.items,
        network=wide.network.without_ids(new_places, new_goods),
        response=response,
        level=wide.level + more_places.unsqueeze(1) + more_goods,
        fitted=fitted,
    )
    return _at_home(wide, grown), [str(one) for one in (*places.values(), *goods.values())]


def _sources(
    names: tuple[str, ...], known: tuple[str, ...], likes: dict[str, Like]
) -> tuple[Tensor, Tensor, Tensor]:
    """Of N ``names``: the known one that each comes from, those that are new (n,), and log multiples."""
    source = torch.tensor([known.index(likes[n].like if n in likes else n) for n in names])
    new = torch.tensor([at for at, n in enumerate(names) if n in likes], dtype=torch.int64)
    more = torch.tensor([log(likes[n].multiple) if n in likes else 0.0 for n in names])
    return source, new, more


def _less_sure(response: PriceResponse, goods: Tensor, between: float) -> PriceResponse:
    """Own elasticities of new items (G,) with what items differ by in their errors."""
    error = response.own_error.clone()
    error[goods] = (error[goods].square() + between**2).sqrt()
    lo, hi = response.own_lo.clone(), response.own_hi.clone()
    half = ((hi - lo)[:, goods].square() / 4 + (_NINETY * between) ** 2).sqrt()
    own = response.own[:, goods]
    lo[:, goods], hi[:, goods] = own - half, torch.minimum(own + half, own.new_tensor(WEAKEST))
    return replace(response, own_error=error, own_lo=lo, own_hi=hi)


def _at_home(model: DemandModel, grown: Grown) -> DemandModel:
    """The model with new series at their own reference prices, and at levels that their first rows tell."""
    panel = grown.panel
    history = build_history(panel, model.fitted)
    new = torch.from_numpy(panel.dense(grown.series.astype(np.float32), 0.0)) > 0
    usual = torch.nanmedian(history.log_price.where(history.known, torch.nan), dim=0).values
    pivot = torch.where(new & usual.isfinite(), usual, model.response.pivot)
    response = replace(model.response, pivot=pivot)
    count = history.known.sum(0)
    own = log_level(history, history_effect(history, response))
    level = (_PERIODS * model.level + count * own) / (_PERIODS + count)
    level = torch.where(new & (count > 0), level, model.level)
    stepped = None if model.stepped is None else model.stepped.where(~new, 0.0)
    return replace(model, response=response, level=level, stepped=stepped)


def _like_place(panel: SalesPanel, model: DemandModel, name: str, level: Tensor) -> Like:
    """The known location that is nearest; of those without attributes the one of median size."""
    statics = _attributes(panel, axis=1)
    return _nearest(name, statics, panel.locations, list(model.locations), model.locations, level)


def _like_item(panel: SalesPanel, grown: Grown, model: DemandModel, name: str, level: Tensor) -> Like:
    """The item whose place it takes, or the nearest of its category in attributes and price."""
    category = dict(zip(panel.items, panel.categories, strict=True))
    kin = [one for one in model.items if category[one] == category[name]] or list(model.items)
    price = _usual_price(panel)
    for one in kin:
        if _takes_the_place(panel, price, name, one):
            return Like(name, one, 1.0, relaunched=True)
    columns = [*_attributes(panel, axis=0), price]
    return _nearest(name, columns, panel.items, kin, model.items, level)


def _nearest(
    name: str,
    columns: list[np.ndarray],
    names: tuple[str, ...],
    known: list[str],
    order: tuple[str, ...],
    level: Tensor,
) -> Like:
    """Of the ``known`` the one that is nearest in ``columns`` by ``names``; ``level`` is by ``order``."""
    size = level[[order.index(one) for one in known]]
    if not columns:
        return Like(name, known[int(size.argsort()[len(known) // 2])], 1.0)
    at = {one: n for n, one in enumerate(names)}
    values = torch.from_numpy(np.stack(columns, axis=1).astype(np.float64))
    likeness = Likeness.of(values[[at[one] for one in known]], values[at[name]])
    like = likeness.nearest
    return Like(name, known[like], likeness.multiple(size, like))


def _attributes(panel: SalesPanel, axis: int) -> list[np.ndarray]:
    """Static columns, means over the other axis, those that differ."""
    tables = [panel.dense(c.values[0]) for c in panel.covariates if c.role == "static"]
    means = [_mean(table, axis) for table in tables]
    return [mean for mean in means if mean.std() > 0]


def _usual_price(panel: SalesPanel) -> np.ndarray:
    """(I,) log of the usual price of each item."""
    price = np.where(np.isfinite(panel.units), np.log(panel.price), np.nan)
    by_series = np.array([np.median(x[np.isfinite(x)]) if np.isfinite(x).any() else np.nan for x in price.T])
    return _mean(panel.dense(by_series.astype(np.float32)), 0)


def _mean(table: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is known along an axis; the mean of all where nothing is."""
    seen = np.isfinite(table)
    total = np.where(seen, table, 0.0).sum(axis) / seen.sum(axis).clip(1)
    overall = table[seen].mean() if seen.any() else 0.0
    return np.where(seen.any(axis), total, overall)


def _takes_the_place(panel: SalesPanel, price: np.ndarray, new: str, old: str) -> bool:
    """Whether ``new`` begins where and when ``old`` has ended, at its price."""
    a, b = panel.items.index(new), panel.items.index(old)
    seen = np.isfinite(panel.units)
    rows = {item: seen[:, panel.series[:, 1] == item].any(1) for item in (a, b)}
    where = {item: set(panel.series[panel.series[:, 1] == item, 0].tolist()) for item in (a, b)}
    begins, ended = int(np.argmax(rows[a])), len(seen) - 1 - int(np.argmax(rows[b][::-1]))
    follows = 0 <= begins - ended - 1 <= _GAP and bool(rows[a].any())
    return bool(follows and where[a] <= where[b] and abs(price[a] - price[b]) < _SAME_PRICE)
