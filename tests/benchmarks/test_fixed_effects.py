"""Absorbed effects against the same regression with a dummy variable for every effect."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.peers.dml import least_squares
from benchmarks.peers.fixed_effects import absorb


def unbalanced(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """y, x (N, 2), and two crossed effects, with a third of the cells missing."""
    rng = np.random.default_rng(seed)
    one, two = (part.ravel() for part in np.meshgrid(np.arange(12), np.arange(9)))
    keep = rng.random(len(one)) > 0.33
    one, two = one[keep], two[keep]
    x = rng.normal(size=(len(one), 2)) + rng.normal(size=12)[one, None]
    y = x @ [-2.0, 0.5] + rng.normal(size=12)[one] + rng.normal(size=9)[two] + rng.normal(size=len(one))
    return y, x, one, two


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slopes_equal_those_with_dummies(seed: int) -> None:
    y, x, one, two = unbalanced(seed)
    dummies = np.concatenate([x, np.eye(12)[one], np.eye(9)[two]], axis=1)
    expected = np.linalg.lstsq(dummies, y, rcond=None)[0][:2]
    inside = absorb(np.column_stack([y, x]), [one, two])
    slopes, _ = least_squares(inside[:, 1:], inside[:, 0], one)
    np.testing.assert_allclose(slopes, expected, atol=1e-6)


def test_nothing_is_left_of_the_effects() -> None:
    y, _, one, two = unbalanced(3)
    left = absorb(y[:, None], [one, two])[:, 0]
    for effect in (one, two):
        np.testing.assert_allclose(np.bincount(effect, weights=left), 0, atol=1e-6)


def test_clustering_sees_through_copied_rows() -> None:
    """Rows said ten times over add nothing where the copies are one cluster."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(200, 1)), rng.normal(size=200)
    _, once = least_squares(x, y, np.arange(200))
    _, often = least_squares(np.repeat(x, 10, 0), np.repeat(y, 10), np.repeat(np.arange(200), 10))
    np.testing.assert_allclose(often, once, rtol=1e-9)
