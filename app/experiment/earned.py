"""What released decisions earned against what would have been earned without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.experiments import NINETY, Difference, synthetic_difference
from ...forecasters.names import positions
from ...forecasters.panel import SalesPanel
from ...forecasters.response import Context
from ...forecasters.simulation import LearnedDemand
from ...forecasters.statistics import BLOCK, student
from ...forecasters.tensors import NoiseKey
from ..runtime import fitted_panel

_CUSTOMERS = 200  # drawn from what the data leave open
_LEAST_WINDOW = 8  # periods before the change that others are compared in, at least
_FLOOR = 0.01  # share of a location's usual margin, below which a period's counts as that much
_SAME = 0.005  # share of a price within which it is the one that was decided
REFERENCE, LAST_YEAR = "reference", "last-year"


@dataclass(frozen=True)
class Gain:
    """Money, with a 90% interval."""

    mean: float
    lo: float
    hi: float


@dataclass(frozen=True)
class Earned:
    """What decisions earned: margin, sales times price less unit cost, while they were in force."""

    first: str  # ISO date
    last: str
    rows: int  # series and periods in which a decision was in force
    followed: float | None  # share of them that were charged the decided price; None: no prices were given
    earned: float  # margin in these rows
    against: str  # prices that it is compared with
    gain: Gain  # over what the market says these prices would have earned
    held_out: Gain | None  # over what locations without decisions say; None where there are none
    change: Difference | None  # of the logarithm of a location's margin, of the same
    currency: str
    notes: tuple[str, ...]

    def payload(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        gains = {name: None if g is None else vars(g) for name, g in self._gains.items()}
        return {**{k: v for k, v in vars(self).items() if k != "change"}, **gains}

    @property
    def _gains(self) -> dict[str, Gain | None]:
        return {"gain": self.gain, "held_out": self.held_out}


@dataclass(frozen=True)
class InForce:
    """Decisions of a market's series over the periods of a table; arrays (T, S, I)."""

    price: np.ndarray  # decided; NaN where none was in force, or no price was given
    rows: np.ndarray  # bool, a decision was in force


def in_force(frame: pd.DataFrame, market: Market, panel: SalesPanel, since: np.datetime64) -> InForce:
    """The decisions that a table of them speaks of: each holds from its date until the series' next one.

    Raises:
        InputError: a column is missing, a name is not known, or no decision is in force from ``since`` on.
    """
    if missing := [name for name in ("date", "location", "item") if name not in frame]:
        raise InputError(f"decisions: expected the columns date, location, item, found no {missing[0]}")
    place = positions(frame["location"].astype(str).tolist(), market.locations, "locations of the market")
    item = positions(frame["item"].astype(str).tolist(), market.items, "items of the market")
    try:
        day = pd.DatetimeIndex(frame["date"]).to_numpy().astype("datetime64[D]")
    except (ValueError, TypeError) as error:
        raise InputError(f"decisions: expected dates such as 2024-01-31, found another ({error})") from None
    price = np.full(len(frame), np.nan)
    if "price" in frame:
        price = pd.to_numeric(frame["price"], errors="coerce").to_numpy(np.float64)
    starts = np.searchsorted(panel.dates.astype("datetime64[D]"), day)
    shape = (panel.periods, *market.shape)
    decided, rows = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    for at in np.argsort(day, kind="stable"):
        decided[starts[at] :, place[at], item[at]] = price[at]
        rows[starts[at] :, place[at], item[at]] = True
    rows[panel.dates.astype("datetime64[D]") < since] = False
    if not rows.any():
        raise InputError(
            f"decisions: expected some in force between {since} and {panel.dates[-1]}, the end of the sales"
            f" table, found the first of {day.min()}"
        )
    return InForce(decided, rows)


@torch.no_grad()
def evaluate(
    market: Market,
    decided: InForce,
    panel: SalesPanel,
    against: np.ndarray,
    name: str,
    held: Sequence[str],
    seed: int,
) -> Earned:
    """``mercato.evaluate`` of a fitted market conditioned on ``panel`` (``decisions.after``).

    Args:
        market: right after the panel, on the CPU.
        decided: decisions in force.
        panel: the market's own, carried on.
        against: (T, S, I) prices to compare with; NaN where there are none.
        name: what these prices are called.
        held: locations that had no decisions.
        seed: of the customers that are drawn.
    """
    units, price = (panel.dense(x).astype(np.float64) for x in (panel.units, panel.price))
    unit_cost = _cost(market, panel)
    known = np.isfinite(units) & np.isfinite(price) & decided.rows & np.isfinite(against)
    if not known.any():
        raise InputError("evaluate: expected sales at known prices while decisions were in force, found none")
    periods = np.flatnonzero(known.any((1, 2)))
    margin = np.nan_to_num((price - unit_cost) * units)
    gain = _by_market(market, panel, known, against, unit_cost, seed)
    notes = list(_notes(decided, known, panel))
    compared, change = None, None
    if held:
        compared, change, more = _by_held_out(market, decided, panel, margin, held, seed)
        notes += more
    with np.errstate(invalid="ignore"):
        stated = known & np.isfinite(decided.price)
        followed = np.abs(price / decided.price - 1) <= _SAME
    return Earned(
        first=str(panel.dates[periods[0]]),
        last=str(panel.dates[periods[-1]]),
        rows=int(known.sum()),
        followed=float(followed[stated].mean()) if stated.any() else None,
        earned=float(margin[known].sum()),
        against=name,
        gain=gain,
        held_out=compared,
        change=change,
        currency=market.economics.currency,
        notes=tuple(notes),
    )


