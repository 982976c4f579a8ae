"""Demand where stock ran out, before anything else is known of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from mercato.forecasters.features.history import build_history
from mercato.forecasters.identification.nuisance import Known, _beyond, fit_nuisances
from mercato.forecasters.panel import read_panel
from mercato.forecasters.response.priced import log_level


@pytest.mark.parametrize("surprise", [-3.0, 0.0, 2.0, 4.9, 5.5, 5.99])
def test_missed_sales_are_the_mean_beyond_what_was_sold(surprise: float) -> None:
    sold, expected, spread = (torch.tensor([x]) for x in (1.0 + 0.5 * surprise, 1.0, 0.5))
    found = float(_beyond(sold, expected, spread))
    mean = stats.truncnorm.mean(surprise, np.inf, loc=1.0, scale=0.5)
    assert found == pytest.approx(mean, rel=1e-4)


def test_a_shelf_that_sold_far_more_than_expected_missed_little() -> None:
    """Beyond what float32 tells from impossible: the estimate stays with the sales."""
    sold = torch.tensor([30.0])
    assert float(_beyond(sold, torch.zeros(1), torch.ones(1))) == pytest.approx(30.0)


def test_demand_is_what_was_sold_and_what_the_share_out_of_stock_hid() -> None:
    """Sales of shelves that ran empty at the moment their last unit left: the table's demand is right."""
    rng = np.random.default_rng(2)
    mean, r, shape = 20.0, 12.0, (160, 10)
    demand = rng.poisson(mean * rng.gamma(r, 1 / r, shape))
    stock = np.maximum(1, (mean * 1.2 * np.exp(0.4 * rng.normal(size=shape))).round().astype(int))
    out = demand >= stock
    share = np.where(out, 1 - rng.beta(stock, np.where(out, demand - stock + 1, 1)), 0.0)
    date, place = np.meshgrid(pd.date_range("2024-01-01", periods=160), range(10), indexing="ij")
    columns = {"date": date, "location": place, "units": np.minimum(demand, stock), "censored": share}
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    history = build_history(read_panel(table.assign(item="milk", price=2.0).astype({"location": str})))
    found = fit_nuisances(
        history, log_level(history), torch.full((10, 1), np.log(2.0)), torch.zeros(1).long()
    )
    assert out.mean() > 0.25
    assert history.units.sum() < 0.93 * demand.sum()
    whole = history.stock_outs.whole
    assert torch.equal(found.demand[whole], history.units[whole])
    logs = (found.demand + 0.5).log().mean()  # what the regressions read
    assert float(logs) == pytest.approx(np.log(demand + 0.5).mean(), abs=0.01)


def test_customers_of_each_location_are_freed_of_prices_as_they_themselves_mind_them() -> None:
    """Demand is level·price^ε and nothing else: what is left of it is ε times what is left of the price.

    Prices stay for months: were past demand freed by one ε for all, it would tell of the coming price.
    """
    weeks, own = 120, torch.tensor([-3.0, -2.0, -1.0]).view(-1, 1)
    rng = np.random.default_rng(0)
    price = np.exp(np.repeat(rng.normal(0, 0.15, (weeks // 6, 3, 1)), 6, axis=0))
    units = 1e4 * price ** own.numpy()
    date, place = np.meshgrid(
        pd.date_range("2024-01-01", periods=weeks, freq="W-MON"), range(3), indexing="ij"
    )
    columns = {"date": date, "location": place, "price": price[..., 0], "units": units[..., 0].round()}
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()}).assign(item="milk")
    history = build_history(read_panel(table.astype({"location": str})))
    level, pivot = log_level(history), torch.zeros(3, 1)
    known = Known(own.unsqueeze(-1), *2 * [torch.zeros_like(history.units)], history.units)
    found = fit_nuisances(history, level, pivot, torch.zeros(1).long(), before=known)
    left = history.units.log() - found.log_mean
    unlike = (left - own * found.price)[found.rows]  # a constant, the log of the level
    assert float(unlike.std()) < 0.01 < float(found.price[found.rows].std())
