"""Where records are kept: SQLite and PostgreSQL, new, old, newer and none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mercato.app.service import ledger, records
from mercato.app.service.database import Database, of_folder
from mercato.app.service.verification import verify
from mercato.forecasters.errors import InputError
from tests.app.service.rows import file


def test_records_are_there_when_it_is_opened_again(address: str) -> None:
    first = Database(address)
    with first.write() as connection:
        ledger.approve(connection, "ann", file(connection), "fine")
    first.close()
    second = Database(address)
    with second.read() as connection:
        assert verify(connection).entries == 2
        assert len(ledger.released(connection, None, 0, 10)) == 6
    second.close()


def test_the_schema_is_what_the_records_say(address: str) -> None:
    database = Database(address)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), records.metadata) == []
    database.close()


def test_a_change_that_fails_leaves_nothing(address: str) -> None:
    database = Database(address)

    def fails() -> None:
        with database.write() as connection:
            file(connection)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    with database.read() as connection:
        assert ledger.listed(connection, {}, 0, 10) == []
        assert verify(connection).entries == 0
    database.close()


def test_newer_records_are_refused_in_one_line(address: str) -> None:
    database = Database(address)
    with database.write() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    database.close()
    with pytest.raises(InputError, match="--database: expected the records of this mercato or an older one"):
        Database(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "expected an address such as"),
        ("nonsense", "expected an address such as"),
        ("mysql://user:secret@host/name", "expected an address such as .* found 'mysql'"),
        ("postgresql://user:secret@host:port/name", "expected an address such as .* found 'postgresql'"),
        ("sqlite://", "expected the path of a file"),
        ("sqlite:///:memory:", "expected the path of a file"),
        ("sqlite:////nowhere/at/all/service.sqlite", "expected a database at .*, found: unable to open"),
        ("postgresql://user:secret@/name?host=/nowhere", "expected a database at .*, found: "),
    ],
)
def test_an_address_of_nothing_is_refused_in_one_line(url: str, said: str) -> None:
    with pytest.raises(InputError, match=f"--database: {said}") as refused:
        Database(url)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "service.sqlite"
    path.write_text("these are my holiday photos\n" * 100)
    with pytest.raises(InputError, match="file is not a database"):
        Database(of_folder(tmp_path))
    assert path.read_text().startswith("these are")


def test_without_the_extra_postgresql_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match="expected psycopg, found none"):
        Database("postgresql://user@host/name")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX paths")
def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a%20b?c#d é"
    folder.mkdir()
    Database(of_folder(folder)).close()
    assert (folder / "service.sqlite").is_file()