def _cost(market: Market, panel: SalesPanel) -> np.ndarray:
    """(T, S, I) unit cost; the market's where the table has none."""
    usual = market.terms.unit_cost.double().cpu().numpy()
    if panel.cost is None:
        return np.broadcast_to(usual, (panel.periods, *usual.shape))
    cost = panel.dense(panel.cost).astype(np.float64)
    return np.where(np.isfinite(cost), cost, usual)


def _by_market(
    market: Market,
    panel: SalesPanel,
    known: np.ndarray,
    against: np.ndarray,
    unit_cost: np.ndarray,
    seed: int,
) -> Gain:
    """What was earned beyond what the market's customers would have paid at other prices in the same weeks.

    Sales of a row are moved by the price response alone, so that whatever else the week brought is in both.
    The spread is that of customers whom the data leave possible, whose errors are known from some blocks of
    periods only, and of the count that was seen.
    """
    demand: LearnedDemand = market.demand  # type: ignore[assignment]
    history = demand.history
    at = np.flatnonzero(known.any((1, 2)))
    rows = torch.from_numpy(known[at])
    charged = history.log_price[at]
    other = torch.where(rows, torch.from_numpy(against[at]).float().log(), charged)
    cost = torch.from_numpy(unit_cost[at]).float()
    units = torch.where(rows, torch.from_numpy(panel.dense(panel.units)[at]), 0.0)
    wanted = torch.where(rows, history.demand[at], 0.0)
    ended = ~history.stock_outs.whole[at]  # stock ran out: no more could have been sold
    zero = torch.zeros(_CUSTOMERS, dtype=torch.int64)
    key = NoiseKey(seed, torch.arange(_CUSTOMERS), zero, zero)
    customers, response = demand.possible(key), demand.response
    fitted, drawn, variance = torch.zeros(()), torch.zeros(_CUSTOMERS), torch.zeros(())
    for n in range(len(at)):
        now, then = charged[n], other[n]
        promo = history.promo[at[n]]  # what ran would have run
        here = Context(harmonic=history.ahead[at[n], ..., :2], listed=history.listed[at[n]])
        told = []
        for context in (here, replace(here, own=customers.own, way=customers.way)):
            moved = response.effect(then, promo, context) - response.effect(now, promo, context)
            more = wanted[n] * moved.exp()
            would = torch.where(ended[n], torch.minimum(more, units[n]), more)
            told.append(((now.exp() - cost[n]) * units[n] - (then.exp() - cost[n]) * would).sum((-1, -2)))
            if context is here:
                by_unit = (now.exp() - cost[n]) - (then.exp() - cost[n]) * moved.exp()
        fitted, drawn = fitted + told[0], drawn + told[1]
        variance = variance + (by_unit.square() * _count_variance(demand, at[n], units[n])).sum()
    spread = float((drawn.double().var() + variance).sqrt())
    mean, half = float(fitted), student(NINETY, fitted_panel(market).periods // BLOCK) * spread
    return Gain(mean, mean - half, mean + half)


def _count_variance(demand: LearnedDemand, period: int, units: Tensor) -> Tensor:
    """(S, I) variance of a count around its mean, where the count was ``units``."""
    _, log_r = demand.one_step(period, period + 1)
    return units * demand.history.grain + units.square() * (-log_r[0].mean(-1)).exp()


def _by_held_out(
    market: Market,
    decided: InForce,
    panel: SalesPanel,
    margin: np.ndarray,
    held: Sequence[str],
    seed: int,
) -> tuple[Gain, Difference, list[str]]:
    """What locations without decisions say of the others' margin, items of the decisions alone."""
    without = np.zeros(len(market.locations), dtype=bool)
    without[positions(list(held), market.locations, "locations of the market")] = True
    if (decided.rows.any((0, 2)) & without).any():
        place = market.locations[int(np.argmax(decided.rows.any((0, 2)) & without))]
        raise InputError(f"held-out: expected locations without decisions, found some for {place!r:.60}")
    used = without | decided.rows.any((0, 2))
    items = decided.rows.any((0, 1))
    first = int(np.argmax(decided.rows.any((1, 2))))
    window = slice(max(0, first - max(panel.periods - first, _LEAST_WINDOW)), panel.periods)
    seen = np.isfinite(panel.dense(panel.units)) & items
    usual = np.where(seen[:first], margin[:first], 0).sum(0) / np.maximum(seen[:first].sum(0), 1)
    total = np.where(seen, margin, 0).sum(2)[window][:, used]
    base = (seen * np.maximum(usual, 0)).sum(2)[window][:, used]
    if (base <= 0).any():
        place = market.locations[np.flatnonzero(used)[np.argmax((base <= 0).any(0))]]
        raise InputError(f"held-out: expected sales of every location in every period, found none of {place}")
    share = total / base
    notes = []
    if (low := share < _FLOOR).any():
        notes.append(f"{int(low.sum())} locations' periods earned hardly anything, and count as {_FLOOR:.0%}")
    size = usual.sum(1)[used]
    found = synthetic_difference(
        np.log(np.maximum(share, _FLOOR)).T, size, without[used], first - window.start, seed
    )
    earned = float(margin[decided.rows].sum())
    gain = Gain(*(earned * -np.expm1(-x) for x in (found.value, found.lo, found.hi)))
    return gain, found, notes


def _notes(decided: InForce, known: np.ndarray, panel: SalesPanel) -> Iterator[str]:
    if missing := int((decided.rows & ~known).sum()):
        yield f"{missing} rows with a decision in force have no sales, no price or nothing to compare with"
    if out := int((panel.dense(panel.censored, 0.0) > 0)[known].sum()):
        yield f"stock ran out in {out} rows: other prices are not credited with more than was sold there"
