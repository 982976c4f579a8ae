"""What a later table says of a market: what is new in it, and whether the market is still true."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ...envs.market import Market
from ...envs.store import fitted_market
from ...forecasters.drift import RATE, Alarm, Surprises, alarms, column_alarms
from ...forecasters.model import DemandModel
from ...forecasters.panel.growth import Grown, grown
from ...forecasters.panel.sales_panel import SalesPanel
from ...forecasters.simulation import LearnedDemand
from ...forecasters.update import conditioned, grown_model
from ..runtime import fitted_panel

_MOVED = 0.01  # log price by which an end of the supported range has to move to be told


@dataclass(frozen=True)
class Drift:
    """Alarms on a market, and what they were looked for in."""

    alarms: tuple[Alarm, ...]
    periods: int  # that were watched
    since: str  # first day of the first period that was watched
    until: str  # first day of the last one
    rate: float  # false alarms a year that were allowed
    notes: tuple[str, ...]  # what is new in the table, a line each

    @property
    def table(self) -> pd.DataFrame:
        """One row per alarm: ``test``, ``where``, ``date``, ``since``, ``size``, ``said``, ``evidence``,
        ``advice`` and ``asks``, the depth of an update that answers it."""
        columns = list(Alarm.__dataclass_fields__)
        return pd.DataFrame([asdict(alarm) for alarm in self.alarms], columns=columns)

    def __repr__(self) -> str:
        return f"Drift({len(self.alarms)} alarms, {self.since} to {self.until})"


@dataclass(frozen=True)
class Watched:
    """A market after a later table, no weight changed, and what was noticed on the way."""

    before: Market
    latest: SalesPanel
    watched_from: int  # periods before the first one that drift is looked for in

    @cached_property
    def grown(self) -> Grown:
        """The table carried on.

        Raises:
            InputError: the latest table does not carry the market's on.
        """
        return grown(fitted_panel(self.before), self.latest)

    @cached_property
    def _model(self) -> tuple[DemandModel, list[str]]:
        demand = self.before.demand
        if not isinstance(demand, LearnedDemand):
            raise TypeError(f"expected a fitted market, found one of {type(demand).__name__}")
        model, notes = grown_model(demand.model.to("cpu"), self.grown)
        return conditioned(model, self.grown.panel.periods), notes

    @property
    def model(self) -> DemandModel:
        """The model of all that the table has now, conditioned on it."""
        return self._model[0]

    @cached_property
    def market(self) -> Market:
        """The market of that model, on the CPU."""
        return fitted_market(self.model, self.grown.panel, self.before.economics, self.before.name)

    @property
    def demand(self) -> LearnedDemand:
        """Its customers."""
        demand = self.market.demand
        assert isinstance(demand, LearnedDemand)
        return demand

    @cached_property
    def alarms(self) -> tuple[Alarm, ...]:
        """Those of all periods that are watched, in order of date."""
        panel = self.grown.panel
        if panel.periods <= self.watched_from:
            return ()
        surprises = Surprises.of(self.demand)
        place, item = panel.series.T
        expected = np.full(panel.units.shape, np.nan)
        expected[surprises.first :] = surprises.expected[:, place, item]
        columns = column_alarms(panel, self.watched_from, expected)
        rest = alarms(surprises, self.watched_from, panel.dates, panel.locations, panel.items)
        return tuple(sorted([*columns, *rest], key=lambda alarm: (alarm.date, alarm.test, alarm.where)))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is new in the table, and what was made of it."""
        own, now = fitted_panel(self.before), self.grown.panel
        notes = [*self.grown.notes, *self._model[1]]
        ended = self._listed(self.before) & ~self._listed_now(own)
        if ended.any():
            place, item = own.series[int(np.argmax(ended))]
            notes.append(
                f"{int(ended.sum())} series have ended, first {own.locations[place]}, {own.items[item]}"
            )
        return (*notes, *_support(self.before, self.market.select(self.before.locations, self.before.items)),
                *_closed(own, now))  # fmt: skip

    def _listed(self, market: Market) -> np.ndarray:
        """(N,) bool, of the market's own series, those that go on after its table."""
        demand = market.demand
        assert isinstance(demand, LearnedDemand)
        place, item = fitted_panel(market).series.T
        return demand.history.listed[demand.periods].cpu().numpy()[place, item]

    def _listed_now(self, own: SalesPanel) -> np.ndarray:
        now = self.grown.panel
        at = {(now.locations[s], now.items[i]): n for n, (s, i) in enumerate(now.series.tolist())}
        listed = self._listed(self.market)
        return np.array([listed[at[own.locations[s], own.items[i]]] for s, i in own.series.tolist()])

    @property
    def drift(self) -> Drift:
        """What was found, for a person."""
        dates = self.grown.panel.dates
        first = min(self.watched_from, len(dates) - 1)
        periods = max(0, len(dates) - self.watched_from)
        return Drift(self.alarms, periods, str(dates[first]), str(dates[-1]), RATE, self.notes)


def _closed(own: SalesPanel, now: SalesPanel) -> list[str]:
    """Locations that sold in the market's last period, and in none of the later ones."""
    later = np.isfinite(now.units[own.periods :])
    if not len(later):
        return []
    seen = {now.locations[s] for s in now.series[later.any(0), 0].tolist()}
    sold = {own.locations[s] for s in own.series[np.isfinite(own.units[-1]), 0].tolist()}
    gone = sorted(sold - seen)
    return [f"{len(gone)} locations have no rows any more, first {gone[0]}"] if gone else []


def _support(before: Market, after: Market) -> list[str]:
    """Whether the range of prices that was tried has moved."""
    ends = []
    for terms in (before.terms, after.terms):
        low, high = (
            (x / terms.reference_price).log().median(0).values for x in (terms.price_low, terms.price_high)
        )
        ends.append((low.cpu(), high.cpu()))
    (low, high), (low_now, high_now) = ends
    moved = ((low_now - low).abs() > _MOVED) | ((high_now - high).abs() > _MOVED)
    if not moved.any():
        return []
    first = int(moved.nonzero()[0])
    was, now = ((float(a[first].exp()), float(b[first].exp())) for a, b in ((low, high), (low_now, high_now)))
    return [
        f"price: the range that was tried is another for {int(moved.sum())} of {len(moved)} items, first"
        f" {before.items[first]}: {now[0]:.2f} to {now[1]:.2f} of the reference price, {was[0]:.2f} to"
        f" {was[1]:.2f} before"
    ]


def watched(market: Market, latest: SalesPanel, watched_from: int) -> Watched:
    """What ``latest`` says of a market whose weights know its first ``watched_from`` periods."""
    return Watched(replace(market.to("cpu"), panel=fitted_panel(market)), latest, watched_from)
