"""Demand where stock ran out, before anything else is known of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from mercato.forecasters.nuisance import _impute


@pytest.mark.parametrize("surprise", [-3.0, 0.0, 2.0, 4.9, 5.5, 5.99])
def test_missed_sales_are_the_mean_beyond_what_was_sold(surprise: float) -> None:
    sold, expected, spread = (torch.tensor([x]) for x in (1.0 + 0.5 * surprise, 1.0, 0.5))
    found = float(_impute(sold, torch.ones(1), expected, spread))
    mean = stats.truncnorm.mean(surprise, np.inf, loc=1.0, scale=0.5)
    assert found == pytest.approx(mean, rel=1e-4)


def test_a_shelf_that_sold_far_more_than_expected_missed_little() -> None:
    """Beyond what float32 tells from impossible: the estimate stays with the sales."""
    sold = torch.tensor([30.0])
    assert float(_impute(sold, torch.ones(1), torch.zeros(1), torch.ones(1))) == pytest.approx(30.0)


def test_where_stock_was_left_sales_are_demand() -> None:
    sold = torch.tensor([0.3])
    assert float(_impute(sold, torch.zeros(1), torch.ones(1), torch.ones(1))) == float(sold)
