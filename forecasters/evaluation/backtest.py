"""Backtest: K windows of H periods at the end of a panel, fitted once on what precedes the first.

Each window is forecast at its own origin, conditioned on all that precedes it. The prices and promotions
charged in a window are given to every model alike: they are the shop's decisions, not the market's. Only
observed rows of series in stock are scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ..errors import InputError
from ..features import build_history
from ..fit import fit_demand, periods_a_year
from ..model import FitSettings
from ..panel.sales_panel import SalesPanel
from ..progress import SILENT, Progress
from ..simulation import LearnedDemand, sample_paths
from .metrics import DECILES, scores

SAMPLES = 100  # simulated futures a window

Forecast = Callable[[SalesPanel, int, int], np.ndarray]
"""(panel, origin, horizon) → deciles (H, N, 9) of the periods from origin on, from what precedes it."""


@dataclass(frozen=True)
class Backtest:
    """What a backtest found, and the model that it fitted."""

    models: dict[str, dict[str, float]]  # {model: {wape, wpe, wql, coverage80, rows, seconds}}
    quantiles: pd.DataFrame  # mercato's deciles: date, location, item, q0.1 … q0.9
    mean: np.ndarray  # (H·K, N) mercato's mean forecasts of the series of the panel
    first: int  # calendar index of the first window
    demand: LearnedDemand  # fitted on what precedes the first window


def run_backtest(
    panel: SalesPanel,
    horizon: int,
    windows: int,
    seed: int = 0,
    progress: Progress = SILENT,
    settings: FitSettings | None = None,
) -> Backtest:
    """Fit once, forecast ``windows`` windows of ``horizon`` periods, score every model on the same rows.

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
    actual, rows = _scored_rows(panel, origins, horizon)
    began = time.perf_counter()
    fitted = fit_demand(panel.window(0, first), settings, seed, progress)
    demand = LearnedDemand.after(fitted, panel.window(0, first))
    models: dict[str, dict[str, float]] = {}

    def score(name: str, deciles: np.ndarray) -> None:
        seconds = time.perf_counter() - began
        models[name] = {**scores(actual[rows], deciles[rows]), "seconds": seconds}

    with progress.stage("forecast the backtest windows", windows * (1 + len(_RIVALS))) as stage:
        paths = []
        for origin in origins:
            paths.append(simulate(demand, panel, origin, horizon, seed))
            stage.advance()
        own = np.concatenate([_deciles(sampled) for sampled in paths])
        score("mercato", own)
        for name, forecast in _RIVALS.items():
            began = time.perf_counter()
            score(name, np.concatenate([forecast(panel, origin, horizon) for origin in origins]))
            stage.advance(windows)
    mean = np.concatenate([sampled.mean(axis=0) for sampled in paths])
    return Backtest(models, _frame(panel, origins, own), mean, first, demand)


def simulate(demand: LearnedDemand, panel: SalesPanel, origin: int, horizon: int, seed: int) -> np.ndarray:
    """Simulated demand (samples, H, N) under the prices and promotions that were charged."""
    known = demand.condition(panel.window(0, origin))
    paths = sample_paths(known, build_history(panel), origin, horizon, SAMPLES, seed)
    return paths[:, :, panel.series[:, 0], panel.series[:, 1]]


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


_RIVALS: dict[str, Forecast] = {"last value": _last_value, "seasonal naive": _seasonal_naive}


def _deciles(paths: np.ndarray) -> np.ndarray:
    """Deciles (H, N, 9) of samples (count, H, N)."""
    return np.moveaxis(np.quantile(paths, DECILES, axis=0), 0, -1)


def _periods(origins: list[int], horizon: int) -> np.ndarray:
    return np.concatenate([np.arange(origin, origin + horizon) for origin in origins])


def _scored_rows(panel: SalesPanel, origins: list[int], horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Sales (H·K, N) of the windows, and which of them were observed with stock left."""
    index = _periods(origins, horizon)
    actual = panel.units[index]
    return actual, np.isfinite(actual) & (np.nan_to_num(panel.censored[index]) == 0)


def _frame(panel: SalesPanel, origins: list[int], deciles: np.ndarray) -> pd.DataFrame:
    index = _periods(origins, len(deciles) // len(origins))
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
