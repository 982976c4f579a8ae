"""Panels longer and shorter than the training loop would like them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.errors import InputError
from mercato.forecasters.features.history import History, build_history
from mercato.forecasters.fit import fit_demand, identify, train_on
from mercato.forecasters.learning import prepare
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network import DemandNetwork
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.network.trunk import TrunkSettings
from mercato.forecasters.panel import read_panel
from mercato.forecasters.progress import SILENT, Progress, Silent
from mercato.forecasters.response import PriceResponse

SHORT = FitSettings(
    TrunkSettings(width=8, window=8), TrainingSettings(steps=4, check_every=2, periods=12), validation=10
)


def trained(
    history: History,
    response: PriceResponse,
    settings: FitSettings,
    seed: int,
    progress: Progress = SILENT,
    checkpoint: Path | None = None,
) -> tuple[DemandNetwork, float]:
    return train_on(prepare(history, response, settings, seed), settings, seed, progress, checkpoint)


def test_a_panel_longer_than_a_window_is_validated_on_its_last_periods() -> None:
    table, _ = make_reference(seed=11, size=Size(locations=3, items=3, weeks=80))
    panel = read_panel(table, roles=ROLES)
    history = build_history(panel)
    response, _, _ = identify(panel, history)
    units = history.units.clone()
    units[-SHORT.validation :] *= 50
    surprised = replace(history, units=units)
    for seed in range(3):
        _, usual = trained(history, response, SHORT, seed)
        _, surprise = trained(surprised, response, SHORT, seed)
        assert usual > 0
        assert surprise > usual + 1


def test_a_panel_too_short_to_learn_from_is_refused_and_the_shortest_is_fitted() -> None:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=2, weeks=60))
    panel = read_panel(table, roles=ROLES)
    with pytest.raises(InputError, match="at least 8 periods to learn from, found 7"):
        fit_demand(panel.window(0, 7), SHORT)
    own = fit_demand(panel.window(0, 8), SHORT).elasticities.own
    assert bool((own.isfinite() & (own < 0)).all())


def test_an_item_launched_after_the_last_period_of_a_window_spoils_nothing() -> None:
    """As a backtest meets it: it has no price and no sales yet, and those of the others are learned."""
    table, _ = make_reference(seed=11, size=Size(locations=2, items=3, weeks=60))
    late = (table["item"] == table["item"].max()) & (table["date"] < table["date"].sort_values().iloc[-24])
    panel = read_panel(table[~late], roles=ROLES)
    model = fit_demand(panel.window(0, 50), SHORT)
    assert bool(model.elasticities.own.isfinite().all())
    assert all(bool(value.isfinite().all()) for value in model.network.state_dict().values())
    assert math.isfinite(model.validation_loss)


class Interrupting(Silent):
    """Listens to the training, counts, and interrupts once ``after`` of its steps are done."""

    def __init__(self, after: int) -> None:
        self.after, self.done, self.notes = after, 0, list[str]()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Silent]:
        yield self if name == "train the demand network" else Silent()

    def advance(self, n: int = 1) -> None:
        self.done += n
        if self.done >= self.after:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


_SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "moments", [(1,), (21, 33), *(pytest.param(one, marks=_SLOW) for one in ((3,), (20,), (39,)))]
)
def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path: Path, moments: tuple[int, ...]) -> None:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=2, weeks=40))
    panel = read_panel(table, roles=ROLES)
    history = build_history(panel)
    response, _, _ = identify(panel, history)
    settings = replace(SHORT, training=replace(SHORT.training, steps=40, patience=40))
    file = tmp_path / "training.safetensors"
    whole, best = trained(history, response, settings, 0)
    for after in moments:
        with pytest.raises(KeyboardInterrupt):
            trained(history, response, settings, 0, Interrupting(after), file)
    torch.rand(3)  # what happens in between, and in another process, is no matter
    rest = Interrupting(10_000)
    resumed, found = trained(history, response, settings, 0, rest, file)
    assert ("going on from step" in rest.notes[0]) == (moments != (1,))
    assert rest.done == settings.training.steps
    assert found == best
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_what_another_training_left_is_no_matter(tmp_path: Path) -> None:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=2, weeks=40))
    panel = read_panel(table, roles=ROLES)
    history = build_history(panel)
    response, _, _ = identify(panel, history)
    file = tmp_path / "training.safetensors"
    settings = replace(SHORT, training=replace(SHORT.training, steps=20))
    trained(history, response, settings, 0, checkpoint=file)
    other = Interrupting(10_000)
    left, found = trained(history, response, settings, 1, other, file)
    alone, expected = trained(history, response, settings, 1)
    assert not any("going on" in note for note in other.notes)
    assert found == expected
    assert all(torch.equal(left.state_dict()[k], v) for k, v in alone.state_dict().items())


def test_a_panel_that_memory_cannot_hold_is_refused_before_anything_is_allocated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=2, weeks=60))
    monkeypatch.setattr("mercato.forecasters.tensors.machine_memory.available", lambda device: 300_000)
    with pytest.raises(InputError, match=r"4 series over 60 periods need about .* at most 2 fit"):
        fit_demand(read_panel(table, roles=ROLES), SHORT)
