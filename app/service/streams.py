"""Sales that come by themselves: files put into a folder, or entries of a Redis stream, each taken in once.

What has been taken in is known by its key: whoever is killed between taking a table in and saying so takes
it in again, and nothing happens. What cannot be read is put aside with the reason.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from ...forecasters.errors import InputError
from ...forecasters.panel.tables import load_table
from ..output import write_text
from ..verbs import told
from .refusals import Busy
from .sales import Batch, digest_of

Say = Callable[[str], None]
TAKEN, REFUSED = "taken", "refused"
STREAM, GROUP = "mercato:sales", "mercato"
_EVERY = 1.0  # seconds between two looks
_STILL = 2.0  # seconds since a file was last written, after which it is whole
_STALE = 60_000  # milliseconds after which another process takes over what one has left
_PATIENCE = 10.0  # seconds before what stood in the way is tried again
_ENDINGS = (".csv", ".parquet")


class Taker(Protocol):
    """What takes tables in: a ``Service``."""

    def table(self, body: bytes, kind: str) -> pd.DataFrame: ...

    def take_sales(self, actor: str, key: str, table: pd.DataFrame) -> Batch: ...


class Source(Protocol):
    """Where tables come from."""

    def once(self) -> int:
        """Take in what is there; how many tables that were."""
        ...


class Folder:
    """CSV and parquet files put into a folder; whole ones go to ``taken``, others to ``refused``.

    A file that is being written has another ending, or a name that begins with a dot.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, service: Taker, folder: Path, say: Say) -> None:
        if not folder.is_dir():
            raise InputError(f"--watch: expected a folder, found none at {folder}")
        self._service, self._folder, self._say = service, folder, say

    def once(self) -> int:
        found = sorted(
            path
            for path in self._folder.iterdir()
            if path.suffix.lower() in _ENDINGS and not path.name.startswith(".") and path.is_file()
        )
        still = [path for path in found if time.time() - path.stat().st_mtime >= _STILL]
        for path in still:
            self._take(path)
        return len(still)

    def _take(self, path: Path) -> None:
        try:
            if path.suffix.lower() == ".csv":
                table = self._service.table(path.read_bytes(), "text/csv")
            else:
                table = load_table(path, {}).frame
            taken = self._service.take_sales(f"folder {self._folder.name}", digest_of(table), table)
        except Busy:  # nothing is wrong with it: it stays where it is, for another try
            raise
        except InputError as error:
            kept = self._aside(path, REFUSED)
            write_text(kept.with_name(f"{kept.name}.txt"), f"{error}\n")
            self._say(f"{path.name}: refused: {error}")
        else:
            self._aside(path, TAKEN)
            again = ", which had been taken in before" if taken.repeated else ""
            self._say(f"{path.name}: {taken.rows:,} rows{again}")

    def _aside(self, path: Path, where: str) -> Path:
        home = self._folder / where
        home.mkdir(exist_ok=True)
        target, number = home / path.name, 1
        while target.exists():  # another file of that name came before
            target, number = home / f"{path.stem}-{number}{path.suffix}", number + 1
        return path.rename(target)


class Redis:
    """Entries of a Redis stream, each with a field ``body`` (CSV) and perhaps a ``key``.

    Several processes share the stream as one consumer group. Entries that cannot be read are added to
    ``mercato:sales:refused`` with the reason.

    Raises:
        InputError: the extra is missing, or nothing answers at the address.
    """

    def __init__(self, service: Taker, url: str, consumer: str, say: Say) -> None:
        try:
            import redis
        except ImportError:
            raise InputError(
                "--stream: expected the extra streams (pip install 'mercato[streams]'), found no redis"
            ) from None
        self._service, self._consumer, self._say = service, consumer, say
        try:
            self._redis: Any = redis.Redis.from_url(url)
            self._redis.ping()
        except (ValueError, redis.exceptions.RedisError) as error:
            raise InputError(f"--stream: expected a Redis server at redis://…, found: {error}") from None
        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except redis.exceptions.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def once(self) -> int:
        left = self._redis.xautoclaim(STREAM, GROUP, self._consumer, _STALE)[1]
        mine = self._redis.xreadgroup(GROUP, self._consumer, {STREAM: "0"}, count=100)
        new = self._redis.xreadgroup(GROUP, self._consumer, {STREAM: ">"}, count=100)
        entries = {number: fields for _, part in [*mine, *new] for number, fields in part}
        entries |= dict(left)
        for number, fields in entries.items():
            self._take(number, fields)
        return len(entries)

    def _take(self, number: bytes, fields: dict[bytes, bytes]) -> None:
        name = number.decode()
        key = fields.get(b"key", f"{STREAM} {name}".encode()).decode("utf-8", "replace")
        try:
            table = self._service.table(fields.get(b"body", b""), "text/csv")
            taken = self._service.take_sales(f"stream {STREAM}", key, table)
        except Busy:  # nothing is wrong with it: it stays where it is, for another try
            raise
        except InputError as error:
            self._redis.xadd(
                f"{STREAM}:refused", {**fields, b"entry": number, b"reason": str(error).encode()}
            )
            self._say(f"{name}: refused: {error}")
        else:
            self._say(f"{name}: {taken.rows:,} rows")
        self._redis.xack(STREAM, GROUP, number)


def follow(source: Source, end: threading.Event, say: Say) -> None:
    """Take in what comes, until the end; what stands in the way is told, and tried again later."""
    while not end.is_set():
        try:
            wait = 0.0 if source.once() else _EVERY
        except Exception as error:  # a server or a database that is away for a while must not end it
            say(f"{type(source).__name__.lower()}: {told(error)[0]}")
            wait = _PATIENCE
        end.wait(wait)
