"""Databases of both kinds, and a run to serve."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from mercato.app.service.database import Database
from tests.app.service import postgresql
from tests.app.service.rows import empty

_COUNT = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server."""
    if why := postgresql.missing():
        pytest.skip(why)
    with postgresql.server() as address:
        yield address


@pytest.fixture
def new_postgresql(server: str) -> str:
    """The address of a PostgreSQL database with nothing in it."""
    name = f"shop{next(_COUNT)}"
    url = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")
    return url.set(drivername="postgresql", database=name).render_as_string()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with nothing in it, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.sqlite'}"
    found: str = request.getfixturevalue("new_postgresql")
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of either kind for the tests of a file."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('records') / 'service.sqlite'}"
    else:
        url = request.getfixturevalue("server")
    database = Database(url)
    yield database
    empty(database)
    database.close()


@pytest.fixture
def database(shared: Database) -> Database:
    """The same, with nothing in it."""
    empty(shared)
    return shared


@pytest.fixture(scope="session")
def run(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run: a market and a policy."""
    folder = tmp_path_factory.mktemp("service") / "run"
    shutil.copytree(home / "market", folder / "market")
    (folder / "policies").mkdir()
    shutil.copy(home / "ppo.safetensors", folder / "policies")
    return folder
