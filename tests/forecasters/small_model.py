"""A small panel of known truth and a briefly trained model of it, shared by the tests of the demand model."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.envs.structural.truth import Truth
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.model import DemandModel, FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.network.trunk import TrunkSettings
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.store import load_model, save_model
from tests.once import once

QUICK = FitSettings(TrunkSettings(width=16, window=8), TrainingSettings(steps=30, check_every=10))


@dataclass(frozen=True)
class Fitted:
    panel: SalesPanel
    truth: Truth
    model: DemandModel
    demand: LearnedDemand


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    table, truth = make_reference(seed=7, size=Size(locations=8, items=4, weeks=120))
    panel = read_panel(table, roles=ROLES)
    saved = once(
        tmp_path_factory, "fitted", lambda folder: save_model(fit_demand(panel, QUICK, seed=0), folder)
    )
    model = load_model(saved)
    return Fitted(panel, truth, model, LearnedDemand.after(model, panel))
