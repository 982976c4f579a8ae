"""The table of trunks: every kind is in it, and costs are over today's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import trunks
from benchmarks.tables.piece import Plan
from mercato.forecasters.network.trunk import KINDS, TrunkSettings

QUICK = Plan(quick=True, shared=Path("nowhere"))


def test_every_kind_is_compared_in_every_size_and_once_without_a_network() -> None:
    whole = trunks.trunks(Plan(quick=False, shared=Path("nowhere")))
    assert {settings.kind for settings in whole.values()} == set(KINDS)
    assert len(whole) == 1 + (len(KINDS) - 1) * len(trunks.SIZES)
    assert {settings.kind for settings in trunks.trunks(QUICK).values()} == set(KINDS)


def test_costs_are_over_that_of_todays_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunks, "_QUICK_SERIES", 1)
    today = TrunkSettings()
    found = trunks.costs({"none": replace(today, kind="none"), "transformer, 44 thousand": today}, QUICK)
    assert found["transformer, 44 thousand"]["ratio"] == 1
    assert found["none"]["seconds"] > 0


def test_a_panel_that_is_not_there_is_said_to_be_skipped() -> None:
    cost, why = {"seconds": 2e-6, "ratio": 0.5}, "it is not there"
    panels = {
        "zone-season": {"weights": 7, "seconds": 3.0, "loss": 2.5, "wql": 0.25},
        "orange-juice": {"skipped": why},
    }
    shown = trunks.table([{"trunk": "gru", "cost": cost, "panels": panels}])
    assert "| gru | 7 | 2.00 µs, 0.50 × | 2.5000, 0.2500, 3 s | it is not there |" in shown
