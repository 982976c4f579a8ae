"""The negative binomial against scipy, and the promises that sampling makes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as st
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from mercato.forecasters.statistics.distributions import (
    nb_log_cdf,
    nb_log_prob,
    nb_log_survival,
    nb_mean_above,
    nb_mixture_cdf,
    nb_sample,
    nb_survival_score,
    poisson_quantile,
    row_log_likelihood,
)

COUNTS = torch.tensor([0.0, 1.0, 3.0, 10.0, 50.0, 200.0, 1000.0], dtype=torch.float64)


def log(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64).log()


@pytest.mark.parametrize("mean", [0.3, 5.0, 120.0, 900.0])
@pytest.mark.parametrize("r", [0.2, 3.0, 30.0])
def test_probabilities_equal_scipys(mean: float, r: float) -> None:
    reference = st.nbinom(r, r / (r + mean))
    n = COUNTS.numpy()
    found = nb_log_prob(COUNTS, log(mean), log(r)), nb_log_cdf(COUNTS, log(mean), log(r))
    np.testing.assert_allclose(found[0], reference.logpmf(n), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[1], reference.logcdf(n), rtol=1e-9, atol=1e-9)
    expected = np.where(n > 0, reference.logsf(n - 1), 0.0)
    told = np.isfinite(expected)  # scipy underflows first
    survival = nb_log_survival(COUNTS, log(mean), log(r)).numpy()
    np.testing.assert_allclose(survival[told], expected[told], rtol=1e-8, atol=1e-9)
    assert np.isfinite(survival).all()


def test_a_mixture_of_counts_has_the_mean_probability_below_and_at_each() -> None:
    means, spreads = torch.tensor([[0.4, 6.0, 300.0]]), torch.tensor([[0.5, 3.0, 40.0]])
    units = torch.tensor([[-1.0], [0.0], [2.0], [7.0], [260.0], [5000.0]]) * 0.5
    below, at = nb_mixture_cdf(units, (0.5 * means).log(), spreads.log(), torch.tensor([0.5]))
    counts = 2 * units.numpy()
    laws = [st.nbinom(r, r / (r + m)) for m, r in zip(means[0].tolist(), spreads[0].tolist(), strict=True)]
    np.testing.assert_allclose(at, np.mean([law.cdf(counts) for law in laws], 0), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(below, np.mean([law.cdf(counts - 1) for law in laws], 0), rtol=1e-5, atol=1e-9)


def test_survival_has_the_right_gradients() -> None:
    count = torch.tensor([1.0, 5.0, 40.0], dtype=torch.float64)
    mean = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    r = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: nb_log_survival(count, a, b), (mean, r), eps=1e-5, atol=1e-4)
    slope, curvature = nb_survival_score(count, mean.detach(), r.detach())
    auto = torch.autograd.grad(nb_log_survival(count, mean, r).sum(), mean)[0]
    torch.testing.assert_close(slope, auto)
    step = 1e-5
    ahead, behind = (nb_survival_score(count, mean.detach() + s, r.detach())[0] for s in (step, -step))
    torch.testing.assert_close(curvature, -(ahead - behind) / (2 * step), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mean", [0.3, 5.0, 11.9, 12.1, 120.0])
@pytest.mark.parametrize("r", [0.3, 3.0, 30.0])
def test_samples_have_the_right_mean_and_variance(mean: float, r: float) -> None:
    draws = 200_000
    uniforms = torch.rand(2, draws, generator=torch.Generator().manual_seed(1))
    normal = torch.special.ndtri(uniforms[0])
    sample = nb_sample(
        normal, uniforms[1], log(mean).float().expand(draws), log(r).float().expand(draws)
    ).double()
    variance = mean + mean**2 / r
    assert abs(float(sample.mean()) - mean) < 4 * (variance / draws) ** 0.5 + 0.002 * mean
    assert float(sample.var()) == pytest.approx(variance, rel=0.06)


@pytest.mark.parametrize("mean", [0.2, 3.0, 11.0, 12.5, 60.0, 400.0])
def test_poisson_quantiles_equal_scipys(mean: float) -> None:
    uniform = torch.linspace(0.0005, 0.9995, 999)
    found = poisson_quantile(uniform, torch.full_like(uniform, mean)).numpy()
    expected = st.poisson.ppf(uniform.numpy(), mean)
    assert np.abs(found - expected).max() <= 1
    assert (found == expected).mean() > 0.98


@settings(max_examples=200, deadline=None)
@given(
    some.floats(1e-6, 1 - 1e-6),
    some.floats(1e-6, 1 - 1e-6),
    some.floats(-3, 7),
    some.floats(0, 2),
    some.floats(-2, 5),
)
def test_the_same_customers_never_want_less_when_the_mean_is_higher(
    u: float, v: float, log_mean: float, more: float, log_r: float
) -> None:
    means = torch.tensor([log_mean, log_mean + more])
    low, high = nb_sample(
        torch.special.ndtri(torch.tensor([u, u])), torch.tensor([v, v]), means, torch.full((2,), log_r)
    )
    assert low <= high


def test_a_stock_out_says_only_that_demand_was_at_least_the_sales() -> None:
    units, mean, r = torch.tensor([4.0, 4.0, 0.0]), torch.full((3,), 1.5), torch.full((3,), 1.0)
    value = row_log_likelihood(units, torch.tensor([False, True, True]), mean, r)
    reference = st.nbinom(np.exp(1.0), np.exp(1.0) / (np.exp(1.0) + np.exp(1.5)))
    expected = [reference.logpmf(4), reference.logsf(3), 0.0]
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_demand_behind_a_shelf_that_nobody_could_empty_is_what_was_sold() -> None:
    far = nb_mean_above(torch.tensor([5e4, 0.0]), torch.tensor([0.0, 0.0]), torch.tensor([4.0, 4.0]))
    assert float(far[0]) == pytest.approx(5e4, rel=1e-3)
    assert float(far[1]) == pytest.approx(1.0)


@pytest.mark.parametrize(("mean", "r"), [(0.6, 1.0), (8.0, 3.0), (60.0, 20.0)])
def test_demand_behind_an_empty_shelf_is_the_tail_mean(mean: float, r: float) -> None:
    counts = torch.arange(0, 2000, dtype=torch.float64)
    chance = nb_log_prob(counts, log(mean).double(), log(r).double()).exp()
    for sold in (0, 1, int(mean), int(2 * mean) + 1):
        tail = counts >= sold
        expected = float((counts * chance)[tail].sum() / chance[tail].sum())
        found = nb_mean_above(torch.tensor([float(sold)]), log(mean).view(1), log(r).view(1))
        assert float(found) == pytest.approx(expected, rel=1e-4)
