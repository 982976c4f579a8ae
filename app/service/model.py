"""What decides: the run's market and policy, and where they stand after the latest sales, kept as read."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...agents.learned import LearnedPolicy
from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.panel import SalesPanel
from ...forecasters.seal import of_file, of_values
from ..page.home import Home
from ..runtime import fitted_panel, open_market
from ..standing import Standing, Stock
from . import sales
from .audit import digest
from .database import Database
from .rounds import Rounds
from .settings import ServiceSettings


@dataclass(frozen=True)
class Decider:
    """Who decides in which market, and the digests by which both are known."""

    market: Market
    own: SalesPanel
    policy: LearnedPolicy
    digests: dict[str, str]
    stamps: tuple[object, ...]  # of the files that it was read from
    history: sales.History  # of what came in since


@dataclass(frozen=True)
class Now:
    """Where the market stands after all sales up to a batch."""

    decider: Decider
    standing: Standing
    batch: int  # number of the latest one
    told: str  # digest of all
    rounds: Rounds

    def input_on(self, stock: Stock | None) -> str:
        """Digest of what a proposal is told: the sales, and a stock of its own."""
        return digest([self.told, None if stock is None else of_values(*stock)])


class Model:
    """The market and the policy of a run, each read again when its files or the sales are others."""

    def __init__(self, home: Home, settings: ServiceSettings, database: Database) -> None:
        self._home, self._settings, self._database = home, settings, database
        self._loading = threading.Lock()  # of whoever reads the files
        self._turn = threading.Lock()  # … and the history
        self._decider: Decider | None = None
        self._now: Now | None = None

    @property
    def ready(self) -> bool:
        """Whether the market and its history are read, which is what takes long."""
        return self._now is not None

    def decider(self) -> Decider:
        """The run's market and policy, read again when their files are others."""
        about, files = self._home.market / "market.json", self._home.policies()
        compared = self._home.market.parent / "benchmark.json"  # it says which policy is the best
        stamps = tuple(map(_stamp, (about, *files.values(), compared)))
        kept = self._decider
        if kept is not None and kept.stamps == stamps:
            return kept
        with self._loading:
            kept = self._decider
            if kept is None or kept.stamps != stamps:
                policy, market = self._policy(files), open_market(self._home.market)
                digests = {"market": of_file(about), "policy": of_file(policy)}
                own = fitted_panel(market)
                history = sales.History(own.reading.map)
                kept = Decider(market, own, LearnedPolicy.load(policy), digests, stamps, history)
                self._decider = kept
            return kept

    def kept(self) -> Now:
        """Where the market stood when that was last read: other processes may have taken sales in since."""
        now = self._now
        return now if now is not None and now.decider is self.decider() else self.latest()

    def latest(self) -> Now:
        """Where the market stands after all sales that came in; read once a batch."""
        with self._turn:
            decider, now = self.decider(), self._now
            with self._database.read() as connection:
                if now is not None and now.decider is decider and now.batch == sales.version(connection):
                    return now
                batch, told, tables = decider.history.read(connection)
            panel, _ = sales.latest(decider.own, tables)
            standing = Standing.of(decider.market, decider.own, panel, 0)
            _ = standing.others, standing.usual
            rounds = Rounds(standing, decider.policy, self._settings)
            self._now = now = Now(decider, standing, batch, told, rounds)
            return now

    def _policy(self, files: Mapping[str, Path]) -> Path:
        """The file of the policy that decides, of those of the run by name."""
        if self._settings.policy is not None:
            if self._settings.policy not in files:
                raise InputError(
                    f"service: expected a policy of {', '.join(files)}, found {self._settings.policy!r:.60}"
                )
            return files[self._settings.policy]
        if not files:
            raise InputError(f"{self._home.name}: expected a run with a trained policy, found none")
        found = self._home.benchmark() or {"policies": []}
        earned = {row["policy"].lower(): row["profit_mean"] for row in found["policies"]}
        return max(files.items(), key=lambda pair: earned.get(pair[0].lower(), float("-inf")))[1]


def _stamp(path: Path) -> object:
    """What changes when a file does; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return path, about.st_ino, about.st_mtime_ns, about.st_size
