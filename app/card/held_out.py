"""Backtest and calibration of a market: its last periods, forecast by a second fit that never saw them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ...forecasters.errors import InputError
from ...forecasters.evaluation import Backtest, Forecaster, calibration, run_backtest
from ...forecasters.market_model import shipped
from ...forecasters.panel.sales_panel import SalesPanel
from ...forecasters.progress import SILENT, Progress
from ...forecasters.simulation import LearnedDemand

_HORIZON, _WINDOWS = 8, 3  # periods of a window, and windows: at most, and within a fifth of the panel


def held_out(
    demand: LearnedDemand, panel: SalesPanel, seed: int, progress: Progress = SILENT
) -> dict[str, Any]:
    """``backtest`` and ``calibration`` of a card; both None where the panel is too short to hold any out.

    One fit, with the market's own settings, on what precedes the windows serves both.
    """
    spare = max(1, panel.periods // 5)
    horizon = min(_HORIZON, spare)
    windows = min(_WINDOWS, spare // horizon)
    try:
        found = run_backtest(
            panel,
            horizon,
            windows,
            seed,
            progress,
            demand.model.settings,
            None if demand.model.anchor is None else Forecaster(shipped()),
        )
    except InputError:
        return {"backtest": None, "calibration": None}
    known = found.demand.condition(panel)
    measured = calibration(known, found.first, panel.periods, seed)
    return {
        "backtest": {
            "from": str(panel.dates[found.first]),
            "horizon": horizon,
            "windows": windows,
            "bias": _bias(found, known, panel),
            "models": found.models,
        },
        "calibration": {
            "from": str(panel.dates[found.first]),
            **asdict(measured),
            "coverage": [{"level": level, "share": share} for level, share in measured.coverage],
        },
    }


def _bias(found: Backtest, known: LearnedDemand, panel: SalesPanel) -> float | None:
    """Σ(mean forecast − demand) / Σ demand of the windows; demand is an estimate where stock ran out.

    To leave those rows out would leave out the busiest ones, and blame the forecast for it.
    """
    place, item = panel.series.T
    wanted = known.history.demand[found.first :].cpu().numpy()[:, place, item]
    seen = np.isfinite(panel.units[found.first :])
    total = float(wanted[seen].sum())
    return float(found.mean[seen].sum()) / total - 1 if total > 0 else None
