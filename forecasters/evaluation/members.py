"""The forecasters whose mean is mercato's forecast: simulated market, market models, direct regressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..features import build_history
from ..market_model import Ensemble, MarketModel, Recipe, build_features, learn_members, observe, shipped
from ..panel.sales_panel import SalesPanel
from ..progress import SILENT, Progress
from ..response import history_effect
from ..simulation import Informed, LearnedDemand, sample_paths
from .metrics import DECILES

SAMPLES = 100  # simulated futures a window

Forecast = Callable[[SalesPanel, int, int], np.ndarray]
"""(panel, origin, horizon) → deciles (H, N, 9) of the periods from origin on, from what precedes it."""

MARKET = "simulated market"  # as an agent plays it
INFORMED = "simulated market, reading the chain's prices"


@dataclass(frozen=True)
class Learned:
    """What forecasters have learned from a panel's first ``fitted`` periods."""

    demand: LearnedDemand
    fitted: int
    direct: Ensemble
    seed: int

    @staticmethod
    def of(
        demand: LearnedDemand,
        panel: SalesPanel,
        fitted: int,
        horizon: int,
        seed: int,
        progress: Progress = SILENT,
        model: MarketModel | None = None,
    ) -> Learned:
        """Adapt the market model and fit the regressions, of which trees need the extra ``trees``.

        Args:
            demand: the market learned from the first ``fitted`` periods.
            panel: T periods.
            fitted: how many of them are learned from.
            horizon: periods ahead that will be asked for, at most.
            seed: of paths and of the adaptation.
            progress: is informed.
            model: the market model; the shipped one where None.
        """
        past = panel.window(0, fitted)
        seen = observe(past, fitted, _effect(demand, past, fitted))
        direct = learn_members(model or shipped(), seen, fitted, horizon, Recipe(), seed, progress)
        return Learned(demand, fitted, direct, seed)

    def deciles(self, panel: SalesPanel, origin: int, horizon: int) -> dict[str, np.ndarray]:
        """(H, N, 9) by forecaster of the periods from ``origin`` on, from what precedes it."""
        whole = panel.window(0, origin + horizon)
        seen = observe(whole, self.fitted, _effect(self.demand, whole, self.fitted))
        features = build_features(seen, self.fitted, [origin])
        known = self.demand.condition(whole, self.fitted)
        paths = sample_paths(Informed(known), known.history, origin, horizon, SAMPLES, self.seed)
        place, item = panel.series.T
        told = self.direct.members(seen, features, origin, horizon)
        return {
            INFORMED: deciles_of(paths[:, :, place, item]),
            **{name: deciles[:, place, item] for name, deciles in told.items()},
        }


def simulate(
    demand: LearnedDemand, panel: SalesPanel, fitted: int, origin: int, horizon: int, seed: int
) -> np.ndarray:
    """Simulated demand (samples, H, N) under the prices, promotions and other columns of each period."""
    known = demand.condition(panel.window(0, origin + horizon), fitted)
    paths = sample_paths(known, known.history, origin, horizon, SAMPLES, seed)
    return paths[:, :, panel.series[:, 0], panel.series[:, 1]]


def deciles_of(paths: np.ndarray) -> np.ndarray:
    """Deciles (H, N, 9) of samples (count, H, N)."""
    return np.moveaxis(np.quantile(paths, DECILES, axis=0), 0, -1)


def _effect(demand: LearnedDemand, panel: SalesPanel, fitted: int) -> np.ndarray:
    """(T, S, I) identified effect of prices and promotions."""
    return history_effect(build_history(panel, fitted), demand.model.response).double().numpy()
