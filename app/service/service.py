"""The loop around a run: sales in, proposals out, decisions, releases; each change one transaction.

What HTTP and the command line offer are these functions. Several processes may serve one database: each reads
the sales that it has not seen before it proposes, and the database keeps one decision a series and date.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ...agents.learned import LearnedPolicy
from ...envs.market import Market
from ...forecasters.errors import InputError, whole
from ...forecasters.names import positions
from ...forecasters.panel import SalesPanel
from ...forecasters.seal import of_file
from ..page.home import Home, home_of
from ..runtime import fitted_panel, open_market
from ..standing import Standing
from . import audit, ledger, sales
from .database import Database, of_folder
from .questions import Forecasts, Scenarios
from .records import STATUSES
from .rounds import Round, play
from .settings import read_service
from .verification import Verified, verify

_TRIES = 20  # to take a batch in while others come in between
MOST = 10_000  # rows of one answer


@dataclass(frozen=True)
class Decider:
    """Who decides in which market, and the digests by which both are known."""

    market: Market
    own: SalesPanel
    policy: LearnedPolicy
    digests: dict[str, str]
    stamps: tuple[object, ...]  # of the files that it was read from


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
        self._turn = threading.Lock()  # of the model: one question at a time
        self._decider: Decider | None = None
        self._stood: tuple[tuple[int, str], Standing, str] | None = None
        self._usual: tuple[Standing, Round] | None = None
        self._forecasts, self._scenarios = Forecasts(), Scenarios(self.home)

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
        own = self.decider().own
        table, how = sales.settled(own, table)
        told = sales.digest_of(table)
        date, renames = own.reading.map.get("date", "date"), own.reading.map
        for _ in range(_TRIES):
            with self.database.read() as connection:
                known = sales.known_batch(connection, key, told)
                seen, _, tables = sales.history(connection, renames)
            if known is not None:
                return known
            about = sales.check(own, [*tables, table])
            with self.database.write() as connection:
                taken = sales.take(connection, actor, key, table, seen, about, date)
            if taken is not None:
                return replace(taken, notes=[*how, *taken.notes])
        raise ledger.Conflict(f"sales: expected a quiet moment, found other tables come in {_TRIES} times")

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
        about, files = self.home.market / "market.json", self.home.policies()
        compared = self.home.market.parent / "benchmark.json"  # it says which policy is the best
        stamps = tuple(map(_stamp, (about, *files.values(), compared)))
        kept = self._decider
        if kept is None or kept.stamps != stamps:
            policy, market = self._policy(files), open_market(self.home.market)
            digests = {"market": of_file(about), "policy": of_file(policy)}
            kept = Decider(market, fitted_panel(market), LearnedPolicy.load(policy), digests, stamps)
            self._decider = kept
        return kept

    def standing(self) -> tuple[Standing, str]:
        """Where the market stands after the sales that came in, and their digest; read once a batch."""
        decider = self.decider()
        with self.database.read() as connection:
            now = (sales.version(connection), decider.digests["market"])
        if self._stood is None or self._stood[0] != now:
            with self.database.read() as connection:
                number, told, tables = sales.history(connection, decider.own.reading.map)
            panel, _ = sales.latest(decider.own, tables)
            standing = Standing.of(decider.market, decider.own, panel, 0)
            _ = standing.others, standing.usual
            self._stood = ((number, decider.digests["market"]), standing, told)
        return self._stood[1], self._stood[2]

    def warm(self) -> None:
        """Read what the next proposal needs, before somebody waits for it."""
        with self._turn:
            self._round(self.decider(), self.standing()[0], None, None)

    @property
    def ready(self) -> bool:
        """Whether a proposal can be made at once."""
        return self._usual is not None

    def _policy(self, files: Mapping[str, Path]) -> Path:
        """The file of the policy that decides, of those of the run by name."""
        if self.settings.policy is not None:
            if self.settings.policy not in files:
                raise InputError(
                    f"service: expected a policy of {', '.join(files)}, found {self.settings.policy!r:.60}"
                )
            return files[self.settings.policy]
        if not files:
            raise InputError(f"{self.home.name}: expected a run with a trained policy, found none")
        found = self.home.benchmark() or {"policies": []}
        earned = {row["policy"].lower(): row["profit_mean"] for row in found["policies"]}
        return max(files.items(), key=lambda pair: earned.get(pair[0].lower(), float("-inf")))[1]

    def forecast(self, location: str | None = None, item: str | None = None) -> pd.DataFrame:
        """Deciles of the periods after the latest sales, of one location and item where they are given.

        Raises:
            NotNow: they are being worked out.
            InputError: the market does not know the location or the item.
        """
        with self._turn:
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
        stock: pd.DataFrame | None = None,
    ) -> dict[str, Any]:
        """Propose prices and orders for the period after the latest sales; file them as a sheet.

        Open proposals of the same series are superseded, decided ones stay. While the kill switch is on, the
        last approved prices are released instead.

        Args:
            actor: who asks.
            date: first day of that period, to be sure that it is the one that is meant.
            locations: all where None.
            stock: as for ``mercato decide``.

        Raises:
            InputError: another date, or locations or stock that do not fit.
        """
        with self._turn:
            decider, (standing, told) = self.decider(), self.standing()
            if date not in (None, standing.date):
                raise InputError(
                    f"date: expected {standing.date}, the period after the latest sales, found {date!s:.40}"
                )
            if (why := self.killed()) is not None:
                return self._repeat(actor, standing.date, why)
            done = self._round(decider, standing, stock, locations)
        about = {
            "date": standing.date,
            **decider.digests,
            "input": audit.digest([told, None if stock is None else stock.to_csv(index=False)]),
            "currency": standing.market.economics.currency,
            **{name: getattr(done.found, name) for name in ("gain", "gain_lo", "gain_hi", "notes")},
            "steps": done.steps,
        }
        with self.database.write() as connection:
            if sales.fingerprint(connection) != told:
                raise ledger.Conflict("sales: expected none to come in meanwhile, found some did; ask again")
            number, count, notes = ledger.file_sheet(connection, actor, about, done.rows)
        return {**about, "sheet": number, "series": count, "notes": notes}

    def _round(
        self,
        decider: Decider,
        standing: Standing,
        stock: pd.DataFrame | None,
        locations: Sequence[str] | None,
    ) -> Round:
        """Proposals; those with assumed stock are worked out once, for all locations."""
        settings, own = self.settings, decider.own
        if stock is not None:
            return play(standing, decider.policy, settings, own, stock, locations)
        if self._usual is None or self._usual[0] is not standing:
            self._usual = standing, play(standing, decider.policy, settings, own)
        if locations is None:
            return self._usual[1]
        return self._usual[1].of(standing.named(locations))

    def _repeat(self, actor: str, date: str, why: str) -> dict[str, Any]:
        with self.database.write() as connection:
            count = ledger.release_last(connection, actor, date)
        return {"date": date, "sheet": None, "series": 0, "released": count, "notes": [f"kill switch: {why}"]}

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

    def change(self, actor: str, number: int, price: float | None, order: int | None, reason: str) -> None:
        """Release another price or order than was proposed."""
        with self.database.write() as connection:
            ledger.change(connection, actor, number, price, order, reason)

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
        with self._turn:
            date = self.standing()[0].date
        return {"withdrawn": withdrawn, **self._repeat(actor, date, reason)}

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


def _stamp(path: Path) -> object:
    """What changes when a file does; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return path, about.st_ino, about.st_mtime_ns, about.st_size


def _home(run: Path) -> Home:
    home = home_of(run)
    if home is None or home.run is None:
        raise InputError(f"{run}: expected the folder of a run (mercato run or demo), found a market's")
    return home
