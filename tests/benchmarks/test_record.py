"""Benchmarks that were cut off go on where they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import record
from benchmarks.record import resumed, with_earlier, write_result


def test_pieces_that_were_measured_are_not_measured_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(record, "_commit", lambda: "abc1234")
    asked: list[int] = []

    def measure(pieces: list[int]) -> Iterator[int]:
        for piece in pieces:
            asked.append(piece)
            yield 10 * piece

    cut_off = resumed("squares", [1, 2, 3], measure, tmp_path)
    assert next(cut_off) == (1, 10)
    assert list(resumed("squares", [1, 2, 3], measure, tmp_path)) == [(1, 10), (2, 20), (3, 30)]
    assert asked == [1, 2, 3]


def test_a_changed_tree_is_measured_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(record, "_commit", lambda: "abc1234+")
    for _ in range(2):
        assert list(resumed("one", [1], lambda pieces: iter([len(pieces)]), tmp_path)) == [(1, 1)]
    assert not list(tmp_path.iterdir())


def test_a_table_measured_in_parts_keeps_its_earlier_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    for commit, rows in (("a", [(1, 10), (2, 20)]), ("b", [(2, 21), (3, 30)])):
        monkeypatch.setattr(record, "_commit", lambda commit=commit: commit)
        new = [{"seed": seed, "found": found} for seed, found in rows]
        every = with_earlier("shops", new, by=("seed",))
        write_result("shops", {"rows": every})
    assert [(row["seed"], row["found"], row["commit"]) for row in every] == [
        (1, 10, "a"),
        (2, 21, "b"),
        (3, 30, "b"),
    ]
