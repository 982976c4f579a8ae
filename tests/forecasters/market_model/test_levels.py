"""How large a series is that was never seen, and rows that are wrong."""

from __future__ import annotations

import numpy as np

from mercato.forecasters.market_model.levels import levels, tamed


def test_a_new_location_has_the_level_that_its_attributes_tell() -> None:
    rng = np.random.default_rng(0)
    attributes = rng.normal(size=(30, 3))
    of_place, of_item = attributes @ [0.5, -0.3, 0.0], np.array([2.0, 4.0, 1.0])
    whole = of_place[:, None] + of_item + rng.normal(0, 0.05, (40, 30, 3))
    seen = whole.copy()
    seen[:, 0] = np.nan
    told, plain = levels(seen, attributes), levels(seen, np.zeros((30, 0)))
    true = whole.mean(0)
    np.testing.assert_allclose(told[0], true[0], atol=0.1)
    assert np.abs(plain[0] - true[0]).mean() > 3 * np.abs(told[0] - true[0]).mean()
    np.testing.assert_allclose(told[1:], true[1:])  # what was seen is believed


def test_attributes_that_tell_nothing_are_not_believed() -> None:
    rng = np.random.default_rng(1)
    seen = rng.normal(size=(1, 40, 1)) + np.zeros((10, 40, 4))
    seen[:, 0] = np.nan
    told = levels(seen, rng.normal(size=(40, 8)))
    assert np.abs(told[0] - np.nanmean(seen)).max() < 0.5


def test_an_item_new_at_a_location_has_the_location_in_its_level() -> None:
    seen = np.broadcast_to(np.array([0.0, 1.0])[:, None] + np.array([3.0, 5.0, 4.0]), (20, 2, 3)).copy()
    seen[:, 1, 2] = np.nan
    assert 4.3 < levels(seen, np.zeros((2, 0)))[1, 2] < 5.0


def test_a_row_that_is_wrong_is_brought_near_and_a_promotion_stays() -> None:
    rng = np.random.default_rng(2)
    expected = np.zeros((60, 4, 2))
    expected[30] = 3.0  # a promotion, twenty times what is usual, known ahead
    demand = expected + rng.normal(0, 0.3, expected.shape)
    wrong = demand.copy()
    wrong[10, 1, 0] = np.log(20_000)
    calm = tamed(wrong, expected, 60)
    assert calm[10, 1, 0] < 3.5
    others = np.ones(demand.shape, bool)
    others[10, 1, 0] = False
    np.testing.assert_array_equal(calm[others], demand[others])
