"""The simulated market is moved to where the best forecast of it is: at every horizon, at reference prices.

What is sampled step by step drifts: half a year ahead the level of true markets was off by a fifth where the
direct forecast was off by a twentieth. So the log mean of every series is moved, by period ahead, to that of
the direct forecast at the prices of the table (beyond it, at reference prices). Actions enter through the
price response as before; paths keep their autocorrelation and common shocks, since what customers remember is
free of the move.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from .anchor import Anchor
from .features import build_history
from .market_model import adapted, build_features, log_deciles, mean_units, observe, shipped
from .model import DemandModel
from .panel.sales_panel import SalesPanel
from .progress import SILENT, Progress
from .response import history_effect
from .simulation import LearnedDemand, mean_path

HORIZON = 26  # periods ahead
_EVERY, _LEAST_HISTORY = 13, 8  # periods between origins; before the first of them
_PATHS, _WORK = (2, 16), 2_000_000  # least and most a origin; series-steps of all together
_FURTHEST = 1.0  # log units that a mean is moved by, at most


def anchored_to_forecast(
    model: DemandModel, panel: SalesPanel, seed: int = 0, progress: Progress = SILENT
) -> DemandModel:
    """The model with an anchor to the mean of the market model and the same adapted to the panel.

    Args:
        model: fitted on all of the panel.
        panel: T periods.
        seed: of the adaptation and of the simulated paths.
        progress: is informed.
    """
    periods, series = panel.periods, len(panel.locations) * len(panel.items)
    general, history = shipped(), build_history(panel)
    effect = history_effect(history, model.response).double().numpy()
    horizon = min(HORIZON, periods)
    own = adapted(general, observe(panel, periods, effect), periods, horizon, seed, progress=progress)
    seen = observe(panel, periods, np.concatenate([effect, np.zeros((horizon, *effect.shape[1:]))]), horizon)
    pivot = model.response.pivot.double().numpy()
    priced = np.where(seen.listed[periods:], pivot, np.nan)
    seen = replace(seen, log_price=np.concatenate([seen.log_price[:periods], priced]))
    demand = LearnedDemand.after(replace(model, anchor=None), panel)
    price, promo = demand.history.log_price, demand.history.promo
    price = torch.cat([price, model.response.pivot.expand(horizon, -1, -1)])
    promo = torch.cat([promo, promo.new_zeros(horizon, *promo.shape[1:])])
    origins = _origins(periods, horizon, series)
    paths = int(np.clip(_WORK // (len(origins) * horizon * series), *_PATHS)) // 2 * 2
    features, drift = build_features(seen, periods, origins), []
    with progress.stage("anchor the simulated market to the forecast", len(origins)) as stage:
        for origin in origins:
            logs = [log_deciles(net, seen, features, origin, horizon) for net in (general.network, own)]
            told = torch.from_numpy(mean_units(np.mean(logs, axis=0), seen)).float()
            rows = slice(origin, origin + horizon)
            simulated = mean_path(demand, price[rows], promo[rows], origin, paths, seed)
            least = 0.01 * demand.history.grain
            drift.append(((told + least).log() - (simulated + least).log()).clamp(-_FURTHEST, _FURTHEST))
            stage.advance()
    return replace(model, anchor=Anchor(torch.tensor(origins), torch.stack(drift)))


def _origins(periods: int, horizon: int, series: int) -> list[int]:
    """The end of the panel and, as far as it is no more work than is worth, every quarter before it."""
    most = max(1, _WORK // (_PATHS[0] * horizon * series))
    return list(range(periods, _LEAST_HISTORY - 1, -_EVERY))[:most][::-1]
