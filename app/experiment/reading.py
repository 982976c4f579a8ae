"""Reading a price test: the rows of a sales table that its plan speaks of, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.experiments import Estimate, Finding, Findings, Plan, Rows, estimate, informed
from ...forecasters.panel import SalesPanel
from ...forecasters.progress import SILENT, Progress
from ...forecasters.simulation import LearnedDemand
from ...forecasters.statistics import StockOuts

_DRAWS = 999  # other draws that the test is compared with
_SAME = 0.005  # log price within which what was charged is what was assigned
_WEAK = 3.0  # standard errors that the assigned price must move the charged one, to carry an interval
_UNEVEN = 0.1  # difference of the share of missing rows between up and down, beyond which it is said


@dataclass(frozen=True)
class Reading:
    """What a test says."""

    findings: Findings
    table: pd.DataFrame  # one row an item
    notes: tuple[str, ...]

    def payload(self) -> dict[str, Any]:
        """What ``--out`` writes, for ``mercato fit --experiment``, with the table beside."""
        return {**self.findings.to_json(), "table": self.table.to_dict("records"), "notes": self.notes}


@dataclass(frozen=True)
class _Seen:
    """The test's periods as they came back, tensors (T', S, I)."""

    plan: Plan
    at: np.ndarray  # (T',) index of the plan's periods that the table has
    units: np.ndarray  # in counts, NaN unknown
    price: np.ndarray
    stock_outs: StockOuts
    offset: np.ndarray  # (S, I) log units at the usual price, before the test
    reference: np.ndarray  # (S, I) usual price


def read(market: Market, plan: Plan, panel: SalesPanel, progress: Progress = SILENT) -> Reading:
    """``mercato.read_experiment`` of a fitted market and its own panel carried on (``panel.extended``).

    Raises:
        InputError: the table has none of the test's periods, or nothing can be read of it.
    """
    demand: LearnedDemand = market.demand  # type: ignore[assignment]  # with a table it is a fitted one
    seen = _seen(market, plan, panel)
    found: list[_Read] = []
    notes = list(_notes(seen))
    with progress.stage("read the test", len(plan.items)) as stage:
        for number in np.flatnonzero(plan.tested.any(0)):
            if (one := _item(seen, int(number))) is not None:
                found.append(one)
            else:
                notes.append(f"{plan.items[number]}: too little was sold or seen in the test to say anything")
            stage.advance()
    if not found:
        raise InputError("experiment: expected sales that the test can be read from, found too few")
    days = plan.dates[seen.at]
    findings = Findings(str(days[0]), str(days[-1]), tuple(_finding(plan, one) for one in found))
    after = informed(demand.elasticities, findings, market.locations, market.items)
    rows = []
    for part, finding in zip(found, findings.items, strict=True):
        item, told = part.item, part.estimate
        before, then = (
            float(x[part.places, item].double().cpu().numpy() @ told.weight)
            for x in (demand.elasticities.own, after.own)
        )
        if told.strength < _WEAK:
            notes.append(f"{finding.item}: prices hardly followed the plan ({told.compliance:.2f} of it)")
        rows.append(
            {
                "item": finding.item,
                "elasticity": told.value,
                "lo": told.lo,
                "hi": told.hi,
                "error": told.error,
                "rows": finding.rows,
                "compliance": told.compliance,
                "fitted": before,
                "fitted_error": float(demand.elasticities.own_error[item]),
                "together": then,
                "together_error": float(after.own_error[item]),
            }
        )
    return Reading(findings, pd.DataFrame(rows), tuple(notes))


def _seen(market: Market, plan: Plan, panel: SalesPanel) -> _Seen:
    """The rows of the test and the level of sales before it."""
    demand: LearnedDemand = market.demand  # type: ignore[assignment]
    index = {day: n for n, day in enumerate(panel.dates.astype("datetime64[D]"))}
    there = np.array([day in index for day in plan.dates]) & plan.counts
    if not there.any():
        raise InputError(
            f"experiment: expected sales from {plan.dates[0]} to {plan.dates[-1]}, found a table up to"
            f" {panel.dates[-1]}"
        )
    grain = demand.history.grain.double().cpu().numpy()
    units, price, censored = (
        panel.dense(x).astype(np.float64) for x in (panel.units, panel.price, panel.censored)
    )
    at = np.flatnonzero(there)
    mine = np.array([index[day] for day in plan.dates[at]])
    first = int(np.searchsorted(panel.dates.astype("datetime64[D]"), plan.dates[0]))
    before = slice(max(0, first - demand.history.year), first)
    own, usual_price = demand.elasticities.own.double().cpu().numpy(), market.terms.reference_price
    reference = np.where(plan.tested, plan.usual, usual_price.double().cpu().numpy())
    with np.errstate(invalid="ignore", divide="ignore"):
        freed = units[before] * (price[before] / reference) ** -own
        rows = np.isfinite(freed) & ~(censored[before] > 0)
        usual = np.where(rows, freed, 0).sum(0) / rows.sum(0)
    typical = market.terms.typical_demand.double().cpu().numpy()
    offset = np.log(np.where(usual > 0, usual, typical) / grain)
    outs = StockOuts.of(torch.from_numpy(np.nan_to_num(censored[mine])))
    return _Seen(plan, at, units[mine] / grain, price[mine], outs, offset, reference)


@dataclass(frozen=True)
class _Read:
    """What was read of one item."""

    item: int
    estimate: Estimate
    rows: int
    places: np.ndarray  # (S',) int64 locations that have any


def _item(seen: _Seen, item: int) -> _Read | None:
    """An item's estimate; None where its rows say nothing."""
    plan, at = seen.plan, seen.at
    tested = plan.tested[:, item]
    known = np.isfinite(seen.units[:, :, item]) & np.isfinite(seen.price[:, :, item])
    if not known[:, tested].any():
        return None
    period, place = np.nonzero(known)  # locations that are not in the test tell what a week brought to all
    usual = np.where(tested, plan.usual[:, item], seen.reference[:, item])
    half = np.where(tested, np.log(plan.high[:, item] / plan.low[:, item]) / 2, 0.0)[place]
    of = (period, place, item)
    places, series = np.unique(place, return_inverse=True)

    def assigned(up: np.ndarray) -> np.ndarray:
        """(N,) log price over its mean: half of the way between the two, up or down."""
        everywhere = np.zeros((len(plan.dates), len(tested)), dtype=bool)
        everywhere[:, tested] = up
        return np.where(everywhere[at][period, place], half, -half)

    draws = plan.draws(item)
    mine = assigned(next(draws))
    rows = Rows(
        units=seen.units[of],
        exposure=seen.stock_outs.exposure.numpy()[of],
        bound=seen.stock_outs.bound.numpy()[of],
        offset=seen.offset[place, item],
        charged=np.log(seen.price[of] / usual[place]),
        assigned=mine,
        series=series,
        period=period,
    )
    found = estimate(rows, np.stack([assigned(up) for up in islice(draws, _DRAWS)]))
    return None if found is None else _Read(item, found, int(tested[place].sum()), places)


