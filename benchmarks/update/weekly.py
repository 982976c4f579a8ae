"""Weekly updates against full refits, and what an update takes: on orange juice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from mercato.app.updating.api import update
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.store import fit_market, load_market, save_market
from mercato.forecasters.evaluation.backtest import deciles_of
from mercato.forecasters.evaluation.members import simulate
from mercato.forecasters.evaluation.metrics import scores
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.model import DemandModel, FitSettings
from mercato.forecasters.network import TrunkSettings, chain_news
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.simulation import LearnedDemand
from mercato.forecasters.sources import SOURCES, cache_folder

from ..speed.markets import untrained

_LOCATIONS = 8  # of a rehearsal


@cache
def juice(quick: bool) -> SalesPanel:
    """The orange juice table; of a rehearsal a few of its stores."""
    panel = SOURCES["orange-juice"].panel(cache_folder())
    return panel.select(panel.locations[:_LOCATIONS], panel.items) if quick else panel


def settings(quick: bool) -> FitSettings:
    return FitSettings(TrunkSettings(kind="none")) if quick else FitSettings()


def weekly(first: int, weeks: int, quick: bool) -> list[dict[str, Any]]:
    """A market fitted on ``first`` weeks, updated each week as `mercato update` chooses to: how each coming
    week was forecast, how deep the update before it went, and seconds."""
    with TemporaryDirectory() as scratch:
        return list(_weekly(Path(scratch) / "market", first, weeks, quick))


def _weekly(folder: Path, first: int, weeks: int, quick: bool) -> Iterator[dict[str, Any]]:
    panel = juice(quick)
    fit_market(panel.window(0, first), Economics(), folder, settings(quick))
    for origin in range(first, first + weeks):
        done = None if origin == first else update(folder, panel.window(origin - 1, origin))
        demand = load_market(folder).demand
        assert isinstance(demand, LearnedDemand)
        told = _score(demand, panel, origin)
        if done is not None:
            told |= {"depth": done.depth, "adopted": done.adopted, "seconds": done.seconds}
        yield told


def refit(origin: int, quick: bool) -> dict[str, Any]:
    """A market fitted on all weeks before ``origin``: how it forecast that week."""
    panel = juice(quick)
    past = panel.window(0, origin)
    return _score(LearnedDemand.after(fit_demand(past, settings(quick)), past), panel, origin)


def _score(demand: LearnedDemand, panel: SalesPanel, origin: int) -> dict[str, Any]:
    """Quantile loss and units of the week at ``origin``, one step ahead."""
    deciles = deciles_of(simulate(demand, panel, origin, origin, 1, 0))[0]
    units, rows = panel.units[origin], np.isfinite(panel.units[origin]) & (panel.censored[origin] == 0)
    units_sold = float(units[rows].sum())
    return {"loss": scores(units[rows], deciles[rows])["wql"] * units_sold, "units": units_sold}


def _informed(market: Market) -> DemandModel:
    """The model of a market with made-up weights, that reads the chain's prices, too, and makes nothing of
    them."""
    assert isinstance(market.demand, LearnedDemand)
    model = market.demand.model
    news = chain_news(market.demand.history, model.response.pivot).shape[-1]
    ahead = torch.nn.functional.pad(model.base.ahead, (0, news))
    return replace(model, informed=replace(model.base, ahead=ahead))


def took(quick: bool) -> dict[str, Any]:
    """Seconds of updates by one more week at 83 × 11 series, by depth and part; of the processor, too.

    In a rehearsal of a market with made-up weights, since a fit takes minutes.
    """
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "market"
        if quick:
            market = untrained(83, 11)
            panel = market.panel
            assert panel is not None
            save_market(folder, _informed(market), panel.window(0, panel.periods - 1), Economics())
        else:
            panel = juice(False)
            fit_market(panel.window(0, panel.periods - 1), Economics(), folder)
        out = {}
        week = panel.window(panel.periods - 1, panel.periods)
        for depth in ("condition", "settle"):
            began = time.process_time()
            done = update(folder, week, depth, out=Path(scratch) / depth)
            out[depth] = {
                "seconds": sum(done.seconds.values()) - done.seconds["load"],
                "processor": time.process_time() - began,
                "parts": done.seconds,
                "trial": None if done.trial is None else asdict(done.trial),
            }
    return out
