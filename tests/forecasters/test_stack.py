"""Means of forecasts: weights that are weights, the better member counting more, the right width."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from mercato.forecasters.market_model import Stack

LEVELS = np.arange(1, 10) / 10


def members(rng: np.random.Generator, rows: int = 4000) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A good forecaster, a poor one, and what came."""
    mean = rng.uniform(50, 150, rows)
    came = mean + rng.normal(0, 10, rows)
    steps = 10 * norm.ppf(LEVELS)
    return {
        "good": (mean + rng.normal(0, 2, rows))[:, None] + steps,
        "poor": (mean + rng.normal(0, 40, rows))[:, None] + 4 * steps,
    }, came


def test_weights_are_weights_and_the_better_counts_more() -> None:
    told, came = members(np.random.default_rng(0))
    stack = Stack.learned(told, came)
    assert sum(stack.weights.values()) == pytest.approx(1)
    assert stack.weights["good"] > 0.9
    alike = Stack.learned({"one": told["good"], "other": told["good"] * 1.001}, came)
    assert alike.weights["one"] == pytest.approx(0.5, abs=0.05)


def test_deciles_that_are_too_narrow_are_widened() -> None:
    told, came = members(np.random.default_rng(1))
    middle = told["good"][:, 4:5]
    stack = Stack.learned({"narrow": middle + (told["good"] - middle) / 1.5}, came)
    assert stack.weights == {"narrow": 1.0}
    assert stack.spread == pytest.approx(1.5**0.5, abs=0.05)  # halfway


def test_deciles_never_cross_nor_fall_below_nothing() -> None:
    told, came = members(np.random.default_rng(2), 200)
    low = {name: values - 120 for name, values in told.items()}
    deciles = Stack.learned(low, np.maximum(came - 120, 0)).deciles(low)
    assert (np.diff(deciles, axis=-1) >= 0).all()
    assert (deciles >= 0).all()


def test_all_alike_where_nothing_is_known() -> None:
    stack = Stack.equal(["one", "two"])
    assert stack.weights == {"one": 0.5, "two": 0.5}
    both = {"one": np.full((1, 9), 2.0), "two": np.full((1, 9), 4.0)}
    np.testing.assert_array_equal(stack.deciles(both), np.full((1, 9), 3.0))
