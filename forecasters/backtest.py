"""Backtest: K windows of H periods at the end of a panel, fitted once on what precedes the first.

Each window is forecast at its own origin, conditioned on all that precedes it. The prices and promotions
charged in a window are given to every model alike: they are the shop's decisions, not the market's. Only
observed rows of series in stock are scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from .errors import InputError
from .history import build_history
from .learned import LearnedDemand
from .metrics import DECILES, scores
from .model import FitSettings, fit_demand, periods_a_year
from .panel.sales_panel import SalesPanel
from .paths import sample_paths
from .progress import SILENT, Progress

SAMPLES = 100  # simulated futures a window

Forecast = Callable[[SalesPanel, int, int], np.ndarray]
"""(panel, origin, horizon) → deciles (H, N, 9) of the periods from origin on, from what precedes it."""


def run_backtest(
    panel: SalesPanel,
    horizon: int,
    windows: int,
    seed: int = 0,
    progress: Progress = SILENT,
    settings: FitSettings | None = None,
) -> tuple[dict[str, dict[str, float]], pd.DataFrame]:
    """Scores of every model, and mercato's own deciles.

    Returns:
        ``{model: {wape, wpe, wql, coverage80, rows, seconds}}`` and a frame
        ``date, location, item, q0.1 … q0.9``.

    Raises:
        InputError: the panel is too short for the windows asked for.
    """
    first = panel.periods - horizon * windows
    least = max(8, panel.periods // 3)
    if horizon < 1 or windows < 1 or first < least:
        raise InputError(
            f"backtest: expected at least {least} periods before the first window, found {first}: the panel"
            f" has {panel.periods}, and {windows} windows of {horizon} take {horizon * windows}"
        )
    origins = [first + k * horizon for k in range(windows)]
    began = time.perf_counter()
    fitted = fit_demand(panel.window(0, first), settings, seed, progress)
    fit_seconds = time.perf_counter() - began
    demand = LearnedDemand.after(fitted, panel.window(0, first))
    rivals: dict[str, Forecast] = {
        "mercato": lambda whole, origin, h: simulate_deciles(demand, whole, origin, h, seed),
        "last value": _last_value,
        "seasonal naive": _seasonal_naive,
    }
    models: dict[str, dict[str, float]] = {}
    kept: list[np.ndarray] = []
    with progress.stage("forecast the windows", len(rivals) * windows) as stage:
        for name, forecast in rivals.items():
            began = time.perf_counter()
            parts = []
            for origin in origins:
                parts.append(forecast(panel, origin, horizon))
                stage.advance()
            seconds = time.perf_counter() - began + (fit_seconds if name == "mercato" else 0.0)
            if name == "mercato":
                kept = parts
            models[name] = {**_scored(panel, origins, parts), "seconds": seconds}
    return models, _frame(panel, origins, kept)


def simulate_deciles(
    demand: LearnedDemand, panel: SalesPanel, origin: int, horizon: int, seed: int
) -> np.ndarray:
    """Deciles (H, N, 9) of simulated sales under the prices and promotions that were charged."""
    known = demand.condition(panel.window(0, origin))
    paths = sample_paths(known, build_history(panel), origin, horizon, SAMPLES, seed)
    deciles = np.quantile(paths[:, :, panel.series[:, 0], panel.series[:, 1]], DECILES, axis=0)
    return np.moveaxis(deciles, 0, -1)


def _last_value(panel: SalesPanel, origin: int, horizon: int) -> np.ndarray:
    """The last observed sales; spread from its own changes in logs, growing with √h."""
    return _naive(panel, origin, horizon, 1)


def _seasonal_naive(panel: SalesPanel, origin: int, horizon: int) -> np.ndarray:
    """Sales of the same season last year, last values where there is no year of history."""
    year = periods_a_year(panel)
    return _naive(panel, origin, horizon, year if origin > year else 1)


def _naive(panel: SalesPanel, origin: int, horizon: int, season: int) -> np.ndarray:
    logs = np.log(pd.DataFrame(panel.units[:origin]).ffill().bfill().fillna(0).to_numpy() + 0.5)
    changes = logs[season:] - logs[:-season]
    spread = changes.std(0) if len(changes) > 2 else np.full(logs.shape[1], 0.5)
    z = torch.special.ndtri(torch.tensor(DECILES, dtype=torch.float64)).numpy()
    out = []
    for step in range(horizon):
        back = step % season - season  # negative: counted from the origin
        growth = 1.0 if season > 1 else np.sqrt(step + 1)
        out.append(np.exp(logs[back][:, None] + spread[:, None] * growth * z) - 0.5)
    return np.maximum(np.stack(out), 0)


def _scored(panel: SalesPanel, origins: list[int], parts: list[np.ndarray]) -> dict[str, float]:
    index = np.concatenate([np.arange(o, o + len(p)) for o, p in zip(origins, parts, strict=True)])
    actual, deciles = panel.units[index], np.concatenate(parts)
    rows = np.isfinite(actual) & (np.nan_to_num(panel.censored[index]) == 0)
    return scores(actual[rows], deciles[rows])


def _frame(panel: SalesPanel, origins: list[int], parts: list[np.ndarray]) -> pd.DataFrame:
    index = np.concatenate([np.arange(o, o + len(p)) for o, p in zip(origins, parts, strict=True)])
    deciles = np.concatenate(parts)  # (H·K, N, 9)
    names = panel.series
    frame = pd.DataFrame(
        {
            "date": np.repeat(panel.dates[index], len(names)).astype("datetime64[s]"),
            "location": np.tile(np.array(panel.locations, dtype=object)[names[:, 0]], len(index)),
            "item": np.tile(np.array(panel.items, dtype=object)[names[:, 1]], len(index)),
        }
    )
    for k, level in enumerate(DECILES):
        frame[f"q{level}"] = deciles[..., k].reshape(-1)
    return frame
