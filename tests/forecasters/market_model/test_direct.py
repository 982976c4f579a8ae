"""Direct regressions: what can be known is told, and what cannot is as wide as it is."""

from __future__ import annotations

import numpy as np
import pytest

from mercato.forecasters.market_model import (
    Linear,
    PriorSettings,
    Trees,
    build_features,
    draw,
    learn_direct,
    learning_origins,
)
from mercato.forecasters.market_model.direct import Regression

WAYS = [
    Linear(),
    pytest.param(Trees(count=50), marks=pytest.mark.skipif(not Trees.at_hand(), reason="trees")),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: type(way).__name__)
def test_deciles_are_in_order_and_hold_about_what_they_say(way: Regression) -> None:
    inside, rows = 0, 0
    for seed in range(3):
        panel = draw(np.random.default_rng([40, seed]), PriorSettings(6, 5, (110, 120), (110, 120)))
        fitted, origins = 90, learning_origins(90, 30, seed)
        features = build_features(panel, fitted, [*origins, fitted, fitted + 8])
        model = learn_direct(panel, features, origins, fitted, 8, way, seed)
        for origin in (fitted, fitted + 8):
            told = model.log_deciles(features, origin, 8)
            assert (np.diff(told, axis=-1) >= 0).all()
            scored = panel.scored[origin : origin + 8]
            came = np.log(np.nan_to_num(panel.units[origin : origin + 8]) + 0.5 * panel.grain)
            inside += int(((told[..., 0] <= came) & (came <= told[..., -1]) & scored).sum())
            rows += int(scored.sum())
    assert 0.6 < inside / rows < 0.92


def test_rows_that_are_drawn_depend_on_the_seed_alone() -> None:
    panel = draw(np.random.default_rng(3), PriorSettings(6, 5, (70, 80), (70, 80)))
    origins = learning_origins(60, 30, 0)
    assert origins == learning_origins(60, 30, 0) == sorted(set(origins))
    features = build_features(panel, 60, [*origins, 60])
    one, again = (learn_direct(panel, features, origins, 60, 4, Linear(), 0) for _ in range(2))
    np.testing.assert_array_equal(one.log_deciles(features, 60, 4), again.log_deciles(features, 60, 4))
