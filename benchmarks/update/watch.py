"""Whether drift is found: breaks in true markets, seen through a market that was fitted before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mercato.envs.structural import Size
from mercato.forecasters.drift import Alarm, Surprises, alarms, column_alarms
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.model import DemandModel, FitSettings
from mercato.forecasters.network import TrunkSettings
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.simulation import LearnedDemand
from mercato.forecasters.update import compared, resettled

from .breaks import broken_panel, without_column

_YEAR, _WAIT = 52, 6  # periods watched after a fit; before the break
_SETTINGS = FitSettings(TrunkSettings(kind="none"))


@dataclass(frozen=True)
class Case:
    """A break, the alarms that find it, and within how many periods they have to."""

    broken: Mapping[str, Any]  # arguments of ``broken_panel``
    test: str
    where: str  # the beginning of it
    within: int


CASES = {
    "level of the chain −20%": Case({"level": np.log(0.8)}, "level", "the chain", 4),
    "level of an item −20%": Case({"level": np.log(0.8), "items": 1}, "level", "item item-01", 4),
    "own elasticity +30%": Case({"steeper": 1.3}, "price response", "", 12),
    "own elasticity −30%": Case({"steeper": 0.7}, "price response", "", 12),
}
COLUMN = "a column that stops"
FALSE = "false alarms a year"
FORGOTTEN = "loss on the old regime, settled after the break"


def watch(seed: int, size: Size, fitted: int) -> dict[str, float]:
    """Periods from each break to the alarm that finds it, infinite where none does within a year.

    And false alarms in a year without one, and what settling on the new regime costs on the old one.
    """
    since = fitted + _WAIT
    size = replace(size, weeks=fitted + _WAIT + _YEAR)
    usual = broken_panel(seed, size, size.weeks)
    model = replace(fit_demand(usual.window(0, fitted), _SETTINGS, 0), fitted=fitted)
    quiet = usual.window(0, fitted + _YEAR)
    out: dict[str, float] = {FALSE: float(len(_alarms(model, quiet, fitted)))}
    for name, case in CASES.items():
        panel = broken_panel(seed, size, since, **case.broken)
        out[name] = _found(_alarms(model, panel, fitted), panel, since, case.test, case.where)
    stopped = without_column(usual, "promo", since)
    out[COLUMN] = _found(column_alarms(stopped, fitted), stopped, since, "column", "column promo")
    out[FORGOTTEN] = _forgotten(model, broken_panel(seed, size, since, level=np.log(0.8)), fitted)
    return out


def _alarms(model: DemandModel, panel: SalesPanel, fitted: int) -> list[Alarm]:
    surprises = Surprises.of(LearnedDemand.after(model, panel))
    return alarms(surprises, fitted, panel.dates, panel.locations, panel.items)


def _found(found: list[Alarm], panel: SalesPanel, since: int, test: str, where: str) -> float:
    """Periods from a break to the first alarm of its kind, the break's own the first."""
    break_day = str(panel.dates[since])
    days = [a.date for a in found if a.test == test and a.where.startswith(where) and a.date >= break_day]
    at = [str(day) for day in panel.dates]
    return float(at.index(min(days)) - since + 1) if days else float("inf")


def _forgotten(model: DemandModel, panel: SalesPanel, fitted: int) -> float:
    """More loss a row, one step ahead, on the last half year before the break, once settled after it."""
    old = panel.window(0, fitted)
    return _difference(model, resettled(model, panel), old)


def _difference(before: DemandModel, after: DemandModel, panel: SalesPanel) -> float:
    trial = compared(LearnedDemand.after(before, panel), after, panel, _YEAR // 2)
    return trial.challenger - trial.champion
