"""Forecasts of a table's coming periods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..features import AHEAD
from ..panel.calendar import declared_grid
from ..panel.sales_panel import SalesPanel
from ..progress import SILENT, Progress
from ..statistics import Explanation
from .adaptation import AdaptationSettings, adapted
from .explanation import explain
from .features import build_features
from .model import MarketModel, in_units, log_deciles, shipped
from .observed import observe

_LEAST = 8  # periods with sales


@dataclass(frozen=True)
class Future:
    """Forecasts of the H periods after the last sales of a panel."""

    dates: np.ndarray  # (H,) datetime64[D] their first days
    deciles: np.ndarray  # (H, N, 9) of units wanted, by series of the panel
    listed: np.ndarray  # (H, N) bool, whether the item is sold there and then
    planned: int  # of the periods the panel has rows of, which say their prices
    _why: Callable[[], Explanation]

    def why(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Units of an ordinary period (H, N), and what each group of features multiplies them with (H, N).

        Their product is the median and half a grain.
        """
        found = self._why()
        return np.exp(found.ordinary), {name: np.exp(part) for name, part in found.parts.items()}


def forecast_future(
    panel: SalesPanel,
    horizon: int,
    seed: int = 0,
    model: MarketModel | None = None,
    settings: AdaptationSettings = AdaptationSettings(),
    progress: Progress = SILENT,
) -> Future:
    """The mean of the market model as it is and adapted to the panel, in logs.

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
    networks, place, item = (start.network, own), *panel.series.T
    logs = np.mean([log_deciles(net, seen, features, origin, horizon) for net in networks], axis=0)

    def why() -> Explanation:
        each = [explain(net, seen, features, origin, horizon, seed=seed) for net in networks]
        parts = {
            name: np.mean([one.parts[name] for one in each], axis=0)[:, place, item] for name in each[0].parts
        }
        whole = [np.mean([getattr(one, name) for one in each], axis=0) for name in ("ordinary", "told")]
        return Explanation(whole[0][:, place, item], parts, whole[1][:, place, item])

    coming = np.arange(origin, origin + horizon)
    return Future(
        declared_grid(panel.frequency, panel.dates).starts(coming),
        in_units(logs, seen)[:, place, item],
        seen.listed[coming][:, place, item],
        min(horizon, panel.periods - origin),
        why,
    )
