"""Shapley values: the axioms, a game that is known, and the numbers of another implementation."""

from __future__ import annotations

import warnings
from itertools import permutations

import numpy as np
import pytest

from mercato.forecasters.statistics import shapley

GROUPS = ("a", "b", "c", "idle")
DRAWN = np.random.default_rng(0).normal(size=(2, 2, 2, 3))  # a result of three numbers by a, b, c told or not


def worth(told: frozenset[str]) -> np.ndarray:
    return DRAWN[tuple(int(name in told) for name in "abc")]


def test_parts_sum_exactly_and_who_does_nothing_gets_nothing() -> None:
    for orders in (permutations(GROUPS), [GROUPS, GROUPS[::-1]]):
        found = shapley(worth, GROUPS, orders)
        np.testing.assert_allclose(sum(found.parts.values()), found.told - found.ordinary, atol=1e-12)
        assert not found.parts["idle"].any()
    np.testing.assert_array_equal(found.ordinary, DRAWN[0, 0, 0])
    np.testing.assert_array_equal(found.told, DRAWN[1, 1, 1])


def test_the_glove_game_is_shared_out_as_in_the_books() -> None:
    """Who has the only left glove gets two thirds of a pair, owners of a right one a sixth each."""

    def pair(told: frozenset[str]) -> np.ndarray:
        return np.array(float("left" in told and len(told) > 1))

    found = shapley(pair, ("left", "right", "other right"), permutations(("left", "right", "other right")))
    assert [float(part) for part in found.parts.values()] == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_every_set_is_asked_for_once() -> None:
    asked: list[frozenset[str]] = []
    shapley(lambda told: asked.append(told) or worth(told), GROUPS, permutations(GROUPS))  # type: ignore[func-returns-value]
    assert len(asked) == len(set(asked)) == 16


def test_shap_finds_the_same() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports
        shap = pytest.importorskip("shap")
    names = np.array(GROUPS)

    def function(told: np.ndarray) -> np.ndarray:
        return np.array([worth(frozenset(names[row > 0].tolist())) for row in told])

    theirs = shap.explainers.Exact(function, np.zeros((1, 4)))(np.ones((1, 4)))
    ours = shapley(worth, GROUPS, permutations(GROUPS))
    np.testing.assert_allclose(np.stack(list(ours.parts.values())), theirs.values[0], atol=1e-9)
    np.testing.assert_allclose(ours.ordinary, theirs.base_values[0], atol=1e-9)
