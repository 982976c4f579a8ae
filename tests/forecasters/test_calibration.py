"""Calibration against forecasts that are right, too narrow, too high, and blind beyond the stock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, poisson
from torch import Tensor

from mercato.forecasters.evaluation.calibration import (
    calibration,
    coverage,
    distance_from_uniform,
    randomised_pit,
)
from mercato.forecasters.statistics.stock_outs import StockOuts

PERIODS, PLACES, ITEMS = 40, 10, 5


@dataclass
class Sales:
    """What calibration reads of a history."""

    units: Tensor
    known: Tensor
    censored: Tensor
    grain: Tensor

    @property
    def stock_outs(self) -> StockOuts:
        return StockOuts.of(self.censored)


@dataclass
class PoissonForecaster:
    """Says that every count is Poisson of one mean."""

    history: Sales
    mean: float

    def one_step_cdf(self, count: Tensor, begin: int, exposure: Tensor) -> tuple[Tensor, Tensor]:
        assert count.shape == exposure.shape == (PERIODS - begin, PLACES, ITEMS)
        law = poisson(self.mean * exposure.numpy())
        return torch.from_numpy(law.cdf(count.numpy() - 1)), torch.from_numpy(law.cdf(count.numpy()))


def shop(mean: float = 3.0, stock: float = np.inf, known: float = 1.0) -> Sales:
    """Poisson customers before ``stock`` units a period; a share ``known`` of the rows was observed."""
    rng = np.random.default_rng(5)
    demand = rng.poisson(mean, (PERIODS, PLACES, ITEMS))
    sales, seen = np.minimum(demand, stock), rng.random(demand.shape) < known
    units = torch.from_numpy(np.where(seen, sales, 0)).float()
    return Sales(
        units, torch.from_numpy(seen), torch.from_numpy((demand >= stock) & seen).float(), torch.ones(ITEMS)
    )


def test_the_distance_is_kolmogorovs() -> None:
    values = np.random.default_rng(0).beta(2, 3, 200)
    assert distance_from_uniform(values) == pytest.approx(kstest(values, "uniform").statistic)
    assert distance_from_uniform(np.array([0.5])) == 0.5
    assert np.isnan(distance_from_uniform(np.array([])))


def test_coverage_counts_what_lies_inside_the_central_interval() -> None:
    pit = (np.arange(1000) + 0.5) / 1000
    assert coverage(pit) == ((0.5, 0.5), (0.8, 0.8), (0.95, 0.95))
    assert coverage(np.array([0.01, 0.2, 0.5, 0.99]), (0.8,)) == ((0.8, 0.5),)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_pit_lies_between_both_ends(a: float, b: float, uniform: float) -> None:
    below, at = min(a, b), max(a, b)
    pit = randomised_pit(np.array(below), np.array(at), np.array(uniform))
    assert below - 1e-12 <= pit <= at + 1e-12


def test_the_true_forecaster_is_calibrated() -> None:
    found = calibration(PoissonForecaster(shop(), 3.0), 10, PERIODS)
    assert found.rows == 30 * PLACES * ITEMS
    assert found.stocked_out == 0
    assert found.distance < found.chance == pytest.approx(1.36 / np.sqrt(found.rows))
    for level, share in found.coverage:
        assert share == pytest.approx(level, abs=0.03)
    assert np.allclose(found.histogram, 0.1, atol=0.025)
    assert sum(found.histogram) == pytest.approx(1)


def test_a_forecaster_of_too_much_is_found_out() -> None:
    found = calibration(PoissonForecaster(shop(), 4.5), 10, PERIODS)
    assert found.distance > 0.25
    assert found.histogram[0] > 0.2 > 0.05 > found.histogram[-1]


def test_stocked_out_rows_stay_in_and_do_no_harm() -> None:
    history = shop(stock=4)
    found = calibration(PoissonForecaster(history, 3.0), 10, PERIODS)
    expected = 30 * PLACES * ITEMS * poisson.sf(3, 3.0)
    assert found.stocked_out == pytest.approx(expected, rel=0.1)
    assert found.distance < found.chance
    history.censored.zero_()  # taken for what customers wanted, the same sales look miscalibrated
    assert calibration(PoissonForecaster(history, 3.0), 10, PERIODS).distance > 2 * found.chance


def test_a_share_out_of_stock_is_calibrated_at_the_moment_the_shelf_ran_empty() -> None:
    rng = np.random.default_rng(6)
    demand = rng.poisson(3.0, (PERIODS, PLACES, ITEMS))
    stock = rng.integers(2, 6, demand.shape)
    out = demand >= stock  # the K-th of D uniform times is Beta(K, D − K + 1)
    moment = rng.beta(stock, np.where(out, demand - stock + 1, 1))
    history = Sales(
        torch.from_numpy(np.minimum(demand, stock)).float(),
        torch.ones(demand.shape, dtype=torch.bool),
        torch.from_numpy(np.where(out, 1 - moment, 0.0)).float(),
        torch.ones(ITEMS),
    )
    found = calibration(PoissonForecaster(history, 3.0), 10, PERIODS)
    assert found.distance < found.chance
    assert calibration(PoissonForecaster(history, 3.6), 10, PERIODS).distance > 2 * found.chance


def test_unobserved_rows_are_not_measured() -> None:
    history = shop(known=0.6)
    found = calibration(PoissonForecaster(history, 3.0), 10, PERIODS)
    assert found.rows == int(history.known[10:].sum())
    assert found.distance < found.chance


def test_the_same_seed_randomises_alike() -> None:
    forecaster = PoissonForecaster(shop(), 3.2)
    assert calibration(forecaster, 10, PERIODS, 1) == calibration(forecaster, 10, PERIODS, 1)
    assert calibration(forecaster, 10, PERIODS, 1) != calibration(forecaster, 10, PERIODS, 2)


def test_nothing_observed_is_nothing_known() -> None:
    found = calibration(PoissonForecaster(shop(known=0.0), 3.0), 10, PERIODS)
    assert found.rows == 0
    assert np.isnan(found.distance)
    assert np.isnan(found.coverage[0][1])
