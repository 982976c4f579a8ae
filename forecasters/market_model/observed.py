"""What a market model reads of a panel: plain arrays, the same of a shop's own table and of a drawn one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..features import build_history
from ..panel.calendar import declared_grid
from ..panel.sales_panel import SalesPanel
from ..tensors import numbered
from .running import mean

_DAY = np.timedelta64(1, "D")
_EXTREME = 5.0  # standard deviations of a column known only afterwards


@dataclass(frozen=True)
class Observed:
    """A panel of T periods, S locations, I items. Prices, promotions and covariates are known ahead."""

    units: np.ndarray  # (T, S, I) units sold, NaN where unknown
    exposure: np.ndarray  # (T, S, I) share of the period that they speak of; 0 where they are a lower bound
    log_price: np.ndarray  # (T, S, I) NaN where the item is not listed
    promo: np.ndarray  # (T, S, I, K) 0 … 1
    exogenous: np.ndarray  # (T, S, I, X) standardised
    effect: np.ndarray | None  # (T, S, I) identified effect of prices and promotions on log demand
    category: np.ndarray  # (I,) int64
    year: np.ndarray  # (T,) share of the year, 0 … 1
    weekday: np.ndarray | None  # (T,) int64 0 … 6; None where a period is longer than a day
    periods_a_year: int
    grain: np.ndarray  # (I,) units that one count stands for
    signals: np.ndarray  # (T, S, I, B) columns known only afterwards, standardised; NaN where unknown
    attributes: np.ndarray  # (S, A) of locations, standardised
    distance: np.ndarray | None  # (S, S) in units of its mean, where coordinates are known

    @property
    def listed(self) -> np.ndarray:
        """(T, S, I) bool."""
        return np.isfinite(self.log_price)

    @property
    def scored(self) -> np.ndarray:
        """(T, S, I) bool: units are known, and all that was wanted."""
        return np.isfinite(self.units) & (self.exposure == 1)


def observe(panel: SalesPanel, fitted: int, effect: np.ndarray | None = None, ahead: int = 0) -> Observed:
    """A shop's panel.

    Args:
        panel: T periods, those to forecast among them.
        fitted: the first periods, which scale covariates and counts.
        effect: (T, S, I) identified effect of prices and promotions, where there is one.
        ahead: periods beyond the panel, at its last prices, without promotions; at most ``AHEAD``.
    """
    history = build_history(panel, fitted)
    periods = history.periods
    dates = declared_grid(panel.frequency, panel.dates).starts(np.arange(periods + ahead))
    days = len(dates) > 1 and dates[-1] - dates[-2] <= _DAY
    outs = history.stock_outs

    def longer(values: np.ndarray, after: float | np.ndarray) -> np.ndarray:
        return np.concatenate([values, np.broadcast_to(after, (ahead, *values.shape[1:]))])

    known, price = history.known.numpy(), history.log_price.double().numpy()
    exposure = np.where(outs.bound.numpy(), 0.0, outs.exposure.double().numpy())
    return Observed(
        units=longer(np.where(known, history.units.double().numpy(), np.nan), np.nan),
        exposure=longer(exposure, 1.0),
        log_price=np.where(history.listed.numpy()[: len(dates)], longer(price, price[-1]), np.nan),
        promo=longer(history.promo.double().numpy(), 0.0),
        exogenous=history.exogenous[: len(dates)].double().numpy(),
        effect=effect,
        category=numbered(panel.categories).numpy(),
        year=history.times_of_year[: len(dates)].numpy(),
        weekday=pd.DatetimeIndex(dates).day_of_week.to_numpy() if days else None,
        periods_a_year=history.year,
        grain=history.grain.double().numpy(),
        signals=longer(_signals(panel, fitted), np.nan),
        attributes=history.static.double().mean(1).numpy(),
        distance=None if history.distance is None else history.distance.double().numpy(),
    )


def _signals(panel: SalesPanel, fitted: int) -> np.ndarray:
    """(T, S, I, B) columns known only afterwards, around their series' mean; logs where none is below 0."""
    columns = []
    for covariate in panel.covariates:
        if covariate.role == "past":
            values = covariate.values.astype(float)
            values = np.log1p(values) if np.nanmin(values, initial=0.0) >= 0 else values
            about = values - mean(values[:fitted], 0)
            spread = float(np.sqrt(np.nan_to_num(mean(about[:fitted].reshape(1, -1) ** 2, 1)[0, 0])))
            columns.append(panel.dense((about / max(spread, 1e-6)).clip(-_EXTREME, _EXTREME)))
    shape = (panel.periods, len(panel.locations), len(panel.items), 0)
    return np.stack(columns, axis=-1).astype(float) if columns else np.zeros(shape)
