"""Trunks of every kind: steps equal the scan, a saved market is what it was, and none adds nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from mercato.envs.engine.tree import where
from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.errors import InputError
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.model import DemandModel, FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.network.trunk import KINDS, TRUNKS, TrunkSettings
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.simulation.demand import Period
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.store import load_model, save_model
from mercato.forecasters.tensors.noise import NoiseKey


@pytest.mark.parametrize("kind", TRUNKS)
def test_steps_from_any_point_of_a_history_equal_the_scan_with_which_it_is_trained(kind: str) -> None:
    """Also where single markets begin again elsewhere on the way, and where items come and go."""
    torch.manual_seed(0)
    trunk = TRUNKS[kind](6, TrunkSettings(width=16, window=4, kind=kind)).eval()
    tokens, listed = torch.randn(1, 14, 4, 3, 6), torch.rand(1, 14, 4, 3) < 0.7
    distance, kept = torch.rand(4, 4), list[tuple[torch.Tensor, ...]]()
    trained = trunk(tokens, distance, None, listed).detach()  # with gradients: as a training step does it
    with torch.no_grad():
        torch.testing.assert_close(trunk(tokens, distance, kept, listed), trained, atol=1e-5, rtol=0)
        history = [tuple(part[0] for part in layer) for layer in kept]
        at = torch.tensor([3, 0, 5])
        memory = trunk.begin(history, at)
        for step in range(8):
            if step == 4:
                again = torch.tensor([False, True, True])
                at = torch.where(again, torch.tensor([0, 6, 0]), at)
                memory = where(again, trunk.begin(history, at), memory)
            hidden, memory = trunk.step(tokens[0, at], memory, distance, listed[0, at])
            torch.testing.assert_close(hidden, trained[0, at], atol=1e-5, rtol=0)
            at = at + 1


@pytest.mark.parametrize("kind", TRUNKS)
def test_a_trunk_reads_other_series_but_nothing_of_the_future(kind: str) -> None:
    torch.manual_seed(0)
    trunk = TRUNKS[kind](6, TrunkSettings(width=16, kind=kind)).eval()
    tokens = torch.randn(1, 8, 3, 2, 6, requires_grad=True)
    trunk(tokens)[0, 4, 0, 0, 0].backward()
    assert tokens.grad is not None
    felt = tokens.grad[0].abs().sum(-1)
    assert bool((felt[:5] > 0).all())
    assert float(felt[5:].max()) == 0


@pytest.fixture(scope="module")
def panel() -> SalesPanel:
    return read_panel(make_reference(seed=3, size=Size(locations=2, items=3, weeks=40))[0], roles=ROLES)


Fit = Callable[[str], DemandModel]


@pytest.fixture(scope="module")
def fitted(panel: SalesPanel) -> Fit:
    """A market by its kind of trunk, each fitted once; not to be changed."""

    @cache
    def fit(kind: str) -> DemandModel:
        trunk = TrunkSettings(width=8, blocks=1, window=8, kind=kind)
        return fit_demand(panel, FitSettings(trunk, TrainingSettings(steps=4, check_every=2)))

    return fit


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind == "lstm")) for kind in KINDS]
)
def test_a_saved_market_is_played_with_the_trunk_that_it_was_fitted_with(
    kind: str, panel: SalesPanel, fitted: Fit, tmp_path: Path
) -> None:
    model = copy.deepcopy(fitted(kind))
    if kind in TRUNKS:  # four steps leave the head near zero
        torch.nn.init.normal_(model.network.head.weight, std=0.3)  # type: ignore[union-attr, arg-type]
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again.settings.trunk.kind == kind
    key = NoiseKey(0, torch.zeros(1, dtype=torch.int64), torch.arange(1), torch.zeros(1, dtype=torch.int64))
    demands = [LearnedDemand.after(each, panel).with_elasticity("mean") for each in (model, again)]
    steps = []
    for demand in demands:
        state, history = demand.reset(torch.tensor([20]), key), demand.history
        for t in range(20, 26):
            units = history.demand[t][None]
            period = Period(history.log_price[t].exp()[None], units, units)
            state = demand.advance(state, period, key, history.promo[t][None])
        steps.append(state.log_base)
        torch.testing.assert_close(state.log_base, demand.reset(torch.tensor([26]), key).log_base)
    assert torch.equal(*steps)


def test_no_trunk_leaves_the_regressions_as_they_are(panel: SalesPanel, fitted: Fit) -> None:
    model = fitted("none")
    demand = LearnedDemand.after(model, panel)
    other = copy.deepcopy(fitted("gru"))
    torch.nn.init.zeros_(other.network.head.weight)  # type: ignore[union-attr, arg-type]
    torch.nn.init.zeros_(other.network.head.bias)  # type: ignore[union-attr, arg-type]
    silent = LearnedDemand.after(replace(other, base=model.base, response=model.response), panel)
    assert not list(model.network.parameters())
    for one, same in zip(demand.one_step(10, 40), silent.one_step(10, 40), strict=True):
        torch.testing.assert_close(one, same)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"kind": "tcn"}, "transformer, gru, lstm, none, found 'tcn'"), ({"width": 30}, "a multiple of 4")],
)
def test_a_trunk_that_there_is_not_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TrunkSettings(**change)  # type: ignore[arg-type]


def test_a_file_that_names_no_trunk_has_a_transformer(fitted: Fit, tmp_path: Path) -> None:
    save_model(fitted("transformer"), tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    del about["settings"]["trunk"]["kind"]
    (tmp_path / "model.json").write_text(json.dumps(about))
    assert load_model(tmp_path).settings.trunk.kind == "transformer"
