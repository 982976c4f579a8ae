"""Peers of a backtest: scored on the same rows, left out with a word where a library is missing."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.evaluation import run_backtest, with_peers
from mercato.forecasters.evaluation.peers import AUTO_ETS, LIGHTGBM, auto_ets, tuned_lightgbm
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network import TrainingSettings
from mercato.forecasters.panel import SalesPanel, read_panel


@pytest.fixture(scope="module")
def panel() -> SalesPanel:
    frame, _ = FAMILIES["log-linear"].make(11, Size(3, 2, 60))
    return read_panel(frame, roles=ROLES)


@pytest.mark.skipif(find_spec("lightgbm") is None, reason="needs LightGBM")
def test_tuned_trees_read_nothing_from_the_window_but_what_is_known(panel: SalesPanel) -> None:
    from dataclasses import replace

    told = tuned_lightgbm(panel, [52], 4, 0)
    units = panel.units.copy()
    units[52:] *= 7
    np.testing.assert_array_equal(told, tuned_lightgbm(replace(panel, units=units), [52], 4, 0))
    assert told.shape == (4, len(panel.series), 9)
    assert (np.diff(told, axis=-1) >= 0).all()


@pytest.mark.skipif(find_spec("statsforecast") is None, reason="needs statsforecast")
def test_exponential_smoothing_is_near_a_constant_series(panel: SalesPanel) -> None:
    told = auto_ets(panel, 52, 4)
    assert told.shape == (4, len(panel.series), 9)
    assert (np.diff(told, axis=-1) >= 0).all()


def test_a_peer_without_its_library_is_left_out_with_a_word(
    panel: SalesPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = FitSettings(training=TrainingSettings(steps=2))
    found = run_backtest(panel, 2, 1, settings=brief)
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] in ("lightgbm", "statsforecast"):
            raise ImportError(name)
        return load(name, *rest)

    class Notes:
        def __init__(self) -> None:
            self.said: list[str] = []

        @contextmanager
        def stage(self, name: str, total: int | None = None) -> Iterator[Notes]:
            yield self

        def advance(self, by: int = 1) -> None: ...

        def note(self, text: str) -> None:
            self.said.append(text)

        def curve(self, step: int, values: Any) -> None: ...

    monkeypatch.setattr(builtins, "__import__", without)
    notes = Notes()
    again = with_peers(found, panel, 2, 1, progress=notes)
    assert again.models == found.models
    assert [LIGHTGBM in notes.said[0], AUTO_ETS in notes.said[1]] == [True, True]
