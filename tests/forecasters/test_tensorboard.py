"""Curves as TensorBoard itself reads them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mercato.forecasters.errors import InputError
from mercato.forecasters.market_model import AdaptationSettings, adapted, draw, shipped
from mercato.forecasters.progress import Silent
from mercato.forecasters.tensorboard import TensorBoard


def points(folder: Path, name: str) -> list[tuple[int, float]]:
    found = EventAccumulator(str(folder))
    found.Reload()
    return [(point.step, point.value) for point in found.Scalars(name)]


def test_a_stage_leaves_its_curves_and_says_all_else_to_whoever_listens(tmp_path: Path) -> None:
    class Listening(Silent):
        heard: tuple[object, ...] = ()

        def advance(self, n: int = 1) -> None:
            self.heard += (n,)

        def note(self, text: str) -> None:
            self.heard += (text,)

    listening = Listening()
    board = TensorBoard(tmp_path, listening)
    with board.stage("train the network", 2) as stage, board.stage("no curve", 2) as other:
        for step in (1, 2):
            stage.advance()
            stage.curve(step, {"loss": torch.tensor(1 / step), "learning rate": 0.5})
        other.note("done")
    assert [path.name for path in tmp_path.iterdir()] == ["train-the-network"]
    assert points(tmp_path / "train-the-network", "loss") == [(1, 1.0), (2, 0.5)]
    assert points(tmp_path / "train-the-network", "learning_rate") == [(1, 0.5), (2, 0.5)]
    assert listening.heard == (1, 1, "done")


def test_a_training_that_goes_on_carries_its_curve_on(tmp_path: Path) -> None:
    for steps in ((1, 2, 3), (3, 4)):  # interrupted after a step that it had not saved
        with TensorBoard(tmp_path).stage("train", 4) as stage:
            for step in steps:
                stage.curve(step, {"loss": step / len(steps)})
    assert points(tmp_path / "train", "loss") == [
        (1, pytest.approx(1 / 3)),
        (2, pytest.approx(2 / 3)),
        (3, 1.5),
        (4, 2),
    ]


def test_an_adaptation_has_a_curve(tmp_path: Path) -> None:
    from tests.forecasters.market_model.test_training import SMALL

    panel = draw(np.random.default_rng(1), SMALL)
    adapted(shipped(), panel, 30, 4, settings=AdaptationSettings(steps=3), progress=TensorBoard(tmp_path))
    assert [step for step, _ in points(tmp_path / "adapt-the-market-model", "loss")] == [1, 2, 3]


def test_a_file_in_the_way_and_a_missing_library_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="expected a folder or a new name"):
        TensorBoard(tmp_path / "file")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'mercato\[tensorboard\]'"):
        TensorBoard(tmp_path)
