"""A folder that is replaced is there whole at every moment, and has one writer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mercato.envs.folders import replace_folder, sole_writer
from mercato.forecasters.errors import InputError

_WRITER = """
import sys
from pathlib import Path
from mercato.envs.folders import replace_folder, sole_writer
folder = Path(sys.argv[1])
print("ready", flush=True)
while True:
    for text in ("one", "two"):
        with sole_writer(folder):
            replace_folder(folder, lambda new: [(new / name).write_text(text) for name in "abc"])
"""


def write(text: str, folder: Path) -> None:
    replace_folder(folder, lambda new: [(new / name).write_text(text) for name in "abc"] and None)


def contents(folder: Path) -> list[str]:
    return [(folder / name).read_text() for name in "abc"]


def test_what_was_there_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with sole_writer(tmp_path / "market"):
            write(text, tmp_path / "market")
    assert contents(tmp_path / "market") == ["two"] * 3
    assert os.listdir(tmp_path) == ["market"]


def test_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    write("one", tmp_path / "market")

    def fails(new: Path) -> None:
        (new / "a").write_text("two")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        replace_folder(tmp_path / "market", fails)
    assert contents(tmp_path / "market") == ["one"] * 3
    assert os.listdir(tmp_path) == ["market"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        sole_writer(tmp_path / "market"),
        pytest.raises(InputError, match="another process writes it"),
        sole_writer(tmp_path / "market"),
    ):
        pass
    with sole_writer(tmp_path / "market"):  # the first has ended
        pass


def test_kills_at_any_moment_leave_a_whole_folder_and_the_next_writer_cleans_up(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    for kill in range(8):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.02 + 0.0137 * kill)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        assert contents(folder) in (["one"] * 3, ["two"] * 3)
    with sole_writer(folder):
        write("last", folder)
    assert os.listdir(tmp_path) == ["market"]
