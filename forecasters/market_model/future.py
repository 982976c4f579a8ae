"""Forecasts of a table's coming periods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..features import AHEAD
from ..panel.calendar import declared_grid
from ..panel.sales_panel import SalesPanel
from ..progress import SILENT, Progress
from .adaptation import AdaptationSettings, adapted
from .features import build_features
from .model import MarketModel, forecast, shipped
from .observed import observe

_LEAST = 8  # periods with sales


@dataclass(frozen=True)
class Future:
    """Forecasts of the H periods after the last sales of a panel."""

    dates: np.ndarray  # (H,) datetime64[D] their first days
    deciles: np.ndarray  # (H, N, 9) of units wanted, by series of the panel
    listed: np.ndarray  # (H, N) bool, whether the item is sold there and then
    planned: int  # of the periods the panel has rows of, which say their prices


def forecast_future(
    panel: SalesPanel,
    horizon: int,
    seed: int = 0,
    model: MarketModel | None = None,
    settings: AdaptationSettings = AdaptationSettings(),
    progress: Progress = SILENT,
) -> Future:
    """The mean of the market model as it is and adapted to the panel.

    Periods at the panel's end whose units are all unknown are a plan: their prices, promotions and other
    columns are taken as they are. Beyond them the last prices stay, without promotions.

    Args:
        panel: history, and perhaps a plan.
        horizon: periods after the last one with sales.
        seed: of the adaptation.
        model: the market model; the shipped one where None.
        settings: of the adaptation.
        progress: is informed.

    Raises:
        InputError: the history is too short, or the horizon too long.
    """
    sold = np.isfinite(panel.units).any(axis=1)
    origin = len(sold) - int(np.argmax(sold[::-1]))
    if not sold.any() or sold.sum() < _LEAST:
        raise InputError(f"forecast: expected at least {_LEAST} periods with sales, found {int(sold.sum())}")
    beyond = max(0, origin + horizon - panel.periods)
    if horizon < 1 or beyond > AHEAD:
        raise InputError(f"horizon: expected 1 to {panel.periods - origin + AHEAD}, found {horizon}")
    start = model or shipped()
    past = panel.window(0, origin)
    own = adapted(start, observe(past, origin), origin, horizon, seed, settings, progress)
    seen = observe(panel, origin, ahead=beyond)
    features = build_features(seen, origin, [origin])
    both = [forecast(network, seen, features, origin, horizon) for network in (start.network, own)]
    place, item = panel.series.T
    coming = np.arange(origin, origin + horizon)
    return Future(
        declared_grid(panel.frequency, panel.dates).starts(coming),
        ((both[0] + both[1]) / 2)[:, place, item],
        seen.listed[coming][:, place, item],
        min(horizon, panel.periods - origin),
    )
