"""After-treatment of what a policy decides: named steps, each counted.

Smoothing moves prices before it is worked out what they bring; the price rules have the last word. The check
for anomalies looks at the outcome and holds series back; nobody but a person lets them go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from math import isnan, nan

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...envs.engine.rules import Window, bounds, enforce, nearest_rung
from ...envs.engine.types import Decision, State
from ...forecasters.errors import InputError
from ...forecasters.fit import periods_a_year
from ...forecasters.panel import SalesPanel
from ..decisions import BEYOND
from ..price_tags import rounded
from ..standing import Standing
from .settings import Anomaly, Smoothing

LARGEST, DEAD_BAND, SETTLE, RULES = "largest change", "dead band", "settle", "price rules again"
SUPPORT, UNITS, ORDER = "outside support", "units far from last year's", "large order"
STEPS, CHECKS = (LARGEST, DEAD_BAND, SETTLE, RULES), (SUPPORT, UNITS, ORDER)
_SAME = 1e-6  # of a price
_FEW = 3.0  # units by which a sale of few items may differ from last year's, whatever the factor


@dataclass
class Smoother:
    """Smooths the prices of one round of proposals and keeps what each step touched, (S, I) bool by name."""

    standing: Standing
    settings: Smoothing

    def __post_init__(self) -> None:
        self.touched: dict[str, Tensor] = {}

    def __call__(self, decision: Decision, state: State) -> Decision:
        market, settings = self.standing.market, self.settings
        price, last = decision.price, state.last_price
        if settings.largest_change is not None:
            change = settings.largest_change
            price = self._step(LARGEST, price, price.clamp(last * (1 - change), last * (1 + change)))
        near = (price / last - 1).abs() < settings.dead_band
        price = self._step(DEAD_BAND, price, torch.where(near, last, price))
        if settings.settle:
            came_from = self.standing.price_before - last
            back = (came_from * (price - last) > 0) & (state.since_change < settings.settle)
            price = self._step(SETTLE, price, torch.where(back, last, price))
        if not self.touched:
            return decision
        ruled = enforce(replace(decision, price=price), state, market)
        tags = rounded(ruled.price[0], last[0], market, self.standing.decimals).unsqueeze(0)
        self._step(RULES, price, tags)
        return replace(ruled, price=tags)

    def _step(self, name: str, before: Tensor, after: Tensor) -> Tensor:
        moved = ((after / before - 1).abs() > _SAME)[0]
        if bool(moved.any()):
            self.touched[name] = moved
        return after

    def flags(self, series: np.ndarray) -> list[list[str]]:
        """What touched each of ``series`` (N, 2)."""
        place, item = series.T
        hit = {name: moved.cpu().numpy()[place, item] for name, moved in self.touched.items()}
        return [[name for name in hit if hit[name][n]] for n in range(len(series))]


def anomalies(rows: pd.DataFrame, year: tuple[np.ndarray, np.ndarray], settings: Anomaly) -> list[list[str]]:
    """Why each proposal is held back; nothing where it is not.

    Args:
        rows: of ``Decisions``.
        year: (N,) the fewest and the most units of a period of the last year (``last_year``).
        settings: what counts as an anomaly.
    """
    units, order = rows["expected_units"].to_numpy(), rows["order"].to_numpy()
    hit = {name: np.zeros(len(rows), dtype=bool) for name in CHECKS}
    if settings.outside_support:
        hit[SUPPORT] = rows["note"].str.contains("|".join(BEYOND), regex=True).to_numpy(dtype=bool)
    if settings.units_factor is not None:
        fewest, most = year
        too_many = units > settings.units_factor * most + _FEW
        hit[UNITS] = too_many | (units < fewest / settings.units_factor - _FEW)  # NaN compares as false
    if settings.order_cover is not None:
        hit[ORDER] = order > settings.order_cover * np.maximum(units, 1.0)
    return [[name for name in CHECKS if hit[name][n]] for n in range(len(rows))]


def price_limits(standing: Standing, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) lowest and highest price of each of ``series`` (N, 2) that price rules leave; inf: no limit."""
    state, market = standing.state(None), standing.market
    last = state.last_price[0]
    below, above = bounds(last, market)
    least = reduce(torch.maximum, below.values(), torch.zeros_like(last))
    most = reduce(torch.minimum, above.values(), torch.full_like(last, torch.inf))
    place, item = series.T
    return least.double().cpu().numpy()[place, item], most.double().cpu().numpy()[place, item]


def on_ladder(ending: float, price: float, least: float, most: float) -> float:
    """The nearest price that ends as prices must, between two others.

    Raises:
        InputError: there is none.
    """
    of = partial(torch.tensor, dtype=torch.float64)
    found = float(nearest_rung(of(price), ending, Window(of(least), of(most), of(nan))))
    if isnan(found):
        raise InputError(
            f"price: expected one that ends in {ending:.2f}, found none between {least:g} and {most:g}"
        )
    return round(found, 4)


def last_year(panel: SalesPanel, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the fewest and the most units of a period that series of a panel sold in the last year.

    NaN where nothing is known.
    """
    at = {tuple(pair): n for n, pair in enumerate(panel.series.tolist())}
    units = panel.units[-periods_a_year(panel) :, [at[tuple(pair)] for pair in series.tolist()]]
    known = np.isfinite(units)
    fewest, most = (np.where(known, units, end) for end in (np.inf, -np.inf))
    there = known.any(axis=0)
    return np.where(there, fewest.min(axis=0), np.nan), np.where(there, most.max(axis=0), np.nan)
