"""Progress away from a terminal is one line a stage, and files appear whole or not at all."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mercato.app.console import Bars
from mercato.app.output import to_json, write_file, write_text


def test_a_log_gets_one_line_a_stage_and_the_notes() -> None:
    log = io.StringIO()
    with Bars(Console(file=log, width=80)) as bars, bars.stage("fit", total=10) as stage:
        stage.advance(3)
        stage.note("stopped early [at 3]")
    lines = [line.strip() for line in log.getvalue().splitlines()]
    assert lines == ["stopped early [at 3]", "fit: 0 s"]


def test_json_is_what_any_reader_accepts() -> None:
    value = {"a": np.float32(1.5), "b": [np.nan, np.inf], "c": np.arange(2), 4: (True, None, "é")}
    assert json.loads(to_json(value)) == {"a": 1.5, "b": [None, None], "c": [0, 1], "4": [True, None, "é"]}


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.txt"
    write_text(path, "first")

    def fails(partial: Path) -> None:
        partial.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_file(path, fails)
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]
