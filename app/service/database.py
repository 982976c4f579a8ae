"""The database of a service: SQLite in the run's folder, or PostgreSQL for several processes.

Every change is one transaction in which one writer at a time holds the end of the audit chain
(``BEGIN IMMEDIATE`` in SQLite, a row lock in PostgreSQL), and is on disk before it is acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from ...forecasters.errors import InputError
from . import records

FILE = "service.sqlite"
_WAIT = 30  # seconds for another writer
_END = select(records.head.c.seq).with_for_update()
_KINDS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class Database:
    """Where the service keeps its records, at the latest schema.

    Raises:
        InputError: the address is none, or nothing answers there.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.engine = _engine(self.url)
        try:
            self._upgrade()
        except DBAPIError as error:
            self.close()
            said = str(error.orig).strip().splitlines()
            raise InputError(
                f"--database: expected a database at {self.shown}, found: {said[0] if said else 'nothing'}"
            ) from None
        except CommandError as error:  # Alembic does not know the version that is there
            self.close()
            raise InputError(
                f"--database: expected the records of this mercato or an older one at {self.shown}, found"
                f" newer ones ({error})"
            ) from None

    @property
    def shown(self) -> str:
        """The address without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent look at the records."""
        with self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":  # else each question would be of another moment
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One change, whole or not at all, by the only writer."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(_END).one()
                yield connection

    def close(self) -> None:
        self.engine.dispose()

    def _upgrade(self) -> None:
        """Bring the schema to its latest version; one process at a time does."""
        with resources.as_file(resources.files(__package__) / "migrations") as scripts:
            config = Config()
            config.set_main_option("script_location", str(scripts))
            directory = ScriptDirectory.from_config(config)

            def steps(revision: Any, _: Any) -> Any:
                return directory._upgrade_revs("head", revision)  # as ``alembic upgrade head`` has them

            with self.engine.connect() as connection:
                connection = connection.execution_options(writes=True)
                with connection.begin(), EnvironmentContext(config, directory, fn=steps) as environment:
                    if self.engine.dialect.name == "postgresql":
                        connection.exec_driver_sql("select pg_advisory_xact_lock(7160513)")
                    environment.configure(connection=connection, target_metadata=records.metadata)
                    environment.run_migrations()


def of_folder(folder: Path) -> str:
    """The address of the SQLite file in a folder."""
    return URL.create("sqlite", database=str(folder.resolve() / FILE)).render_as_string()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        kind = _KINDS.get(parsed.get_backend_name())
    except (ArgumentError, NoSuchModuleError, ValueError):
        kind = None
    if kind is None:
        raise InputError(
            "--database: expected an address such as postgresql://user@host/name or"
            f" sqlite:///path/to/file, found {url.split(':')[0]!r:.60}"
        )
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise InputError("--database: expected the path of a file, as in sqlite:///path/to/file, found none")
    return parsed.set(drivername=kind)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        try:
            engine = create_engine(url, pool_pre_ping=True, pool_timeout=_WAIT)
        except ModuleNotFoundError as error:
            raise InputError(
                f"--database: expected {error.name}, found none; pip install 'mercato[postgresql]'"
            ) from None
        event.listen(engine, "connect", _be_patient)
        return engine
    engine = create_engine(url, connect_args={"timeout": _WAIT}, pool_timeout=_WAIT)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _be_patient(connection: Any, _: Any) -> None:
    """As SQLite does: a process that stands still with the end of the chain in its hands stops nobody."""
    connection.execute(f"set lock_timeout = '{_WAIT}s'")
    connection.commit()


def _set_up(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
        connection.execute(f"pragma {pragma}")


def _begin(connection: Connection) -> None:
    """A reader's transaction never waits; a writer's takes its turn at once, or two would fail at the end."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("begin immediate" if writes else "begin")
