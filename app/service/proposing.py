"""Proposals: worked out by who decides, filed with the evidence that they were told, and explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import pandas as pd
from sqlalchemy import select

from ...forecasters.errors import InputError
from ..standing import Stock
from ..stock import StockRow, read_stock, stock_of
from . import ledger, sales
from .database import Database
from .model import Decider, Model, Now
from .questions import NotNow
from .records import sheets
from .refusals import Busy, Conflict, Killed
from .rounds import Asked, Round
from .together import Together

_TRIES = 20  # to file a round while sales come in
_RESTLESS = f"sales: expected a quiet moment, found other tables come in {_TRIES} times"
_WHY = ("id", "current_price", "price", "why", "would_change", "drivers")
TOLD_AT_ONCE = 1000  # series that are explained, or are in the answer


class _Stale(Busy):
    """Sales came in since what is to be filed was worked out."""


@dataclass(frozen=True)
class _Filing:
    """A round to be filed, worked out after the sales up to a batch."""

    actor: str
    about: dict[str, Any]
    rows: list[dict[str, Any]]
    batch: int


class Proposer:
    """Proposes what a model decides, and keeps that in a database."""

    def __init__(self, model: Model, database: Database) -> None:
        self._model, self._database = model, database
        self._file = Together(self._filed)
        self._explaining = Lock()  # of what takes longer than to decide: one at a time

    def propose(
        self,
        actor: str,
        date: str | None = None,
        locations: Sequence[str] | None = None,
        stock: pd.DataFrame | Sequence[StockRow] | None = None,
        explain: bool = False,
    ) -> dict[str, Any]:
        """Propose prices and orders for the period after the latest sales; file them as a sheet.

        Open proposals of the same series are superseded, decided ones stay. While the kill switch is on, the
        last approved prices are released instead.

        Args:
            actor: who asks.
            date: first day of that period, to be sure that it is the one that is meant.
            locations: all where None.
            stock: a table as for ``mercato decide``, or rows whose numbers have been checked.
            explain: say what made each change of a price, of so many series at most as are told at once.

        Raises:
            InputError: another date, or locations or stock that do not fit.
        """
        for _ in range(_TRIES):
            now = self._model.kept()
            if date not in (None, now.standing.date) and now is not self._model.latest():
                continue
            if date not in (None, now.standing.date):
                raise InputError(
                    f"date: expected {now.standing.date}, the period after the latest sales,"
                    f" found {date!s:.40}"
                )
            takes_long = explain or stock is not None
            if takes_long and (told := self.repeat(actor)) is not None:
                return told
            at_hand = self._laid_out(now.decider, stock)
            done = self._round(now, locations, at_hand, explain)
            filing = _Filing(actor, self._about(now, done, at_hand), done.rows, now.batch)
            try:
                return self._file(filing)
            except _Stale:
                self._model.latest()
            except Killed:
                if (told := self.repeat(actor)) is not None:
                    return told
        raise Busy(_RESTLESS)

    def _laid_out(self, decider: Decider, stock: pd.DataFrame | Sequence[StockRow] | None) -> Stock | None:
        """Stock by location and item."""
        if isinstance(stock, pd.DataFrame):
            return read_stock(stock, decider.market, decider.own.reading.map)
        return None if stock is None else stock_of(stock, decider.market)

    def _round(
        self, now: Now, locations: Sequence[str] | None, stock: Stock | None, explain: bool = False
    ) -> Round:
        """Proposals; those with assumed stock are worked out once, for all locations."""
        standing = now.standing
        named = None if locations is None else standing.named(locations)
        if explain:
            told = standing.sold if named is None else standing.sold & standing.at(named)
            if told.sum() > TOLD_AT_ONCE:
                raise InputError(
                    f"explain: expected locations of at most {TOLD_AT_ONCE:,} series in all, found"
                    f" {int(told.sum()):,}"
                )
            if not self._explaining.acquire(blocking=False):
                raise NotNow("explain: other prices are being explained; ask again")
            try:
                return now.rounds.explained(stock, named or standing.market.locations)
            finally:
                self._explaining.release()
        return now.rounds.usual(locations) if stock is None else now.rounds.on_stock(Asked(stock, named))

    def _about(self, now: Now, done: Round, stock: Stock | None) -> dict[str, Any]:
        """What is told of a round, and on which evidence it was worked out."""
        return {
            "date": now.standing.date,
            **now.decider.digests,
            "input": now.input_on(stock),
            "currency": now.standing.market.economics.currency,
            **{name: getattr(done, name) for name in ("gain", "gain_lo", "gain_hi", "notes")},
            "steps": done.steps,
        }

    def why(self, number: int) -> dict[str, Any]:
        """Why a price was proposed: the drivers, in amounts that sum to the change, as ``explain`` has them.

        Where it was not asked for when the price was proposed, it is worked out while the sales are the same.

        Raises:
            Unknown: a number that is none of a decision.
            Conflict: the evidence is another by now, or was a stock that is not kept.
        """
        with self._database.read() as connection:
            rows = ledger.listed(connection, {"id": number}, 0, 1)
            if not rows:
                raise ledger.Unknown(
                    f"decision: expected the number of one that was proposed, found {number}"
                )
            (row,) = rows
            asked = select(sheets).where(sheets.c.id == row["sheet"])
            sheet = connection.execute(asked).mappings().one()
        if row["drivers"] is None:
            now = self._model.latest()
            evidence = {**now.decider.digests, "input": now.input_on(None)}
            if any(sheet[name] != value for name, value in evidence.items()):
                raise Conflict(
                    f"decision {number}: expected one of the latest sales with assumed stock, or one that was"
                    " proposed with `explain`, found another; propose it again so"
                )
            rows = self._round(now, [row["location"]], None, explain=True).rows
            again = next(one for one in rows if one["item"] == row["item"])
            if again["price"] != row["price"]:
                raise Conflict(
                    f"decision {number}: expected the price that was proposed, {row['price']:g}, found"
                    f" {again['price']:g} on the same evidence; propose it again with `explain`"
                )
            row = {**row, "drivers": again["drivers"]}
        return {name: row[name] for name in _WHY}

    def _filed(self, filings: Sequence[_Filing]) -> list[dict[str, Any]]:
        """Sheets of rounds, in one transaction; while the kill switch is on, the last approved prices."""
        with self._database.write() as connection:
            batch, told = sales.version(connection), []
            for one in filings:
                if one.batch != batch:
                    raise _Stale("sales: expected none to come in meanwhile, found some did; ask again")
                number, rows, notes = ledger.file_sheet(connection, one.actor, one.about, one.rows)
                told.append(
                    {**one.about, "sheet": number, "series": len(rows), "notes": notes, "decisions": rows}
                )
            return told

    def repeat(self, actor: str) -> dict[str, Any] | None:
        """What the kill switch releases for the coming period; None where it is off."""
        with self._database.read() as connection:
            if ledger.killed(connection) is None:
                return None
        for _ in range(_TRIES):
            now = self._model.latest()
            with self._database.write() as connection:
                why = ledger.killed(connection)
                if why is None:
                    return None
                if sales.version(connection) != now.batch:
                    continue  # the coming period is another by now
                count = ledger.release_last(connection, actor, now.standing.date)
            told = {"date": now.standing.date, "sheet": None, "series": 0, "released": count}
            return {**told, "notes": [f"kill switch: {why}"], "decisions": []}
        raise Busy(_RESTLESS)
