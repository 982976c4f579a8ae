"""The studies of real data, on small panels made for the purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.orange.censoring import censor
from benchmarks.orange.policy_shift import (
    Scored,
    compare,
    held_out_weeks,
    unusualness,
    without,
)
from benchmarks.peers.unidentified import naive_response
from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.features.history import build_history
from mercato.forecasters.panel import SalesPanel, read_panel


@pytest.fixture(scope="module")
def panel() -> SalesPanel:
    table, _ = make_reference(105, Size(locations=8, items=3, weeks=90))
    return read_panel(table, roles=ROLES)


def test_a_price_out_of_line_is_the_most_unusual(panel: SalesPanel) -> None:
    price = panel.price.copy()
    price[50, 4] *= 1.5
    far = unusualness(replace(panel, price=price))
    place, good = panel.series[4]
    assert np.unravel_index(np.nanargmax(far[..., good]), far.shape[:2]) == (50, place)


def test_every_week_is_held_out_once_and_never_fitted_on(panel: SalesPanel) -> None:
    splits = held_out_weeks(90)
    np.testing.assert_array_equal(np.sort(np.concatenate(splits["blocks"])), np.arange(90))
    unusual = np.zeros((90, 8, 3), dtype=bool)
    unusual[5, 2, 1] = True
    for weeks in (w for folds in splits.values() for w in folds):
        fitted = without(panel, unusual, weeks)
        assert np.isfinite(fitted.units[-1]).any()
        assert np.isnan(fitted.units[weeks[weeks < fitted.periods]]).all()
        assert not build_history(fitted).known[5, 2, 1]
    assert without(panel, unusual, splits["last third"][0]).periods == 60


def test_naive_elasticities_are_those_of_least_squares() -> None:
    """Sales that follow from prices and promotion exactly are answered exactly."""
    table, _ = make_reference(106, Size(locations=4, items=2, weeks=40))
    history = build_history(read_panel(table, roles=ROLES))
    own, cross = np.array([-2.0, -1.2]), np.array([[0.0, 0.4], [0.1, 0.0]])
    price = history.log_price.double()
    logs = 3 + price.numpy() * own + price.numpy() @ cross.T + 0.5 * history.promo[..., 0].double().numpy()
    exact = replace(history, units=torch.from_numpy(np.exp(logs) - 0.5).float())
    found = naive_response(exact)
    np.testing.assert_allclose(found[0].numpy(), own, atol=1e-3)
    np.testing.assert_allclose(found[1].numpy(), cross, atol=1e-3)
    np.testing.assert_allclose(found[2].numpy(), 0.5, atol=1e-3)


def test_differences_are_those_of_the_scores(panel: SalesPanel) -> None:
    history = build_history(panel)
    units = history.units.numpy()[:, :, :, None]
    weeks = np.arange(10, 20)
    deciles = {"good": np.repeat(units[weeks], 9, -1), "bad": np.repeat(units[weeks] * 0, 9, -1)}
    mask = np.zeros(units.shape[:3], dtype=bool)
    mask[weeks, 2:4] = True
    found = compare(history, [Scored(weeks, deciles)], {"unusual": mask})
    gap = found["bad"]["unusual"]["wql"] - found["good"]["unusual"]["wql"]
    middle, low, high = found["differences"]["unusual"]["bad"]
    assert found["good"]["unusual"]["wql"] == pytest.approx(0)
    assert middle == pytest.approx(gap)
    assert low <= middle <= high


def test_censoring_shows_the_shelf_in_place_of_demand(panel: SalesPanel) -> None:
    clean = replace(panel, censored=np.zeros_like(panel.censored))
    cut = censor(clean, share=0.2, seed=1)
    empty = cut.censored > 0
    assert empty.mean() == pytest.approx(0.2, abs=0.03)
    assert (cut.units[empty] < clean.units[empty]).all()
    np.testing.assert_array_equal(cut.units[~empty], clean.units[~empty])
    assert (cut.units == np.floor(cut.units)).all()
