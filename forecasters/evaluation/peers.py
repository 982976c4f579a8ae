"""Forecasters that others use, for comparison: naive ones, exponential smoothing, tuned boosted trees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from ..fit import periods_a_year
from ..market_model import observe
from ..panel.sales_panel import SalesPanel
from .members import Forecast
from .metrics import DECILES
from .tuned_trees import tuned_deciles

LIGHTGBM, AUTO_ETS = "LightGBM, tuned", "AutoETS"


def last_value(panel: SalesPanel, origin: int, horizon: int) -> np.ndarray:
    """The last observed sales; spread from its own changes in logs, growing with √h."""
    return _naive(panel, origin, horizon, 1)


def seasonal_naive(panel: SalesPanel, origin: int, horizon: int) -> np.ndarray:
    """Sales of the same season last year, last values where there is no year of history."""
    year = periods_a_year(panel)
    return _naive(panel, origin, horizon, year if origin > year else 1)


NAIVE: dict[str, Forecast] = {"last value": last_value, "seasonal naive": seasonal_naive}


def _naive(panel: SalesPanel, origin: int, horizon: int, season: int) -> np.ndarray:
    logs = np.log(_filled(panel.units[:origin]) + 0.5)
    changes = logs[season:] - logs[:-season]
    spread = changes.std(0) if len(changes) > 2 else np.full(logs.shape[1], 0.5)
    z = torch.special.ndtri(torch.tensor(DECILES, dtype=torch.float64)).numpy()
    out = []
    for step in range(horizon):
        back = step % season - season  # negative: counted from the origin
        growth = 1.0 if season > 1 else np.sqrt(step + 1)
        out.append(np.exp(logs[back][:, None] + spread[:, None] * growth * z) - 0.5)
    return np.maximum(np.stack(out), 0)


def _filled(units: np.ndarray) -> np.ndarray:
    """(T, N) sales, the last known ones where a row is missing."""
    return pd.DataFrame(units).ffill().bfill().fillna(0).to_numpy(dtype=float)


def auto_ets(panel: SalesPanel, origin: int, horizon: int) -> np.ndarray:
    """Exponential smoothing of each series, its form by information criterion (Hyndman et al. 2002,
    doi:10.1016/S0169-2070(01)00110-8), by statsforecast; days of the week where periods are days.

    Raises:
        ImportError: statsforecast is not installed (extra ``ets``).
    """
    from statsforecast.models import AutoETS

    model = AutoETS(season_length=7 if periods_a_year(panel) > 300 else 1)
    levels, out = [20, 40, 60, 80], []
    for sales in _filled(panel.units[:origin]).T:
        told = model.forecast(y=sales, h=horizon, level=levels)
        low, high = ([told[f"{end}-{level}"] for level in levels] for end in ("lo", "hi"))
        out.append(np.stack([*low[::-1], told["mean"], *high], axis=-1))
    return np.maximum(np.stack(out, axis=1), 0)


def tuned_lightgbm(panel: SalesPanel, origins: Sequence[int], horizon: int, seed: int) -> np.ndarray:
    """(H·K, N, 9) from each origin on, learned from what precedes the first.

    Raises:
        ImportError: LightGBM is not installed (extra ``trees``).
    """
    place, item = panel.series.T
    return tuned_deciles(observe(panel, origins[0]), list(origins), horizon, seed)[:, place, item]
