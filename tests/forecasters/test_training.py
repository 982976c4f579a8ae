"""Panels longer and shorter than the training loop would like them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.errors import InputError
from mercato.forecasters.history import build_history
from mercato.forecasters.model import FitSettings, fit_demand, fit_trunk, identify, price_response
from mercato.forecasters.panel import read_panel
from mercato.forecasters.training import TrainingSettings
from mercato.forecasters.trunk import TrunkSettings

SHORT = FitSettings(
    TrunkSettings(width=8, window=8), TrainingSettings(steps=4, check_every=2, periods=12), validation=10
)


def test_a_panel_longer_than_a_window_is_validated_on_its_last_periods() -> None:
    table, _ = make_reference(seed=11, size=Size(locations=3, items=3, weeks=80))
    panel = read_panel(table, roles=ROLES)
    history = build_history(panel)
    pivot, found, _ = identify(panel, history)
    response = price_response(history, pivot, found)
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
