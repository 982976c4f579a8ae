"""Sales that come by themselves are taken in once, and what cannot be read is put aside with the reason."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from mercato.app.service import sales
from mercato.app.service.refusals import Busy
from mercato.app.service.sales import Batch
from mercato.app.service.streams import STREAM, Folder, Redis, follow
from mercato.forecasters.errors import InputError

ROWS = b"date,location,item,units,price\n2024-01-01,1,a,3,2.5\n"
LONG_AGO = 1_700_000_000


class Counting:
    """A service that only counts what it takes in."""

    def __init__(self) -> None:
        self.taken: dict[str, pd.DataFrame] = {}

    def table(self, body: bytes, kind: str) -> pd.DataFrame:
        assert kind == "text/csv"
        return sales.parse(body, {})

    def take_sales(self, actor: str, key: str, table: pd.DataFrame) -> Batch:
        if "units" not in table:
            raise InputError("sales: expected a column units, found none")
        repeated = key in self.taken
        self.taken[key] = table
        return Batch(len(self.taken), len(table), 0, repeated, [])


@pytest.fixture
def service() -> Counting:
    return Counting()


def _put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_files_of_a_folder_are_taken_in_once(service: Counting, tmp_path: Path) -> None:
    said: list[str] = []
    folder = Folder(service, tmp_path, said.append)
    _put(tmp_path, "week.csv", ROWS)
    pd.DataFrame(
        {"date": ["2024-01-08"], "location": ["1"], "item": ["a"], "units": [4], "price": [2.5]}
    ).to_parquet(tmp_path / "next.parquet")
    os.utime(tmp_path / "next.parquet", (LONG_AGO, LONG_AGO))
    assert folder.once() == 2
    assert folder.once() == 0
    assert len(service.taken) == 2
    assert sorted(path.name for path in (tmp_path / "taken").iterdir()) == ["next.parquet", "week.csv"]
    _put(tmp_path, "week.csv", ROWS)  # whoever is killed before it is moved takes it in again
    assert folder.once() == 1
    assert len(service.taken) == 2
    assert said[-1] == "week.csv: 1 rows, which had been taken in before"
    assert {path.name for path in (tmp_path / "taken").iterdir()} == {
        "next.parquet",
        "week.csv",
        "week-1.csv",
    }


def test_a_file_that_cannot_be_read_is_put_aside_with_the_reason(service: Counting, tmp_path: Path) -> None:
    folder = Folder(service, tmp_path, lambda _: None)
    _put(tmp_path, "odd.csv", b"date,location\n2024-01-01,1\n")
    assert folder.once() == 1
    refused = tmp_path / "refused"
    assert (refused / "odd.csv.txt").read_text() == "sales: expected a column units, found none\n"
    assert (refused / "odd.csv").is_file()
    assert not service.taken


def test_what_found_no_quiet_moment_is_tried_again(
    service: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> Batch:
        raise Busy("sales: expected a quiet moment, found other tables come in 20 times")

    folder = Folder(service, tmp_path, lambda _: None)
    path = _put(tmp_path, "week.csv", ROWS)
    with monkeypatch.context() as patch:
        patch.setattr(service, "take_sales", busy)
        with pytest.raises(Busy):
            folder.once()
    assert path.is_file()
    assert folder.once() == 1
    assert len(service.taken) == 1


def test_what_is_still_written_waits(service: Counting, tmp_path: Path) -> None:
    folder = Folder(service, tmp_path, lambda _: None)
    (tmp_path / "fresh.csv").write_bytes(ROWS)
    _put(tmp_path, "half.csv.part", ROWS)
    _put(tmp_path, ".hidden.csv", ROWS)
    assert folder.once() == 0


def test_a_folder_that_is_not_there_is_refused(service: Counting, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--watch: expected a folder, found none"):
        Folder(service, tmp_path / "none", lambda _: None)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis server of its own."""
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server (Debian's package redis-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_entries_of_a_stream_are_taken_in_once_by_one_of_several(service: Counting, server: str) -> None:
    import redis

    one, other = (Redis(service, server, name, lambda _: None) for name in ("one", "other"))
    with redis.Redis.from_url(server) as sender:
        sender.xadd(STREAM, {"body": ROWS, "key": "week-1"})
        sender.xadd(STREAM, {"body": ROWS.replace(b"3", b"4")})
        sender.xadd(STREAM, {"body": b"date\n2024-01-01\n"})
        assert one.once() + other.once() == 3
        assert one.once() + other.once() == 0
        assert "week-1" in service.taken
        assert len(service.taken) == 2
        ((_, fields),) = sender.xrange(f"{STREAM}:refused")
        assert fields[b"reason"] == b"sales: expected a column units, found none"
        assert sender.xpending(STREAM, "mercato")["pending"] == 0


def test_what_a_killed_process_had_taken_up_is_taken_in(service: Counting, server: str) -> None:
    import redis

    with redis.Redis.from_url(server) as sender:
        dies = Redis(service, server, "same", lambda _: None)
        sender.xadd(STREAM, {"body": ROWS, "key": "week-1"})
        sender.xreadgroup("mercato", "same", {STREAM: ">"})  # and then it is killed
        assert dies.once() == 1  # as it begins again
        assert list(service.taken) == ["week-1"]


def test_an_address_where_nothing_answers_is_refused_in_one_line(service: Counting) -> None:
    pytest.importorskip("redis")
    for address in ("redis://127.0.0.1:1", "nonsense"):
        with pytest.raises(InputError, match=r"--stream: expected a Redis server at redis://…, found: "):
            Redis(service, address, "one", lambda _: None)


def test_what_stands_in_the_way_is_told_and_tried_again() -> None:
    end, said = threading.Event(), []

    class Away:
        turns = 0

        def once(self) -> int:
            self.turns += 1
            if self.turns == 1:
                raise OSError("the database is away")
            end.set()
            return 1

    source = Away()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mercato.app.service.streams._PATIENCE", 0.0)
        follow(source, end, said.append)
    assert (source.turns, said) == (2, ["away: the database is away"])
