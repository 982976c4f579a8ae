"""The Python interface to price tests and to what decisions earned."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

from ...envs.market import Market
from ...forecasters.errors import InputError, whole
from ...forecasters.experiments import Plan, plan_of
from ...forecasters.fit import periods_a_year
from ...forecasters.panel import SalesPanel, extended
from ...forecasters.panel.tables import load_table
from ...forecasters.progress import SILENT, Progress
from ..arguments import AnyMarket, AnyPanel, open_any, valid_seed
from ..runtime import fitted_panel
from ..spreadsheets import plain
from ..standing import after
from . import design, earned, reading
from .design import Design
from .earned import LAST_YEAR, REFERENCE, Earned, in_force
from .reading import Reading


def design_experiment(
    market: AnyMarket,
    periods: int,
    budget: float,
    *,
    locations: Sequence[str] | None = None,
    items: Sequence[str] | None = None,
    block: int | None = None,
    seed: int = 0,
) -> Design:
    """Plan a price test that tells most about own-price responses for a cost in profit.

    Units (locations that share their prices) and items are chosen by the information gained per profit
    forgone, from the fitted elasticities with their errors. Each of them has two prices, around its usual
    one, inside the range that was tried and the price rules. Which of the two it has in which block of
    periods is drawn, so that every unit and every block has each of them half of the time.


    Args:
        market: a fitted market.
        periods: of the test, which begins after the market's table.
        budget: profit that the test may forgo against the usual prices, by the market's expectation.
        locations: where a test may run; everywhere if not given.
        items: that may be tested; all if not given.
        block: periods that a price stays; if not given what the price rules and the customers' memory ask
            for. As many as ``periods``: a test between locations alone.
        seed: of the draw.

    Returns:
        ``.plan``, whose ``frame()`` is the file; ``.table``, one row an item with the expected standard error
        and the detectable change; ``.cost`` with ``.cost_lo`` and ``.cost_hi``; ``.notes``.

    Raises:
        InputError: a market that was not fitted, a name that it does not know, or a budget that is too small.
    """
    if isinstance(budget, bool) or not isinstance(budget, Real) or not (budget > 0 and isfinite(budget)):
        raise InputError(f"budget: expected an amount of money above 0, found {budget!r:.60}")
    periods, block = whole("periods", periods, 1), None if block is None else whole("block", block, 1)
    shop = open_any(market)
    return design.design(shop, periods, float(budget), locations, items, block, valid_seed(seed))


def read_experiment(
    market: AnyMarket,
    plan: Plan | pd.DataFrame | str | Path,
    panel: AnyPanel,
    *,
    progress: Progress = SILENT,
) -> Reading:
    """What the sales of a price test say of own elasticities, by the draw that set its prices.

    The assigned price is the instrument for the one that was charged. The 90% interval inverts Fisher's
    randomisation test, so that it needs no assumption on how demand moves from period to period.

    Args:
        market: the market that the test was designed for, or one that was fitted since.
        plan: what ``design_experiment`` planned, or its file.
        panel: a sales table with the periods of the test, with the columns of the fitted one; the latest rows
            are enough.
        progress: is informed of every stage.

    Returns:
        ``.table``, one row an item; ``.findings``, for ``fit(…, experiment=…)``; ``.notes``.

    Raises:
        InputError: the plan was changed, or the table has none of its periods.
    """
    shop = open_any(market)
    own = fitted_panel(shop)
    if not isinstance(plan, Plan):
        frame = plan if isinstance(plan, pd.DataFrame) else _table(plan)
        plan = plan_of(frame, shop.locations, shop.items)
    latest = panel if isinstance(panel, SalesPanel) else own.reading.read(panel, otherwise=own.frequency)
    whole_panel, _ = extended(own, latest)
    return reading.read(shop, plan, whole_panel, progress)


def evaluate(
    market: AnyMarket,
    decisions: pd.DataFrame | str | Path,
    panel: AnyPanel,
    since: str | np.datetime64 | None = None,
    *,
    held_out: Sequence[str] = (),
    against: pd.DataFrame | str | Path = REFERENCE,
    seed: int = 0,
) -> Earned:
    """What released decisions earned against what would have been earned without them.

    By the market: sales of the same weeks are moved to other prices by the fitted price response, so that
    whatever else a week brought is in both. Where locations were held out they say it, too: synthetic
    difference in differences, with a placebo interval that trusts no price response.

    Args:
        market: a fitted market.
        decisions: what ``decide`` wrote, of one date or of many: date, location, item and, to see whether
            they were followed, price. Each holds until the next one of its series.
        panel: a sales table that covers them, with the columns of the fitted one.
        since: first day that counts; that of the first decision if not given.
        held_out: locations that had no decisions.
        against: prices of the comparison: ``"reference"`` (the usual ones), ``"last-year"`` (of the same
            period a year before), or a table of a stated policy's prices: location, item, price and perhaps
            date.
        seed: of the customers that are drawn and of the placebo groups.

    Returns:
        ``.gain`` and ``.held_out``, each money with a 90% interval; ``.earned``, ``.followed``, ``.notes``.

    Raises:
        InputError: a market that was not fitted, a name or a date that is not known, or no sales while
            decisions were in force.
    """
    shop = open_any(market).to("cpu")
    own = fitted_panel(shop)
    latest = panel if isinstance(panel, SalesPanel) else own.reading.read(panel, otherwise=own.frequency)
    carried_on, _ = extended(own, latest)
    frame = _table(decisions)
    first = _day(since) if since is not None else np.datetime64("0001-01-01", "D")
    decided = in_force(frame, shop, carried_on, first)
    prices, name = _compared(against, shop, carried_on)
    return earned.evaluate(
        after(shop, carried_on), decided, carried_on, prices, name, list(held_out), valid_seed(seed)
    )


def _table(source: pd.DataFrame | str | Path) -> pd.DataFrame:
    """A table of the project's own, its names as the market has them."""
    return plain(load_table(source, {}).frame, ("location", "item", "unit"))


def _day(text: str | np.datetime64) -> np.datetime64:
    """The day that is meant.

    Raises:
        InputError: it is none.
    """
    try:
        return np.datetime64(str(text), "D")
    except ValueError:
        raise InputError(f"since: expected a day such as 2024-01-31, found {str(text)!r:.40}") from None


def _compared(
    against: pd.DataFrame | str | Path, market: Market, panel: SalesPanel
) -> tuple[np.ndarray, str]:
    """Prices (T, S, I) that decisions are compared with, NaN where there are none, and their name."""
    if isinstance(against, str) and against == REFERENCE:
        usual = market.terms.reference_price.double().numpy()
        return np.broadcast_to(usual, (panel.periods, *usual.shape)), "usual prices"
    if isinstance(against, str) and against == LAST_YEAR:
        prices = panel.dense(panel.price).astype(np.float64)
        year = periods_a_year(panel)
        return np.concatenate([np.full_like(prices[:year], np.nan), prices[:-year]])[: len(prices)], (
            "prices of a year before"
        )
    if isinstance(against, str) and not Path(against).exists():
        raise InputError(
            f"against: expected {REFERENCE}, {LAST_YEAR} or a file of prices, found {against!r:.60}"
        )
    frame = _table(against)
    if "price" not in frame:
        raise InputError("against: expected the columns location, item, price, found no price")
    if "date" not in frame:
        frame = frame.assign(date=str(panel.dates[0]))
    stated = in_force(frame, market, panel, panel.dates[0].astype("datetime64[D]"))
    return stated.price, "stated prices"
