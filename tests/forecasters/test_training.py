"""Panels longer and shorter than the training loop would like them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.errors import InputError
from mercato.forecasters.fit import fit_demand, fit_trunk, identify
from mercato.forecasters.history import build_history
from mercato.forecasters.model import FitSettings
from mercato.forecasters.panel import read_panel
from mercato.forecasters.progress import Silent
from mercato.forecasters.training import TrainingSettings
from mercato.forecasters.trunk import TrunkSettings

SHORT = FitSettings(
    TrunkSettings(width=8, window=8), TrainingSettings(steps=4, check_every=2, periods=12), validation=10
)


def test_a_panel_longer_than_a_window_is_validated_on_its_last_periods() -> None:
    table, _ = make_reference(seed=11, size=Size(locations=3, items=3, weeks=80))
    panel = read_panel(table, roles=ROLES)
    history = build_history(panel)
    response, _, _ = identify(panel, history)
    units = history.units.clone()
    units[-SHORT.validation :] *= 50
    surprised = replace(history, units=units)
    for seed in range(3):
        *_, usual = fit_trunk(history, response, SHORT, seed)
        *_, surprise = fit_trunk(surprised, response, SHORT, seed)
        assert usual > 0
        assert surprise > usual + 1


def test_a_panel_too_short_to_learn_from_is_refused_and_the_shortest_is_fitted() -> None:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=2, weeks=60))
    panel = read_panel(table, roles=ROLES)
    with pytest.raises(InputError, match="at least 8 periods to learn from, found 7"):
        fit_demand(panel.window(0, 7), SHORT)
    own = fit_demand(panel.window(0, 8), SHORT).elasticities.own
    assert bool((own.isfinite() & (own < 0)).all())


class Interrupting(Silent):
    """Listens to the training, counts, and interrupts once ``after`` of its steps are done."""

    def __init__(self, after: int) -> None:
        self.after, self.done, self.notes = after, 0, list[str]()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Silent]:
        yield self if name == "the market's demand" else Silent()

    def advance(self, n: int = 1) -> None:
        self.done += n
        if self.done >= self.after:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_an_interrupted_training_goes_on_from_its_best_weights(tmp_path: Path) -> None:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=2, weeks=40))
    history = build_history(read_panel(table, roles=ROLES))
    response, _, _ = identify(read_panel(table, roles=ROLES), history)
    settings = replace(SHORT, training=replace(SHORT.training, steps=40, patience=40))
    file = tmp_path / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_trunk(history, response, settings, 0, Interrupting(20), file)
    kept = load_file(file)
    other = Interrupting(10_000)
    fit_trunk(history, response, settings, 1, other, file)  # another seed is another training
    assert not any("going on" in note for note in other.notes)
    save_again = tmp_path / "again.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_trunk(history, response, settings, 0, Interrupting(20), save_again)
    assert all(torch.equal(kept[name], value) for name, value in load_file(save_again).items())
    rest = Interrupting(10_000)
    fit_trunk(history, response, settings, 0, rest, save_again)
    assert "going on from step" in rest.notes[0]
    assert rest.done == settings.training.steps


def test_a_panel_that_memory_cannot_hold_is_refused_before_anything_is_allocated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=2, weeks=60))
    monkeypatch.setattr("mercato.forecasters.memory.available", lambda device: 300_000)
    with pytest.raises(InputError, match=r"4 series over 60 periods need about .* at most 2 fit"):
        fit_demand(read_panel(table, roles=ROLES), SHORT)
