"""How deep an update goes: only what is remembered, what is settled by the last weeks, or everything.

*condition*: new rows enter the history, no weight changes. *settle*: levels, the seasons' weights,
dispersions and common shocks are estimated anew around a price response and a network that stay. *refit*: all
of it, the network from the old weights on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ..anchor import Anchor
from ..evaluation import Forecaster, anchored_to_forecast
from ..events import Relations
from ..features import History
from ..fit import fit_demand
from ..market_model import shipped
from ..model import DemandModel
from ..network import Base
from ..panel.sales_panel import SalesPanel
from ..progress import SILENT, Progress
from ..simulation import LearnedDemand, anchored, with_spreads
from ..statistics import Group, Rows, fit_mixed

Depth = Literal["condition", "settle", "refit"]
DEPTHS: tuple[Depth, ...] = ("condition", "settle", "refit")

_HALF_LIFE = 1.0  # years after which a period counts half of what the last one does
_WARM = 13  # first periods, whose running means have seen too little
_PASSES = 2  # of the free run: one that moves levels, one that sees whether they are right
_LEVEL, _SEASON = 0.1, 0.03  # standard deviations of what a level and a season's weight may have moved by


def conditioned(model: DemandModel, periods: int) -> DemandModel:
    """The model after ``periods`` of history: what anchors it counts from the end of that.

    By as many periods ahead as it did from its last origin on.
    """
    anchor = model.anchor
    if anchor is None or int(anchor.origins[-1]) >= periods:
        return model
    fitted = periods if model.fitted is None else model.fitted
    kept = anchor.origins <= fitted  # one of an earlier update has had its day
    origins = torch.cat([anchor.origins[kept], anchor.origins.new_tensor([periods])])
    drift = torch.cat([anchor.drift[kept], anchor.drift[-1:]])
    return replace(model, anchor=Anchor(origins, drift))


def settled(model: DemandModel, panel: SalesPanel, seed: int = 0, progress: Progress = SILENT) -> DemandModel:
    """``resettled``, played at the prices charged before anybody relies on it.

    Raises:
        UnplayableError: what was learned does not simulate the table.
    """
    model = resettled(model, panel, progress)
    history = LearnedDemand.after(model, panel).history
    return anchored(model, history, seed, progress, _begin(history), _PASSES)


def _begin(history: History) -> int:
    """Where the last year begins; of a short history, its second quarter."""
    return max(1, history.periods // 4, history.periods - history.year)


def resettled(model: DemandModel, panel: SalesPanel, progress: Progress = SILENT) -> DemandModel:
    """The model with levels, seasons, dispersions and common shocks of the last year of ``panel``.

    Its price response and its network stay.
    """
    model = conditioned(model, panel.periods)
    demand = LearnedDemand.after(model, panel)
    history = demand.history
    with progress.stage("settle levels and seasons", len(model.items) + 1) as stage:
        moves = []
        log_mean, _ = demand.one_step(0, history.periods)
        log_mean = log_mean.exp().mean(-1).log()
        for item in range(len(model.items)):
            moves.append(_moves(history, log_mean, item))
            stage.advance()
        place, ahead = (
            torch.stack(part, dim=at) for at, part in zip((1, 0), zip(*moves, strict=True), strict=True)
        )
        informed = model.informed
        more = torch.cat(
            [ahead, ahead.new_zeros(len(ahead), informed.ahead.shape[-1] - ahead.shape[1])], dim=1
        )
        model = replace(model, base=_moved(model.base, place, ahead), informed=_moved(informed, place, more))
        model = with_spreads(demand.with_bases(model), _begin(history))
        stage.advance()
    return model


def _moved(base: Base, place: Tensor, ahead: Tensor) -> Base:
    return replace(base, place=base.place + place, ahead=base.ahead + ahead.unsqueeze(0))


def _moves(history: History, log_mean: Tensor, item: int) -> tuple[Tensor, Tensor]:
    """What the last year adds to an item's levels (S,) and to the weights (C,) of what is known ahead.

    A regression of sales on both around their one-step forecast, later periods counting more, with a shock
    for each period that locations share.
    """
    known = history.known[:, :, item] & history.listed[: history.periods, :, item]
    known[: min(_WARM, history.periods // 4)] = False
    period, place = known.nonzero(as_tuple=True)
    level = log_mean.new_zeros(known.shape[1])
    columns = history.ahead.shape[-1]
    if len(period) == 0:
        return level, log_mean.new_zeros(columns)

    def at(x: Tensor) -> Tensor:
        return x[:, :, item][period, place].double()

    seen, grain, last = history.stock_outs, history.grain[item], history.periods - 1
    offset = at(log_mean) + at(seen.exposure).log() - grain.log()
    weight = 0.5 ** ((last - period.double()) / max(1.0, _HALF_LIFE * history.year))
    bound = seen.bound[:, :, item][period, place]
    rows = Rows(at(history.units) / grain, bound, offset, period, weight, history.periods)
    here, index = place.unique(return_inverse=True)
    x = history.ahead[: history.periods, :, item][period, place].double()
    groups = {
        "ahead": Group(x, _SEASON),
        "places": Group(index, 0.1, learned=True),
        "shocks": Group(period, 0.2, learned=True),
        "level": Group(torch.ones_like(x[:, :1]), _LEVEL),
    }
    found = fit_mixed(rows, groups)
    level[here] = (found.mean("places") + found.mean("level")).float()
    return level, found.mean("ahead").float()


def refitted(
    model: DemandModel,
    panel: SalesPanel,
    seed: int = 0,
    progress: Progress = SILENT,
    device: torch.device | str = "cpu",
    known: Relations | None = None,
) -> DemandModel:
    """A model of all of ``panel``, with the settings of ``model``, from whose weights it starts.

    What a price test told the model it tells again, and what is ``known`` of items is kept to.

    Raises:
        InputError: the panel is too large for the memory that is free.
        UnplayableError: what was learned does not simulate the table.
    """
    found = fit_demand(
        panel, model.settings, seed, progress, device, start=model.network, test=model.test, known=known
    )
    if model.anchor is None:
        return found
    return anchored_to_forecast(found, panel, Forecaster(shipped()), seed, progress)
