"""Backtest: K windows of H periods at the end of a panel, fitted once on what precedes the first.

Each window is forecast at its own origin, conditioned on all that precedes it. The prices and promotions
charged in a window, and all other columns that are known ahead, are given to every model alike. Only observed
rows of series in stock are scored.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..errors import InputError
from ..fit import fit_demand
from ..market_model import ADAPTED, GENERAL, INFORMED, MarketModel, Stack
from ..model import FitSettings
from ..panel.sales_panel import SalesPanel
from ..progress import SILENT, Progress
from ..simulation import LearnedDemand
from .anchoring import Forecaster, anchored_to_forecast
from .members import MARKET, Learned, deciles_of, simulate
from .metrics import DECILES, scores
from .peers import AUTO_ETS, LIGHTGBM, NAIVE, auto_ets, tuned_lightgbm

OURS = "mercato"  # the mean of the members
WITHOUT = "mercato without the market model"
_MARKET_MODELS = (GENERAL, INFORMED, ADAPTED)
_KEPT_BACK = 2  # windows before the first, that the members' weights are found on, at most


@dataclass(frozen=True)
class Backtest:
    """What a backtest found, and the model that it fitted."""

    models: dict[str, dict[str, float]]  # {model: ``scores`` and seconds}
    quantiles: pd.DataFrame  # deciles of the best of ours: date, location, item, q0.1 … q0.9
    mean: np.ndarray  # (H·K, N) the simulated market's mean forecasts of the series of the panel
    first: int  # calendar index of the first window
    rows: np.ndarray  # (H·K, N) bool, what is scored
    deciles: dict[str, np.ndarray]  # (H·K, N, 9) of our forecasts
    demand: LearnedDemand  # fitted on what precedes the first window
    stack: Stack | None = None  # how much each member of mercato's forecast counts


@dataclass(frozen=True)
class _Windows:
    """What is forecast: windows of ``horizon`` periods from each of the ``origins`` on."""

    panel: SalesPanel
    origins: Sequence[int]
    horizon: int
    grain: np.ndarray  # (I,) units that one count of an item stands for

    @staticmethod
    def of(panel: SalesPanel, first: int, count: int, horizon: int, demand: LearnedDemand) -> _Windows:
        """``count`` of them from ``first`` on, of a panel whose market is ``demand``."""
        origins = [first + k * horizon for k in range(count)]
        return _Windows(panel, origins, horizon, demand.history.grain.cpu().numpy())

    @property
    def index(self) -> np.ndarray:
        return np.concatenate([np.arange(origin, origin + self.horizon) for origin in self.origins])

    @property
    def rows(self) -> np.ndarray:
        """(H·K, N) bool: observed with stock left."""
        known, out = np.isfinite(self.panel.units[self.index]), self.panel.censored[self.index]
        return known & (np.nan_to_num(out) == 0)

    def score(self, deciles: np.ndarray, began: float) -> dict[str, float]:
        """Scores of deciles (H·K, N, 9) that were begun at that time."""
        rows, units = self.rows, self.panel.units[self.index]
        grain = np.broadcast_to(self.grain[self.panel.series[:, 1]], units.shape)
        return {**scores(units[rows], deciles[rows], grain[rows]), "seconds": time.perf_counter() - began}


def run_backtest(
    panel: SalesPanel,
    horizon: int,
    windows: int,
    seed: int = 0,
    progress: Progress = SILENT,
    settings: FitSettings | None = None,
    forecaster: Forecaster | None = None,
) -> Backtest:
    """Fit a market once, forecast ``windows`` windows of ``horizon`` periods, score all on the same rows.

    The market's level follows the forecast of ``forecaster`` where there is one, as ``mercato fit`` has it.

    Raises:
        InputError: the panel is too short for the windows asked for.
    """
    first = _first(panel, horizon, windows)
    began = time.perf_counter()
    demand = _market(panel, first, seed, progress, settings)
    asked = _Windows.of(panel, first, windows, horizon, demand)
    if forecaster is not None:
        past = panel.window(0, first)
        demand = demand.with_bases(anchored_to_forecast(demand.model, past, forecaster, seed, progress))
    models: dict[str, dict[str, float]] = {}
    with progress.stage("forecast the backtest windows", windows * (1 + len(NAIVE))) as stage:
        paths = []
        for origin in asked.origins:
            paths.append(simulate(demand, panel, first, origin, horizon, seed))
            stage.advance()
        own = np.concatenate([deciles_of(sampled) for sampled in paths])
        models[MARKET] = asked.score(own, began)
        for name, forecast in NAIVE.items():
            began = time.perf_counter()
            told = np.concatenate([forecast(panel, origin, horizon) for origin in asked.origins])
            models[name] = asked.score(told, began)
            stage.advance(windows)
    mean = np.concatenate([sampled.mean(axis=0) for sampled in paths])
    quantiles = _frame(panel, asked.index, own)
    return Backtest(models, quantiles, mean, first, asked.rows, {MARKET: own}, demand)


def with_forecast(
    found: Backtest,
    panel: SalesPanel,
    horizon: int,
    windows: int,
    seed: int = 0,
    progress: Progress = SILENT,
    settings: FitSettings | None = None,
    model: MarketModel | None = None,
) -> Backtest:
    """The same backtest with mercato's forecast, the mean of its members, and each of them.

    How much each counts is found on the windows before the first one, by members that have not seen those;
    all count alike where the panel is too short for that. ``model`` is the market model, the shipped one
    where None.
    """
    began, first = time.perf_counter(), found.first
    asked = _Windows.of(panel, first, windows, horizon, found.demand)
    told = _all(Learned.of(found.demand, panel, first, horizon, seed, progress, model), asked)
    before = min(_KEPT_BACK, (first - _least(panel)) // horizon)
    if before > 0:
        earlier = first - before * horizon
        demand = _market(panel, earlier, seed, progress, settings)
        kept_back = _Windows.of(panel, earlier, before, horizon, demand)
        known = _all(Learned.of(demand, panel, earlier, horizon, seed, progress, model), kept_back)
        rows = kept_back.rows
        known = {name: deciles[rows] for name, deciles in known.items()}
        came = panel.units[kept_back.index][rows]
        stack = Stack.learned(known, came)
        others = Stack.learned({name: known[name] for name in known if name not in _MARKET_MODELS}, came)
    else:
        stack = Stack.equal(list(told))
        others = Stack.equal([name for name in told if name not in _MARKET_MODELS])
    deciles, rest = stack.deciles(told), others.deciles(told)
    models = {OURS: asked.score(deciles, began), WITHOUT: asked.score(rest, began), **found.models}
    models |= {name: asked.score(part, began) for name, part in told.items()}
    every = {OURS: deciles, WITHOUT: rest, **found.deciles, **told}
    return replace(
        found, models=models, quantiles=_frame(panel, asked.index, deciles), deciles=every, stack=stack
    )


def with_peers(
    found: Backtest,
    panel: SalesPanel,
    horizon: int,
    windows: int,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Backtest:
    """The same backtest with what others use: LightGBM, tuned on the window before, and AutoETS.

    One whose library is missing is left out, with a note.
    """
    asked = _Windows.of(panel, found.first, windows, horizon, found.demand)
    peers = {
        LIGHTGBM: (lambda: tuned_lightgbm(panel, asked.origins, horizon, seed), "trees"),
        AUTO_ETS: (lambda: np.concatenate([auto_ets(panel, o, horizon) for o in asked.origins]), "ets"),
    }
    models, every = dict(found.models), dict(found.deciles)
    with progress.stage("forecast by peers", len(peers)) as stage:
        for name, (forecast, extra) in peers.items():
            began = time.perf_counter()
            try:
                every[name] = forecast()
                models[name] = asked.score(every[name], began)
            except ImportError:
                stage.note(f"{name} left out: pip install 'mercato[{extra}]'")
            stage.advance()
    return replace(found, models=models, deciles=every)


def _all(learned: Learned, asked: _Windows) -> dict[str, np.ndarray]:
    """(H·K, N, 9) by forecaster."""
    told = [learned.deciles(asked.panel, origin, asked.horizon) for origin in asked.origins]
    return {name: np.concatenate([window[name] for window in told]) for name in told[0]}


def _market(
    panel: SalesPanel, fitted: int, seed: int, progress: Progress, settings: FitSettings | None
) -> LearnedDemand:
    past = panel.window(0, fitted)
    return LearnedDemand.after(fit_demand(past, settings, seed, progress), past)


def _least(panel: SalesPanel) -> int:
    return max(8, panel.periods // 3)


def _first(panel: SalesPanel, horizon: int, windows: int) -> int:
    """Where the first window begins."""
    first, least = panel.periods - horizon * windows, _least(panel)
    if horizon < 1 or windows < 1 or first < least:
        raise InputError(
            f"backtest: expected at least {least} periods before the first window, found {first}: the panel"
            f" has {panel.periods}, and {windows} windows of {horizon} take {horizon * windows}"
        )
    return first


def _frame(panel: SalesPanel, index: np.ndarray, deciles: np.ndarray) -> pd.DataFrame:
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
