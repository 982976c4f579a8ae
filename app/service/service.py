"""The loop around a run: sales in, proposals out, decisions, releases; each change one transaction.

What HTTP and the command line offer are these functions. Several processes may serve one database: each reads
the sales that it has not seen before it proposes, and the database keeps one decision a series and date.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ...envs.economics import Economics
from ...envs.store import told_of
from ...forecasters.errors import InputError, whole
from ...forecasters.names import positions
from ..page.home import Home, home_of
from ..reasons import SAME
from ..standing import Standing
from ..stock import StockRow
from . import audit, ledger, sales
from .database import Database, of_folder
from .model import Decider, Model
from .proposing import Proposer
from .questions import Forecasts, Scenarios
from .records import STATUSES
from .refusals import Busy
from .settings import read_service
from .treatment import on_ladder
from .verification import Verified, verify

_TRIES = 20  # to take a batch in while others come in between
MOST = 10_000  # rows of one answer


class Service:
    """A run's folder and a database, open for business.

    Args:
        run: the folder of a run (``mercato run`` or ``mercato demo``).
        database: the address of its database; SQLite in the folder if not given.

    Raises:
        InputError: the folder holds no run, or a file in it or the database is not what it should be.
    """

    def __init__(self, run: Path, database: str | None = None) -> None:
        self.home = _home(run)
        self.settings = read_service(run)
        self.database = Database(database or of_folder(run))
        self.model = Model(self.home, self.settings, self.database)
        self._taking = threading.Lock()  # sales, one table at a time in this process
        self.proposer = Proposer(self.model, self.database)
        self._forecasts, self._scenarios = Forecasts(self.home.forecast()), Scenarios(self.home)

    def close(self) -> None:
        self.database.close()

    # ---- sales

    def take_sales(self, actor: str, key: str, table: pd.DataFrame) -> sales.Batch:
        """Take a table of sales in, whole or not at all, and once for each ``key``.

        Raises:
            InputError: it does not fit, in one line.
            Conflict: the key came with other rows before.
        """
        limit = self.settings.limits.rows
        if not 0 < len(table) <= limit:
            raise InputError(f"rows: expected 1 to {limit:,}, found {len(table):,}")
        decider = self.decider()
        own = decider.own
        table, how = sales.settled(own, table)
        told, date = sales.digest_of(table), own.reading.map.get("date", "date")
        for _ in range(_TRIES):
            with self._taking:
                with self.database.read() as connection:
                    known = sales.known_batch(connection, key, told)
                    seen, _, tables = decider.history.read(connection)
                if known is not None:
                    return known
                about = sales.check(own, [*tables, table])
                with self.database.write() as connection:
                    taken = sales.take(connection, actor, key, table, seen, about, date)
            if taken is not None:
                return replace(taken, notes=[*how, *taken.notes])
        raise Busy(f"sales: expected a quiet moment, found other tables come in {_TRIES} times")

    def table(self, body: bytes, kind: str) -> pd.DataFrame:
        """The table of sales in a request: CSV, or JSON with ``rows``.

        Raises:
            InputError: it is neither.
        """
        renames = self.decider().own.reading.map
        if kind == "text/csv":
            return sales.parse(body, renames)
        if kind not in ("application/json", ""):
            raise InputError(f"content-type: expected text/csv or application/json, found {kind!r:.60}")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise InputError("body: expected JSON, found that it is not") from None
        if not isinstance(found, dict) or set(found) != {"rows"}:
            raise InputError("body: expected an object with rows, found something else")
        return sales.of_rows(found["rows"], renames)

    # ---- the model

    def decider(self) -> Decider:
        """The run's market and policy, read again when their files are others."""
        return self.model.decider()

    def standing(self) -> tuple[Standing, str]:
        """Where the market stands after the sales that came in, and their digest; read once a batch."""
        now = self.model.latest()
        return now.standing, now.told

    def warm(self) -> None:
        """Read what the next proposal needs, before somebody waits for it."""
        self.model.latest().rounds.usual(None)

    @property
    def ready(self) -> bool:
        """Whether a proposal can be made at once."""
        return self.model.ready

    def forecast(self, location: str | None = None, item: str | None = None) -> pd.DataFrame:
        """Deciles of the periods after the latest sales, of one location and item where they are given.

        Raises:
            NotNow: they are being worked out.
            InputError: the market does not know the location or the item.
        """
        standing, told = self.standing()
        market = standing.market
        for name, given, known in (("location", location, market.locations), ("item", item, market.items)):
            if given is not None:
                positions([given], known, f"a {name} of the market")
        rows = self._forecasts.ask(told, standing.panel)
        for name, given in (("location", location), ("item", item)):
            if given is not None:
                rows = rows[rows[name] == given]
        return rows

    def whatif(
        self, scenario: Mapping[str, Any], policies: Sequence[str], episodes: int, seed: int
    ) -> list[dict[str, Any]]:
        """What a scenario changes under each policy.

        Raises:
            NotNow: another one is being played.
            InputError: the scenario or a policy does not fit.
        """
        most = self.settings.limits.episodes
        whole("episodes", episodes, 2, most)
        return self._scenarios.ask(self.decider().market, scenario, policies, episodes, seed)

    # ---- decisions

    def propose(
        self,
        actor: str,
        date: str | None = None,
        locations: Sequence[str] | None = None,
        stock: pd.DataFrame | Sequence[StockRow] | None = None,
        explain: bool = False,
    ) -> dict[str, Any]:
        """Propose prices and orders for the period after the latest sales (``Proposer.propose``)."""
        return self.proposer.propose(actor, date, locations, stock, explain)

    def why(self, number: int) -> dict[str, Any]:
        """Why a price was proposed (``Proposer.why``)."""
        return self.proposer.why(number)

    def killed(self) -> str | None:
        """Why the kill switch is on; None while it is off."""
        with self.database.read() as connection:
            return ledger.killed(connection)

    def decisions(
        self,
        status: str | None = None,
        date: str | None = None,
        sheet: int | None = None,
        after: int = 0,
        limit: int = 1000,
        location: str | None = None,
    ) -> list[dict[str, Any]]:
        """Proposals, in order, after the one of a number.

        Raises:
            InputError: a status that there is not, or a date that is none.
        """
        if status is not None and status not in STATUSES:
            raise InputError(f"status: expected one of {', '.join(STATUSES)}, found {status!r:.40}")
        _check_day(date)
        limit = whole("limit", limit, 1, MOST)
        with self.database.read() as connection:
            wanted = {"status": status, "date": date, "sheet": sheet, "location": location}
            return ledger.listed(connection, wanted, after, limit)

    def sheets(self, limit: int = 100) -> list[dict[str, Any]]:
        """Rounds of proposals, the latest first."""
        with self.database.read() as connection:
            return ledger.latest_sheets(connection, whole("limit", limit, 1, MOST))

    def counts(self) -> dict[str, int]:
        """How many proposals became what."""
        with self.database.read() as connection:
            return ledger.counts(connection)

    def approve(self, actor: str, numbers: Sequence[int], reason: str = "") -> int:
        """Release proposals as they are; how many."""
        with self.database.write() as connection:
            ledger.approve(connection, actor, numbers, reason)
        return len(set(numbers))

    def approve_sheet(self, actor: str, sheet: int, reason: str = "") -> int:
        """Release all of a sheet that is not held back; how many."""
        with self.database.write() as connection:
            return len(ledger.approve_sheet(connection, actor, sheet, reason))

    def change(
        self, actor: str, number: int, price: float | None, order: int | None, reason: str
    ) -> dict[str, Any]:
        """Release another price or order than was proposed; what is released, as price rules have it."""
        ending = Economics(**told_of(self.home.market)["economics"]).price_rules.ending
        ruled = None if ending is None else partial(on_ladder, ending)
        with self.database.write() as connection:
            charged, ordered = ledger.change(connection, actor, number, price, order, reason, ruled)
        notes = []
        if price is not None and abs(charged - price) > SAME * price:
            notes.append(f"price: {price:g} moved to {charged:g}, since prices must end in {ending:.2f}")
        return {"price": charged, "order": ordered, "notes": notes}

    def reject(self, actor: str, numbers: Sequence[int], reason: str) -> int:
        """Release nothing for these proposals; how many."""
        with self.database.write() as connection:
            ledger.reject(connection, actor, numbers, reason)
        return len(set(numbers))

    def released(self, date: str | None = None, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """What the shop's system fetches, in order, after the release of a number.

        Raises:
            InputError: a date that is none.
        """
        _check_day(date)
        limit = whole("limit", limit, 1, MOST)
        with self.database.read() as connection:
            return ledger.released(connection, date, after, limit)

    def kill(self, actor: str, reason: str) -> dict[str, Any]:
        """Withdraw what is open, and release the last approved prices for the coming period."""
        with self.database.write() as connection:
            withdrawn = ledger.kill(connection, actor, reason)
        return {"withdrawn": withdrawn, **(self.proposer.repeat(actor) or {})}

    def resume(self, actor: str, reason: str) -> None:
        """Switch the kill switch off."""
        with self.database.write() as connection:
            ledger.resume(connection, actor, reason)

    # ---- the trail

    def trail(self, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Entries of the audit trail, in order, after the one of a number."""
        limit = whole("limit", limit, 1, MOST)
        with self.database.read() as connection:
            return audit.entries(connection, after, limit)

    def trail_end(self, limit: int) -> list[dict[str, Any]]:
        """The last entries of the audit trail, the latest first."""
        with self.database.read() as connection:
            return audit.last_entries(connection, limit)

    def verify(self) -> Verified:
        """Whether the trail holds."""
        with self.database.read() as connection:
            return verify(connection)


def _check_day(date: str | None) -> None:
    """A shop whose dates look otherwise would be told that there is nothing for it, for ever."""
    if date is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date, re.ASCII):
        raise InputError(f"date: expected a day such as 2024-01-31, found {date!r:.40}")


def _home(run: Path) -> Home:
    home = home_of(run)
    if home is None or home.run is None:
        raise InputError(f"{run}: expected the folder of a run (mercato run or demo), found a market's")
    return home
