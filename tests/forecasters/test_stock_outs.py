"""What sales say of demand where stock ran out for a part of the period."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mercato.forecasters.statistics.distributions import nb_log_prob
from mercato.forecasters.statistics.stock_outs import SHORTEST, StockOuts, expected_demand, unseen


def test_a_share_out_of_stock_leaves_the_rest_to_be_seen() -> None:
    found = StockOuts.of(torch.tensor([0.0, 0.25, 0.95, 1.0]))
    assert found.exposure.tolist() == pytest.approx([1.0, 0.75, SHORTEST, 1.0])
    assert found.bound.tolist() == [False, False, True, True]
    assert found.whole.tolist() == [True, False, False, False]
    assert not found.never
    assert StockOuts.of(torch.zeros(3)).never


@given(sold=st.integers(0, 40), mean=st.floats(0.2, 60), r=st.floats(1.0, 50), share=st.floats(SHORTEST, 1.0))
def test_the_unseen_are_the_posterior_mean_of_a_gamma_poisson(
    sold: int, mean: float, r: float, share: float
) -> None:
    rate = torch.linspace(1e-4, 150, 300_000, dtype=torch.float64)
    prior = (r - 1) * rate.log() - r * rate
    posterior = (prior + sold * rate.log() - share * mean * rate).softmax(0)
    expected = (1 - share) * mean * float((posterior * rate).sum())
    found = unseen(*(torch.tensor(float(x)) for x in (sold, mean, r, share)))
    assert float(found) == pytest.approx(expected, rel=0.02, abs=1e-3)


def test_the_stopped_and_the_thinned_have_one_likelihood_and_mean_demand_is_unbiased() -> None:
    rng = np.random.default_rng(3)
    mean, r, rows = 6.0, 4.0, 40_000
    rate = mean * rng.gamma(r, 1 / r, rows)
    demand, stock = rng.poisson(rate), rng.integers(1, 9, rows)
    out = demand >= stock  # the last unit leaves at the K-th of D uniform times
    share = np.where(out, rng.beta(stock, np.where(out, demand - stock + 1, 1)), 1.0)
    sales = torch.from_numpy(np.minimum(demand, stock)).float()
    seen = StockOuts.of(torch.from_numpy(1 - share).float())
    told = expected_demand(sales, torch.tensor(mean), torch.tensor(r).log(), seen)
    assert float(told.mean()) == pytest.approx(demand.mean(), rel=0.01)
    whole = ~seen.bound
    grid = torch.linspace(1.0, 2.6, 161)
    log_mean = grid.unsqueeze(1) + seen.exposure[whole].log()
    fit = nb_log_prob(sales[whole], log_mean, torch.tensor(r).log()).sum(1)
    late = nb_log_prob(sales[whole], grid.unsqueeze(1).expand_as(log_mean), torch.tensor(r).log()).sum(1)
    assert float(grid[fit.argmax()]) == pytest.approx(np.log(mean), abs=0.06)
    assert float(grid[late.argmax()]) < np.log(mean) - 0.25  # ignored, stock-outs pass for little demand
