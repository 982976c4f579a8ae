"""A search of settings: resumable, reproducible, and slow to leave the default."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.errors import InputError
from mercato.forecasters.features.history import build_history
from mercato.forecasters.fit import identify
from mercato.forecasters.learning import Ground, prepare
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network import TrainingSettings, TrunkSettings
from mercato.forecasters.panel import read_panel
from mercato.forecasters.progress import Silent
from mercato.forecasters.tuning import Tuning

SHORT = FitSettings(TrunkSettings(width=8, window=8), TrainingSettings(steps=4, check_every=2, periods=12))


@pytest.fixture(scope="module")
def ground() -> Ground:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=2, weeks=40))
    panel = read_panel(table, roles=ROLES)
    history = build_history(panel)
    return prepare(history, identify(panel, history)[0], SHORT, 0)


class Hearing(Silent):
    """Interrupts after so many trials; keeps what is said and drawn."""

    def __init__(self, most: int = 100) -> None:
        self.most, self.notes, self.points = most, list[str](), dict[int, float]()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Hearing]:
        yield self

    def note(self, text: str) -> None:
        self.notes.append(text)

    def curve(self, step: int, values: dict[str, float]) -> None:  # type: ignore[override]
        self.points[step] = values["validation loss"]
        if len(self.points) == self.most:
            raise KeyboardInterrupt


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[FitSettings]:
    """Trainings that take no time: what they lose depends on the learning rate and the period alone."""
    trained: list[FitSettings] = []

    def train(self: Ground, settings: FitSettings, *_: object) -> tuple[FitSettings, float]:
        trained.append(settings)
        return settings, 0.0

    def losses(self: Ground, network: FitSettings, *_: object) -> torch.Tensor:
        far = abs(torch.tensor(network.training.learning_rate / 7e-4).log())
        return 3.0 + 0.2 * far + 0.01 * torch.arange(8.0) * far.sin()

    monkeypatch.setattr(Ground, "train", train)
    monkeypatch.setattr(Ground, "losses", losses)
    return trained


def test_the_default_is_tried_first_and_stays_where_none_is_better(
    ground: Ground, pretended: list[FitSettings]
) -> None:
    hearing = Hearing()
    assert Tuning(6).choose(ground, SHORT, 0, hearing) == SHORT
    assert pretended[0] == SHORT
    assert len(set(pretended)) == 6
    assert "6 trials; validation loss 3.0000 with the default settings, lower with none" in hearing.notes


def test_what_is_better_in_every_period_is_taken(ground: Ground, pretended: list[FitSettings]) -> None:
    poor, hearing = replace(SHORT, training=replace(SHORT.training, learning_rate=5e-2)), Hearing()
    found = Tuning(12).choose(ground, poor, 0, hearing)
    assert abs(torch.tensor(found.training.learning_rate / 7e-4).log()) < 1
    assert "which are taken" in hearing.notes[-1]
    assert found.trunk.heads == SHORT.trunk.heads


def test_what_is_better_in_some_periods_only_is_not(
    ground: Ground, pretended: list[FitSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best of many trials is better by luck: here by 0.1, give or take 0.5 a period."""
    swing = torch.tensor([0.5, -0.5] * 4)

    def losses(self: Ground, network: FitSettings, *_: object) -> torch.Tensor:
        return torch.full((8,), 3.0) if network == SHORT else 2.9 + swing

    monkeypatch.setattr(Ground, "losses", losses)
    hearing = Hearing()
    assert Tuning(4).choose(ground, SHORT, 0, hearing) == SHORT
    assert "within chance, the default stays" in hearing.notes[-1]


@pytest.mark.slow
def test_an_interrupted_search_ends_as_one_that_was_not(
    ground: Ground, pretended: list[FitSettings], tmp_path: Path
) -> None:
    whole = Hearing()
    Tuning(14, tmp_path / "whole.sqlite3").choose(ground, SHORT, 0, whole)
    for most in (1, 5):
        with pytest.raises(KeyboardInterrupt):
            Tuning(14, tmp_path / "parts.sqlite3").choose(ground, SHORT, 0, Hearing(most))
    rest = Hearing()
    Tuning(14, tmp_path / "parts.sqlite3").choose(ground, SHORT, 0, rest)
    assert min(rest.points) == 6
    assert rest.points == {step: value for step, value in whole.points.items() if step >= 6}
    assert rest.notes == whole.notes
    done = len(pretended)
    Tuning(14, tmp_path / "parts.sqlite3").choose(ground, SHORT, 0)
    assert len(pretended) == done  # all is known
    Tuning(2, tmp_path / "parts.sqlite3").choose(ground, SHORT, 1)
    assert len(pretended) == done + 2  # another seed is another search


def test_real_trainings_are_scored_by_period(ground: Ground) -> None:
    network, best = ground.train(SHORT, 0, Silent())
    losses = ground.losses(network, SHORT, 0)
    assert losses.shape == (int(ground.valid.sum()),)
    assert float(losses.mean()) == pytest.approx(best, rel=0.02)  # all rows are known: a mean of means


def test_wrong_use_is_one_line(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="tune: expected"):
        Tuning(0)
    (tmp_path / "no.sqlite3").write_text("nothing of the kind" * 99)
    with pytest.raises(InputError, match="expected trials of `mercato fit --tune`"):
        Tuning(1, tmp_path / "no.sqlite3").choose(ground, SHORT)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'mercato\[tune\]'"):
        Tuning(1)
