"""Whatever a user can hand in is used, or refused in one line: a sample of the benchmark's inputs."""

from __future__ import annotations

import pytest

from benchmarks.odd import kills
from benchmarks.odd.verdict import ERROR, FAULTS, HUNG, REFUSED, TAKEN, WRONG, tried
from benchmarks.robustness import KINDS, run
from mercato.forecasters.errors import InputError


@pytest.mark.parametrize(
    ("kind", "count"), [("tables", 120), ("settings", 120), ("market folders", 25), ("policies", 25)]
)
def test_a_sample_of_odd_inputs_shows_no_fault(kind: str, count: int) -> None:
    found = run(kind, 50_000, count)
    assert found["faults"] == []
    assert found[REFUSED] > 0
    assert found[TAKEN] + found[REFUSED] == count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count"), [("tables", 1000), ("settings", 300), ("market folders", 200), ("policies", 100)]
)
def test_many_odd_inputs_show_no_fault(kind: str, count: int) -> None:
    assert run(kind, 60_000, count)["faults"] == []


def test_tables_and_settings_are_not_all_refused() -> None:
    for kind in ("tables", "settings"):
        assert run(kind, 70_000, 150)[TAKEN] > 4, kind
    assert set(KINDS) == {"tables", "settings", "market folders", "policies"}


@pytest.mark.slow
def test_a_kill_of_each_verb_shows_no_fault() -> None:
    asked = kills.pieces(80_000, 1)
    found = kills.counted(list(zip(asked, kills.tries(asked), strict=True)))
    assert {verb: (row["kills"], row["faults"]) for verb, row in found.items()} == {
        verb: (1, []) for verb in ("fit", "train", "run", "benchmark")
    }


def test_kills_are_counted_by_verb_and_fault() -> None:
    told = [(("fit", 1), {"moment": 0.5, "fault": ""}), (("fit", 2), {"moment": 0.1, "fault": kills.LEFT})]
    row = kills.counted(told)["fit"]
    assert (row["kills"], row[kills.LEFT], row[kills.HARMED]) == (2, 1, 0)
    assert [fault["seed"] for fault in row["faults"]] == [2]


def test_a_fault_is_called_what_it_is() -> None:
    def raises(error: Exception) -> None:
        raise error

    def waits() -> None:
        while True:
            pass

    assert tried(lambda: raises(InputError("units: expected numbers"))).outcome == REFUSED
    assert tried(lambda: raises(KeyError("units"))).outcome == ERROR
    assert tried(lambda: 1, lambda found: "one" if found == 1 else "").outcome == WRONG
    assert tried(lambda: 2).outcome == TAKEN
    assert tried(waits, seconds=1).outcome == HUNG
    assert {ERROR, WRONG, HUNG} == set(FAULTS)
