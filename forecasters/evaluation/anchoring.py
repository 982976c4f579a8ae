"""The simulated market's level is that of the best forecast of it: at every horizon, at reference prices.

What is sampled step by step drifts: half a year ahead the level of true markets was off by a fifth where a
direct forecast was off by a tenth. So the log mean of all series is moved, by period ahead, until their total
is that of the direct forecast at the prices of the table (beyond it, at reference prices). Actions enter
through the price response as before; paths keep their autocorrelation and common shocks, since what customers
remember is free of the move. Series are not moved apart: what a forecast says of one at a price that nobody
charged is not identified, as the price response is.

Levels are of what was wanted. Rows that sold out are those of high demand, and a forecast that learns from
the others alone is of low ones: it learns from what the market expects to have been wanted in them.

On a table where the simulated market forecast the last periods better than the direct forecast, which had not
seen them, the market stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..anchor import Anchor
from ..market_model import (
    Ensemble,
    MarketModel,
    Observed,
    Recipe,
    build_features,
    learn_ensemble,
    mean_units,
    observe,
    quantile_loss,
)
from ..model import DemandModel
from ..panel.sales_panel import SalesPanel
from ..progress import SILENT, Progress
from ..response import history_effect
from ..simulation import LearnedDemand, mean_path, sample_paths
from ..statistics import uncensored
from .members import deciles_of

HORIZON = 26  # periods ahead
_EVERY, _LEAST_HISTORY = 13, 8  # periods between origins; before the first of them
_PATHS, _WORK = (2, 16), 1_000_000  # least and most an origin; series-steps of all together
_COMPARED = 50  # paths that the simulated market's forecast of the last periods is told by
_FURTHEST = 1.0  # log units that a mean is moved by, at most


@dataclass(frozen=True)
class Forecaster:
    """What the forecast that a market is anchored to is made of."""

    model: MarketModel
    recipe: Recipe = Recipe(trees=False)


def anchored_to_forecast(
    model: DemandModel,
    panel: SalesPanel,
    forecaster: Forecaster,
    seed: int = 0,
    progress: Progress = SILENT,
) -> DemandModel:
    """The model with an anchor to a direct forecast, if that is the better one.

    Args:
        model: fitted on all of the panel.
        panel: T periods.
        forecaster: how it is forecast.
        seed: of what is learned and of the simulated paths.
        progress: is informed.
    """
    periods = panel.periods
    horizon = min(HORIZON, periods)
    demand = LearnedDemand.after(replace(model, anchor=None), panel)
    effect = history_effect(demand.history, model.response).double().numpy()
    wanted = _wanted(demand)
    seen = _as_wanted(observe(panel, periods, effect), wanted)
    direct = learn_ensemble(forecaster.model, seen, periods, horizon, forecaster.recipe, seed, progress)
    with progress.stage("anchor the simulated market to the forecast", 1) as stage:
        if direct.tried is not None:
            simulated, told = _simulated_loss(demand, seen, direct, seed), direct.tried.loss
            word = "its levels follow it" if told < simulated else "its own levels stay"
            stage.note(
                f"direct forecast of the last {direct.tried.horizon} periods, not seen: loss {told:.3f};"
                f" simulated market, fitted to them: {simulated:.3f}; {word}"
            )
            if told >= simulated:
                return replace(model, anchor=None)
        return replace(model, anchor=_anchor(demand, panel, wanted, direct, effect, horizon, seed))


def _wanted(demand: LearnedDemand) -> np.ndarray | None:
    """(T, S, I) units wanted as they are expected of the sales, NaN where unknown; None if none sold out."""
    history = demand.history
    if history.stock_outs.never:
        return None
    told = demand.forecast(0, history.periods)
    wanted = uncensored(history.units, history.stock_outs, history.known, *told, history.grain)
    return torch.where(history.known, wanted.double(), torch.nan).numpy()


def _as_wanted(seen: Observed, wanted: np.ndarray | None) -> Observed:
    """With units wanted in place of those sold, which are then all that was wanted."""
    if wanted is None:
        return seen
    units, exposure = seen.units.copy(), seen.exposure.copy()
    units[: len(wanted)], exposure[: len(wanted)] = wanted, 1.0
    return replace(seen, units=units, exposure=exposure)


def _simulated_loss(demand: LearnedDemand, seen: Observed, direct: Ensemble, seed: int) -> float:
    assert direct.tried is not None
    origin, horizon = direct.tried.origin, direct.tried.horizon
    paths = sample_paths(demand, demand.history, origin, horizon, _COMPARED, seed)
    deciles = deciles_of(paths)
    rows = seen.scored[origin : origin + horizon]
    return quantile_loss(deciles[rows], seen.units[origin : origin + horizon][rows])


def _anchor(
    demand: LearnedDemand,
    panel: SalesPanel,
    wanted: np.ndarray | None,
    direct: Ensemble,
    effect: np.ndarray,
    horizon: int,
    seed: int,
) -> Anchor:
    """By origin and period ahead, at the prices of the table and, beyond it, at reference prices."""
    periods, pivot = panel.periods, demand.response.pivot
    nothing = np.zeros((horizon, *effect.shape[1:]))
    seen = observe(panel, periods, np.concatenate([effect, nothing]), horizon)
    usual = np.where(seen.listed[periods:], pivot.double().numpy(), np.nan)
    seen = _as_wanted(replace(seen, log_price=np.concatenate([seen.log_price[:periods], usual])), wanted)
    history = demand.history
    price = torch.cat([history.log_price, pivot.expand(horizon, -1, -1)])
    promo = torch.cat([history.promo, history.promo.new_zeros(horizon, *history.promo.shape[1:])])
    origins = _origins(periods, horizon, pivot.numel())
    paths = int(np.clip(_WORK // (len(origins) * horizon * pivot.numel()), *_PATHS)) // 2 * 2
    features, drift = build_features(seen, periods, origins), []
    for origin in origins:
        rows = slice(origin, origin + horizon)
        told = mean_units(direct.deciles(seen, features, origin, horizon), seen) * seen.listed[rows]
        simulated = mean_path(demand, price[rows], promo[rows], origin, paths, seed)
        total = torch.from_numpy(told.sum((1, 2))).float(), simulated.sum((1, 2))
        log_told, log_simulated = (x.clamp(min=1e-6).log() for x in total)
        drift.append((log_told - log_simulated).clamp(-_FURTHEST, _FURTHEST))
    return Anchor(torch.tensor(origins), torch.stack(drift))


def _origins(periods: int, horizon: int, series: int) -> list[int]:
    """The end of the panel and, as far as it is no more work than is worth, every quarter before it."""
    most = max(1, _WORK // (_PATHS[0] * horizon * series))
    return list(range(periods, _LEAST_HISTORY - 1, -_EVERY))[:most][::-1]
