"""The scores, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from mercato.forecasters.evaluation.metrics import DECILES, scores


def test_scores_by_hand() -> None:
    actual = np.array([10.0, 20.0])
    quantiles = np.tile(np.array([[12.0], [15.0]]), 9)  # two point forecasts
    found = scores(actual, quantiles)
    assert found["wape"] == pytest.approx(7 / 30)
    assert found["wpe"] == pytest.approx(-3 / 30)
    # a point forecast's pinball averages half the absolute error over symmetric levels, so WQL is WAPE
    assert found["wql"] == pytest.approx(7 / 30)
    assert found["coverage80"] == 0.0
    assert found["rows"] == 2


def test_coverage_counts_rows_between_the_outer_deciles() -> None:
    quantiles = np.tile(np.arange(1.0, 10.0), (4, 1))
    found = scores(np.array([0.5, 1.5, 8.5, 9.5]), quantiles, grain=0.01)
    assert found["coverage80"] == pytest.approx(0.5)


@pytest.mark.parametrize("grain", [1.0, 0.25])
@pytest.mark.parametrize("mean", [0.4, 3.0, 80.0])
def test_counts_that_follow_their_deciles_are_calibrated(mean: float, grain: float) -> None:
    counts = grain * np.random.default_rng(1).poisson(mean, 4000)
    levels = np.array(DECILES)
    right, high = (np.tile(grain * poisson.ppf(levels, by * mean), (4000, 1)) for by in (1.0, 1.5))
    found = scores(counts, right, grain)
    assert found["pit_distance"] < 0.06  # deciles alone leave half a tenth open, where all rows are alike
    assert found["coverage80"] == pytest.approx(0.8, abs=0.07)
    assert scores(counts, high, grain)["pit_distance"] > 0.1


def test_a_forecast_far_off_is_as_far_from_uniform_as_can_be() -> None:
    assert scores(np.full(40, 7.0), np.zeros((40, 9)))["pit_distance"] == pytest.approx(0.9)


def test_no_sales_no_score() -> None:
    assert np.isnan(scores(np.zeros(3), np.zeros((3, 9)))["wape"])
