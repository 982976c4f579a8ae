"""A panel as dense tensors: what the networks read, nothing of the future but what is known ahead."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..panel.calendar import declared_grid
from ..panel.holidays import holiday_days
from ..panel.sales_panel import Covariate, SalesPanel
from ..statistics import StockOuts, grain
from ..tensors import Cut

HARMONICS = 3  # waves of the year that are laid out, and so the most that a regression reads
_WEEKLY = 3  # waves of the week, of a daily table
AHEAD = 60  # periods beyond the panel for which the calendar is laid out


@dataclass(frozen=True)
class History:
    """Dense view of a panel, T periods, S locations, I items; A periods of calendar beyond it."""

    units: Tensor  # (T, S, I) units sold, 0 where unknown
    demand: Tensor  # (T, S, I) units wanted: sales, or an estimate where stock ran out
    known: Tensor  # (T, S, I) bool, whether the row was observed
    censored: Tensor  # (T, S, I) share of the period out of stock
    listed: Tensor  # (T + A, S, I) bool, whether the item is sold there; what is not is neither zero nor seen
    log_price: Tensor  # (T, S, I) filled forward and back
    promo: Tensor  # (T, S, I, K) decision-linked covariates, scaled to 0 … 1
    instrument: Tensor  # (T, S, I, Z) log of the declared cost shifters, Z is 0 or 1
    ahead: Tensor  # (T + A, S, I, C) waves of the year and week, exogenous covariates, standardised
    static: Tensor  # (S, I, Q) attributes of the series, standardised
    distance: Tensor | None  # (S, S) in units of its mean, where coordinates are known
    grain: Tensor  # (I,) units that one count of the demand distribution stands for; 1 where all are whole
    stepped: Tensor | None = None  # (T, S, I) log of a series' level over that after its last step
    year: int = 52  # periods
    week: int = 1  # periods, at least one

    @property
    def periods(self) -> int:
        return self.units.shape[0]

    @cached_property
    def assortment(self) -> Tensor | None:
        """``listed``, or None where every item is sold everywhere throughout: then nobody need ask."""
        return None if bool(self.listed.all()) else self.listed

    @property
    def steps(self) -> Tensor | float:
        """``stepped``, or 0 where no level did."""
        return 0.0 if self.stepped is None else self.stepped

    @cached_property
    def stock_outs(self) -> StockOuts:
        """What sales say of demand where stock ran out."""
        return StockOuts.of(self.censored)

    @property
    def exogenous(self) -> Tensor:
        """(T + A, S, I, X) exogenous covariates, which follow the calendar in ``ahead``."""
        return self.ahead[..., 2 * HARMONICS + (2 * _WEEKLY if self.week >= 7 else 0) :]

    @property
    def times_of_year(self) -> Tensor:
        """(T + A,) share of the year, 0 … 1, of all that is laid out."""
        sine, cosine = self.ahead[:, 0, 0, :2].double().unbind(-1)
        return torch.atan2(sine, cosine) / (2 * torch.pi) % 1.0

    @property
    def time_of_year(self) -> Tensor:
        """(T,) share of the year, 0 … 1."""
        return self.times_of_year[: self.periods]

    @property
    def whole_year(self) -> bool:
        """Whether every time of the year was seen: what was not, a harmonic would only make up."""
        return self.periods >= self.year

    @property
    def waves(self) -> int:
        """How many waves of the year may be looked for: more than one where two years were seen."""
        return HARMONICS if self.periods >= 2 * self.year else int(self.whole_year)

    def calendar_index(self, date: Tensor) -> Tensor:
        """Index (B,) into what is laid out for calendar indices (B,): beyond its ends it repeats a year.

        Where there is no year, whole weeks.
        """
        end = len(self.listed)
        cycle = self.year if self.year <= end else max(1, end // self.week * self.week)
        within = torch.where(date < 0, date % cycle, date)
        return torch.where(date < end, within, end - cycle + (date - end) % cycle)

    def select(self, cut: Cut) -> History:
        """The history of a sub-market."""
        return cut.record(self, _AXES)

    def to(self, device: torch.device | str) -> History:
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {k: v.to(device) for k, v in parts.items() if isinstance(v, Tensor)}
        return replace(self, **moved)


_AXES = {
    **dict.fromkeys(("units", "demand", "known", "censored", "log_price"), "TSI"),
    **dict.fromkeys(("promo", "instrument", "ahead"), "TSIC"),
    "listed": "TSI",
    "stepped": "TSI",
    "static": "SIQ",
    "distance": "SS",
    "grain": "I",
}


def calendar(dates: np.ndarray, frequency: str, ahead: int = AHEAD) -> tuple[np.ndarray, np.ndarray]:
    """Dates of the panel and ``ahead`` periods more; harmonics of year and week (T + A, C)."""
    full = declared_grid(frequency, dates).starts(np.arange(len(dates) + ahead))
    stamps = pd.DatetimeIndex(full)
    year = (stamps.day_of_year.to_numpy() - 1) / 365.25
    harmonics = [f(2 * np.pi * k * year) for k in range(1, HARMONICS + 1) for f in (np.sin, np.cos)]
    if _step(dates) <= np.timedelta64(1, "D"):
        week = stamps.day_of_week.to_numpy() / 7
        harmonics += [f(2 * np.pi * k * week) for k in range(1, _WEEKLY + 1) for f in (np.sin, np.cos)]
    return full, np.stack(harmonics, axis=-1).astype(np.float32)


def _filled(values: np.ndarray) -> np.ndarray:
    """(T, N) filled forward, then back, along time."""
    return pd.DataFrame(values).ffill().bfill().to_numpy(dtype=np.float32)


def _standardised(values: np.ndarray, by: np.ndarray | None = None) -> np.ndarray:
    """``values`` over the mean and in the standard deviation of ``by``, by default their own."""
    by = values if by is None else by
    spread = np.nanstd(by) if np.isfinite(by).any() else 0.0
    centre = np.nanmean(by) if np.isfinite(by).any() else 0.0
    return np.nan_to_num((values - centre) / (spread if spread > 1e-6 else 1.0)).astype(np.float32)


def _laid_out(covariate: Covariate, dates: np.ndarray, fitted: int) -> np.ndarray:
    """(T + A, N) an exogenous covariate, standardised; beyond the table last year's, else the last value.

    Public holidays are known there. Mean and spread are those of the first ``fitted`` periods.
    """
    periods = len(covariate.values)
    if covariate.country:
        days = holiday_days(covariate.country, dates, dates[-1] + (dates[-1] - dates[-2]))
        whole = _standardised(days, by=days[:fitted])
        return np.repeat(whole[:, None], covariate.values.shape[1], axis=1)
    values = _filled(covariate.values)
    scaled = _standardised(values, by=values[:fitted])
    back = np.arange(periods, len(dates)) - _in(365, dates)
    return np.concatenate([scaled, scaled[back.clip(0, periods - 1)]])


def _distance(coordinates: np.ndarray | None, known: np.ndarray) -> Tensor | None:
    """Great-circle distance between locations, from the chord, divided by the mean of those ``known``."""
    if coordinates is None or not np.isfinite(coordinates).all() or len(coordinates) < 2:
        return None
    lat, lon = np.radians(coordinates.astype(float)).T
    at = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    angle = at @ at.T  # a matrix of a large chain is changed in place
    np.clip((1 - angle) / 2, 0, 1, out=angle)  # the squared half of the chord
    np.sqrt(angle, out=angle)
    np.arcsin(angle, out=angle)
    mean = angle[np.ix_(known, known)].mean()
    return torch.from_numpy((angle / mean if mean > 0 else angle).astype(np.float32))


def build_history(panel: SalesPanel, fitted: int | None = None) -> History:
    """Dense tensors of a panel; a pair that is not listed is unknown throughout.

    Args:
        panel: T periods.
        fitted: the first periods of it, that a model was fitted on, whose scales it goes on using: of
            promotions, of exogenous columns, of attributes, of distances, of counts. Series that begin later
            are measured by those. All where None.
    """
    fitted = panel.periods if fitted is None else fitted

    def dense(values: np.ndarray, fill: float = 0.0) -> Tensor:
        return torch.from_numpy(panel.dense(values, fill))

    by_role: dict[str, list[np.ndarray]] = {"decision": [], "static": [], "instrument": []}
    for covariate in panel.covariates:
        if covariate.role in by_role:
            by_role[covariate.role].append(covariate.values)

    def stack(columns: list[Tensor], shape: tuple[int, ...]) -> Tensor:
        return torch.stack(columns, dim=-1) if columns else torch.zeros(*shape, 0)

    periods, places, goods = panel.periods, len(panel.locations), len(panel.items)
    begun = np.isfinite(panel.price[:fitted]).any(0)
    begun = begun if begun.any() else np.ones_like(begun)
    promos = []
    for values in by_role["decision"]:
        top = np.nanmax(values[:fitted]) if np.isfinite(values[:fitted]).any() else 1.0
        promos.append(dense(np.nan_to_num(values / (top if top > 0 else 1.0)).clip(0, 1)))
    shifters = [dense(np.nan_to_num(_filled(np.log(np.maximum(v, 1e-6))))) for v in by_role["instrument"][:1]]
    dates, harmonics = calendar(panel.dates, panel.frequency)
    ahead = [torch.from_numpy(w).view(-1, 1, 1).expand(-1, places, goods) for w in harmonics.T]
    ahead += [dense(_laid_out(c, dates, fitted)) for c in panel.covariates if c.role == "exogenous"]
    listed = np.zeros((periods + AHEAD, places, goods), dtype=bool)
    listed[:, panel.series[:, 0], panel.series[:, 1]] = _listed(panel)
    price = panel.dense(_filled(panel.price), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what is not sold before a window's end
        usual = np.nanmedian(price, axis=(0, 1), keepdims=True)
    price = np.where(np.isfinite(price), price, np.where(np.isfinite(usual), usual, 1.0))
    units = dense(np.nan_to_num(panel.units))
    known = dense(np.isfinite(panel.units).astype(np.float32)) > 0
    return History(
        units=units,
        demand=units,
        known=known,
        censored=dense(np.nan_to_num(panel.censored)),
        listed=torch.from_numpy(listed),
        log_price=torch.from_numpy(np.log(price)).float(),
        promo=stack(promos, (periods, places, goods)),
        instrument=stack(shifters, (periods, places, goods)),
        ahead=torch.stack(ahead, dim=-1),
        static=stack(
            [dense(_standardised(v, by=v[:, begun])[0]) for v in by_role["static"]], (places, goods)
        ),
        distance=_distance(panel.coordinates, np.unique(panel.series[begun, 0])),
        grain=torch.stack([_grain(units[:, :, i], known[:, :, i], fitted) for i in range(goods)]),
        year=_in(365.25, panel.dates),
        week=_in(7, panel.dates),
    )


def _grain(units: Tensor, known: Tensor, fitted: int) -> Tensor:
    """The unit () that an item (T, S) is counted in: by its first periods, by all where it began later."""
    first = units[:fitted][known[:fitted]]
    return grain(first if len(first) else units[known])


def _listed(panel: SalesPanel) -> np.ndarray:
    """(T + A, N) bool: from a series' first row to its last, and on where it has not ended.

    A series has ended when it is silent (no row, or nothing sold) for longer than it ever was before, four
    periods and two weeks at least.
    """
    inside = np.isfinite(panel.price)
    last = len(inside) - 1 - np.argmax(inside[::-1], axis=0)
    silent = np.nan_to_num(panel.units) <= 0
    run, longest = np.zeros(len(last), dtype=np.int64), np.zeros(len(last), dtype=np.int64)
    for here, quiet in zip(inside, silent, strict=True):
        run = np.where(here & quiet, run + 1, 0)
        longest = np.maximum(longest, run)
    least = max(4, int(np.ceil(np.timedelta64(14, "D") / _step(panel.dates))))
    goes_on = len(inside) - 1 - last <= np.maximum(longest, least)
    after = np.arange(len(inside) + AHEAD)[:, None] > last
    out = np.concatenate([inside, np.zeros((AHEAD, len(last)), dtype=bool)])
    return out | (after & goes_on)


def _step(dates: np.ndarray) -> np.timedelta64:
    return dates[-1] - dates[-2] if len(dates) > 1 else np.timedelta64(7, "D")


def _in(days: float, dates: np.ndarray) -> int:
    """Periods in so many days, at least one."""
    return max(1, round(days / (_step(dates) / np.timedelta64(1, "D"))))
