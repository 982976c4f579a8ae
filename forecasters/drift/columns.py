"""Input columns that are not what they were: a flag that stopped coming, numbers in another unit.

These are no matter of chance, and found in the first period: what is looked for is far outside all that the
reference periods have. Only a flag that is 0 everywhere for a while may be chance; it alarms where so long a
silence was never seen and has a chance below ``_CHANCE``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..panel.sales_panel import SalesPanel
from .alarms import Alarm

_HALF = 0.5  # of the least share of rows in which a column was ever known: below, it has stopped
_USUAL = 0.3  # share of rows in which it has to be known at all times, for a stop to be one
_FACTOR = 4.0  # by which all numbers of a column move at once where their unit is another
_CHANCE = 0.002  # of a silence of a flag
_LEAST = 8  # periods of a reference


def column_alarms(panel: SalesPanel, reference: int, expected: np.ndarray | None = None) -> list[Alarm]:
    """Alarms of the periods from index ``reference`` on, each column at most once for each kind.

    Args:
        panel: T periods, N series.
        reference: its first periods, which the market was learned from.
        expected: (T, N) units that were expected, NaN where unknown.
    """
    if reference < _LEAST or panel.periods <= reference:
        return []
    there = np.isfinite(panel.units)
    columns = {c.name: c.values for c in panel.covariates if c.role != "static" and c.country is None}
    if panel.cost is not None:
        columns["cost"] = panel.cost
    flags = {c.name for c in panel.covariates if c.role == "decision"}
    found: list[Alarm] = []
    for name, values in columns.items():
        found += _stopped(panel, name, values, there, reference)
        if name in flags:
            found += _silent(panel, name, np.nan_to_num(values), there, reference)
    for name, values in {"price": panel.price, **columns}.items():
        usual = _last(np.where(there[:reference], values[:reference], np.nan))
        found += _another_unit(panel, name, values / usual, there, reference)
    if expected is not None:
        found += _another_unit(panel, "units", panel.units / expected, there, reference)
    return sorted(found, key=lambda alarm: (alarm.date, alarm.where))


def _alarm(panel: SalesPanel, name: str, at: int, since: int, size: float, said: str, advice: str) -> Alarm:
    at_date, since_date = (str(panel.dates[t]) for t in (at, since))
    return Alarm(
        "column", f"column {name}", at_date, since_date, size, said, float("inf"), advice, "condition"
    )


def _stopped(
    panel: SalesPanel, name: str, values: np.ndarray, there: np.ndarray, reference: int
) -> Iterator[Alarm]:
    """The column is no longer known of rows of which it always was."""
    rows = there.sum(1)
    share = (np.isfinite(values) & there).sum(1) / np.maximum(rows, 1)
    usual = share[:reference][rows[:reference] > 0]
    if not len(usual) or usual.min() < _USUAL:
        return
    low = np.flatnonzero((share < _HALF * usual.min()) & (rows > 0))
    low = low[low >= reference]
    if len(low):
        t = int(low[0])
        yield _alarm(
            panel, name, t, t, float(share[t]), f"known of {share[t]:.0%} of rows, {usual.mean():.0%} before",
            "have it delivered again; or fit without it (--drop)",
        )  # fmt: skip


def _silent(
    panel: SalesPanel, name: str, values: np.ndarray, there: np.ndarray, reference: int
) -> Iterator[Alarm]:
    """The flag is 0 everywhere for longer than it ever was, and than chance would have it."""
    quiet = ~((values != 0) & there).any(1) & there.any(1)
    share = (quiet[:reference].sum() + 1) / (reference + 2)
    longest = run = 0
    for t, now in enumerate(quiet):
        run = run + 1 if now else 0
        if t < reference:
            longest = max(longest, run)
        elif run > longest and share**run < _CHANCE:
            yield _alarm(
                panel, name, t, t - run + 1, float(run),
                f"0 everywhere for {run} periods, {longest} at most before",
                "make sure that it still comes; if there was nothing to flag, ignore this",
            )  # fmt: skip
            return


def _another_unit(
    panel: SalesPanel, name: str, ratio: np.ndarray, there: np.ndarray, reference: int
) -> Iterator[Alarm]:
    """All numbers of a column are a multiple of what they were, as never before."""
    ratio = np.where(there & np.isfinite(ratio) & (ratio > 0), ratio, np.nan)
    log = np.full(len(ratio), np.nan)
    for t, row in enumerate(ratio):
        known = row[np.isfinite(row)]
        if len(known) >= 2:
            log[t] = np.log(np.median(known))
    before = log[:reference][np.isfinite(log[:reference])]
    most = np.abs(before).max(initial=0.0)
    far = np.flatnonzero(np.abs(np.nan_to_num(log)) > max(np.log(_FACTOR), 1.5 * most))
    far = far[far >= reference]
    if len(far) and len(before) >= _LEAST:
        t = int(far[0])
        factor = float(np.exp(log[t]))
        yield _alarm(
            panel, name, t, t, factor, f"{factor:.3g} times what it was, as if in another unit",
            "convert it to the unit that the market was fitted with",
        )  # fmt: skip


def _last(values: np.ndarray) -> np.ndarray:
    """(N,) median of the last known numbers of each series that are not 0; NaN where there are none."""
    out = np.full(values.shape[1], np.nan)
    for n, column in enumerate(values.T):
        known = column[np.isfinite(column) & (column != 0)]
        if len(known):
            out[n] = np.median(known[-_LEAST:])
    return out
