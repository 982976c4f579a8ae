"""Databases of both kinds, and a run to serve."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from mercato.app import api, scenarios
from mercato.app.service.database import Database, of_folder
from mercato.app.service.door import Door
from mercato.app.service.http import application
from mercato.app.service.service import Service
from tests.app.service import postgresql
from tests.app.service.rows import empty
from tests.app.service.shop import HERE, forecast

_COUNT = itertools.count()
_SETTINGS = "limits: {rows: 1000, body: 200000, episodes: 16, requests: 1.0e+9, burst: 1000000000}\n"


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


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def served(
    request: pytest.FixtureRequest, run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service of the run for the tests of a file."""
    (run / "service.yaml").write_text(_SETTINGS, encoding="utf-8")
    if request.param == "sqlite":
        url = of_folder(tmp_path_factory.mktemp("served"))
    else:
        url = request.getfixturevalue("server")
    service = Service(run, url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "forecast", forecast)
        patch.setattr(scenarios, "tuned", lambda market, policies, *_: list(policies))
        patch.setattr(scenarios, "each_once", list)
        patch.setattr(scenarios, "answer_each", lambda *_: [])  # what is asked is checked, but not played
        yield service
    empty(service.database)
    service.close()


@pytest.fixture
def service(served: Service) -> Service:
    """The same, which nothing has happened to yet."""
    empty(served.database)
    served.model.latest()  # numbers of batches begin again
    return served


@pytest.fixture(scope="module")
def app(served: Service) -> Door:
    """The service over HTTP, for this machine alone."""
    return application(served, local=True)


@pytest.fixture
def client(app: Door, service: Service) -> TestClient:
    """Somebody on this machine."""
    return TestClient(app, base_url=HERE)
