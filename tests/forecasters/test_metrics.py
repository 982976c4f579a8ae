"""The scores, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mercato.forecasters.evaluation.metrics import scores


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
    assert scores(np.array([0.5, 1.0, 9.0, 9.5]), quantiles)["coverage80"] == 0.5


def test_no_sales_no_score() -> None:
    assert np.isnan(scores(np.zeros(3), np.zeros((3, 9)))["wape"])