def _finding(plan: Plan, part: _Read) -> Finding:
    found = part.estimate
    return Finding(
        item=plan.items[part.item],
        elasticity=found.value,
        error=found.error,
        lo=found.lo if np.isfinite(found.lo) else None,
        hi=found.hi if np.isfinite(found.hi) else None,
        rows=part.rows,
        compliance=found.compliance,
        weights={
            plan.locations[p]: float(w) for p, w in zip(part.places, found.weight, strict=True) if w > 0
        },
    )


def _notes(seen: _Seen) -> Iterator[str]:
    """What of the test did not come back as planned."""
    plan, at = seen.plan, seen.at
    wanted = int(plan.counts.sum())
    if len(at) < wanted:
        yield f"{len(at)} of the {wanted} periods of the test are in the table"
    tested = plan.tested
    known = np.isfinite(seen.units) & np.isfinite(seen.price)
    up = plan.up[at]
    if missing := int((~known)[:, tested].sum()):
        high, low = (float((~known)[(up == side) & tested].mean()) for side in (True, False))
        uneven = abs(high - low) > _UNEVEN
        yield f"{missing} rows of the test are missing" + (
            f", {high:.0%} of those with the high and {low:.0%} with the low price: if prices are why, the"
            " estimate is off"
            if uneven
            else ""
        )
    with np.errstate(invalid="ignore"):
        other = known & tested & (np.abs(np.log(seen.price / plan.price[at])) > _SAME)
    if other.any():
        yield (
            f"{int(other.sum())} of {int((known & tested).sum())} rows were charged another price than"
            " planned: the planned one is the instrument"
        )
    if out := int((~seen.stock_outs.whole.numpy() & known & tested).sum()):
        yield f"stock ran out in {out} rows: their sales are a lower bound or those of a part of the period"
