"""The benchmark of any table: what it keeps, what it prints, and the panels that it draws."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import any_table
from benchmarks.any_table import collect, measure, pieces
from benchmarks.tables.assortments import FAMILY, FULL, compared
from benchmarks.tables.generator import Shape, closures, draw
from benchmarks.tables.levels import deviations, play
from benchmarks.tables.piece import DONE, FAILED, SKIPPED, Plan, within
from benchmarks.tables.report import table
from benchmarks.tables.running import mercato, run
from benchmarks.tables.sizes import exponent
from benchmarks.tables.store import Store
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.panel import read_panel
from mercato.forecasters.simulation.learned import LearnedDemand

PLAN = Plan(quick=True, shared=Path("/nowhere"))


def result(outcome: str = DONE, why: str = "", value: str = "3") -> dict[str, Any]:
    figure = {"name": "items", "value": value, "must_reach": "≤ 4", "reached": True}
    figures = [figure] if outcome == DONE else []
    return {"outcome": outcome, "why": why, "figures": figures, "detail": {}, "seconds": 1.5, "peak": 0.25}


def test_every_piece_can_be_found() -> None:
    assert set(pieces(quick=True)) < set(pieces(quick=False))
    for name in pieces(quick=False):
        section, _, part = name.partition(": ")
        assert callable(any_table.SECTIONS[section][0](part))


@pytest.mark.parametrize(("again", "measured"), [(False, ["b", "c"]), (True, ["a", "b", "c"])])
def test_pieces_that_are_done_are_not_measured_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, again: bool, measured: list[str]
) -> None:
    asked: list[str] = []

    def apart(name: str, plan: Plan) -> dict[str, Any]:
        asked.append(name)
        return result(value=f"{name} anew")

    monkeypatch.setattr(any_table, "apart", apart)
    store = Store(tmp_path / "results" / "any_table.json")
    store.keep("a", result(value="a of old"))
    store.keep("b", result(FAILED, "ended by SIGKILL"))
    found = collect(["a", "b", "c"], Plan(False, Path()), store, again)
    assert asked == measured
    assert list(found) == ["a", "b", "c"]
    assert found["a"]["figures"][0]["value"] == ("a anew" if again else "a of old")
    assert set(store.done()) == {"a", "b", "c"}
    assert {"commit", "machine", "versions", "date"} <= store.all()["c"].keys()


def test_a_run_of_some_pieces_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "any_table.json"
    Store(path).keep("a", result())
    Store(path).keep("b", result())
    assert set(Store(path).all()) == {"a", "b"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["any_table.json"]
    assert set(json.loads(path.read_text())) == {"pieces"}


def test_the_table_has_a_row_a_figure_and_says_why_one_is_missing() -> None:
    rows = table(
        {
            "sizes: small": result(),
            "sizes: large": result(FAILED, "took more than 12.0 GB"),
            "levels: x": result(SKIPPED, "x | y is not there"),
        }
    ).splitlines()
    assert rows[2] == "| sizes: small | items | 3 | ≤ 4 | yes | 2 | 0.2 |  |"
    assert rows[3] == "| sizes: large |  | failed: took more than 12.0 GB |  |  | 2 | 0.2 |  |"
    assert rows[4] == r"| levels: x |  | skipped: x \| y is not there |  |  | 2 | 0.2 |  |"
    assert len(rows) == 5


def test_a_panel_that_is_not_there_is_skipped_with_its_reason() -> None:
    found = measure("levels: FreshRetailNet, no hours", PLAN)
    assert found["outcome"] == SKIPPED
    assert "is not there (--shared names the folder)" in found["why"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("print('well')", ""),
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("import os; os._exit(3)", "exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
    ],
)
def test_what_became_of_a_process_is_one_line(code: str, why: str) -> None:
    ran = run([sys.executable, "-c", code])
    assert ran.why == why
    assert ran.well == (why == "")
    assert ran.out == ("well\n" if not why else "")


def test_a_process_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    child = f"import time; time.sleep(3); open({str(tmp_path / 'late')!r}, 'w')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    ran = run([sys.executable, "-c", parent], limit=1.0)
    assert ran.why == "took more time than it was given"
    assert ran.status == -signal.SIGKILL
    assert ran.seconds < 3
    time.sleep(max(0.0, 4.5 - ran.seconds))
    assert not (tmp_path / "late").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="memory of others is seen on Linux")
def test_a_process_that_takes_too_much_memory_is_ended() -> None:
    hungry = "import time; kept = bytearray(400_000_000); time.sleep(60)"
    ran = run([sys.executable, "-c", hungry], memory=0.3)
    assert ran.why == "took more than 0.3 GB"
    assert ran.peak > 0.3
    inside = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hungry!r}])"
    assert run([sys.executable, "-c", inside], memory=0.3).why == "took more than 0.3 GB"


def test_the_command_line_s_error_is_what_is_told() -> None:
    assert mercato("report", "nowhere").why.startswith("error: nowhere")


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.2])
def test_the_exponent_of_a_power_law_is_its_own(slope: float) -> None:
    sizes = [1000, 2000, 4000]
    assert exponent(sizes, [3e-4 * size**slope for size in sizes]) == pytest.approx(slope)


def test_a_figure_is_reached_up_to_its_bound() -> None:
    assert within("x", 1.15, 1.15).reached
    assert not within("x", 1.16, 1.15).reached
    assert within("x", 2.0, 3, " GB").must_reach == "≤ 3 GB"


@pytest.mark.parametrize(
    ("part", "full", "reached"),
    [([0.10, 0.12], [0.08, 0.11], True), ([0.20, 0.22], [0.08, 0.11], False), ([0.2], [0.1], None)],
)
def test_a_partial_assortment_may_be_worse_by_the_spread(
    part: Sequence[float], full: Sequence[float], reached: bool | None
) -> None:
    assert compared("item_mae", {FAMILY: part, FULL: full}).reached is reached


def test_deviations_of_what_sells_nothing() -> None:
    found = deviations(np.array([1.1, 0.0, 2.0]), np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(found, [0.1, 0, np.inf])


def test_a_drawn_panel_is_read_without_complaint() -> None:
    drawn = draw(Shape(4, 7, 30, "W"), seed=3)
    panel = read_panel(drawn.frame())
    assert (len(panel.locations), len(panel.items), panel.periods, panel.frequency) == (4, 7, 30, "W")
    assert set(panel.categories) == {"c0000", "c0001"}
    np.testing.assert_array_equal(panel.dense(panel.units), drawn.sales)
    np.testing.assert_allclose(panel.dense(panel.censored), drawn.censored, atol=1e-4)
    assert {c.name: c.role for c in panel.covariates} == {"promo": "decision"}
    assert not [note for note in panel.report.notes if "single price" in note]


def test_drawn_demand_has_the_mean_and_variance_that_are_told() -> None:
    drawn = draw(Shape(30, 12, 200), seed=0)
    ratio = drawn.demand.sum() / drawn.mean.sum()
    assert ratio == pytest.approx(1, abs=0.005)
    spread = ((drawn.demand - drawn.mean) ** 2).sum() / (drawn.mean + 0.15 * drawn.mean**2).sum()
    assert spread == pytest.approx(1, abs=0.05)


def test_drawn_prices_mislead_who_takes_them_for_chance() -> None:
    drawn = draw(Shape(30, 6, 150), seed=1)
    price, log_units = np.log(drawn.price), np.log(drawn.mean)
    within_item = [
        np.polyfit((price[..., i] - price[..., i].mean(0)).ravel(), y.ravel(), 1)[0]
        for i, y in enumerate(np.moveaxis(log_units - log_units.mean(0), -1, 0))
    ]
    assert np.mean(within_item - drawn.own) > 0.3


def test_shelves_run_empty_and_closures_thin() -> None:
    shelf = draw(Shape(20, 6, 100), seed=0)
    out = shelf.censored > 0
    assert 0.02 < out.mean() < 0.3
    assert (shelf.sales[~out] == shelf.demand[~out]).all()
    assert (shelf.sales[out] < shelf.demand[out]).all()
    closed = draw(Shape(20, 6, 100), seed=0, stock_outs=closures(often=0.4, whole=0.05))
    np.testing.assert_array_equal(closed.demand, shelf.demand)
    assert (closed.sales[closed.censored == 1] == 0).all()
    assert (closed.censored == 1).mean() == pytest.approx(0.05, abs=0.01)
    part = (closed.censored > 0) & (closed.censored < 1)
    seen = (closed.mean * (1 - closed.censored))[part].sum()
    assert closed.sales[part].sum() / seen == pytest.approx(1, abs=0.02)


def test_a_panel_of_one_category_s_single_items_has_no_cross_effects() -> None:
    drawn = draw(Shape(3, 1, 40), seed=0)
    assert np.isfinite(drawn.mean).all()


@pytest.mark.slow
def test_a_market_left_to_itself_is_compared_with_what_was_seen_of_it() -> None:
    panel = read_panel(draw(Shape(4, 3, 60), seed=2, stock_outs=closures(0.3, 0.0)).frame())
    model = fit_demand(panel, FitSettings(training=TrainingSettings(steps=8)))
    demand = LearnedDemand.after(model, panel)
    levels = play(demand, periods=70, paths=2, seed=0)
    start = min(model.settings.trunk.window, panel.periods // 2)
    rows = start + np.arange(70) % (panel.periods - start)
    bound = demand.history.stock_outs.bound.numpy()[rows]
    wanted = demand.history.demand.numpy()[rows]
    sold = panel.dense(panel.units)[rows]
    np.testing.assert_allclose(levels.real, np.where(bound, wanted, sold).sum(0), rtol=1e-5)
    assert levels.broken == 0
    again = play(demand, periods=70, paths=2, seed=0)
    np.testing.assert_array_equal(levels.simulated, again.simulated)
    assert torch.get_default_dtype() == torch.float32
