"""What is calibrated after training: units agree in sum, weighed sales are simulated as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from small_model import QUICK, Fitted

from mercato.forecasters.fit import fit_demand
from mercato.forecasters.panel import read_panel
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.statistics.distributions import grain, nb_sample
from mercato.forecasters.tensors.noise import NoiseKey


def test_expected_units_agree_with_what_customers_wanted(fitted: Fitted) -> None:
    history = fitted.demand.history
    begin = history.periods // 4
    mean = fitted.demand.one_step(begin, history.periods)[0].exp().mean(-1)
    known = history.known[begin:]
    true = fitted.truth.history.demand[begin:]
    assert abs(float((mean * known).sum() / (true * known).sum()) - 1) < 0.02
    ratio = (mean * known).sum((0, 1)) / (true * known).sum((0, 1))
    assert float((ratio - 1).abs().max()) < 0.05


def test_estimated_demand_is_right_where_stock_ran_out(fitted: Fitted) -> None:
    """Sales alone are several percent short of what customers wanted."""
    estimated, true = fitted.demand.history.demand, fitted.truth.history.demand
    assert abs(float(estimated.sum() / true.sum()) - 1) < 0.02
    assert float(fitted.demand.history.units.sum() / true.sum()) < 0.97


def test_whole_units_are_counted_one_by_one_and_weights_in_something_smaller() -> None:
    generator = torch.Generator().manual_seed(0)
    normal, uniform = torch.randn(2000, generator=generator), torch.rand(2000, generator=generator)
    count = nb_sample(normal, uniform, torch.full((2000,), 2.0), torch.full((2000,), 1.0))
    assert float(grain(count)) == 1.0
    assert 0.05 < float(grain(count * 0.35)) < 0.7  # packets of 350 grams
    smooth = torch.distributions.Gamma(3.0, 0.3).sample((2000,))
    assert float(grain(smooth)) < 0.5


def test_a_table_of_weighed_sales_is_learned_and_simulated_in_its_units() -> None:
    rng = np.random.default_rng(0)
    dates = pd.date_range("2023-01-02", periods=80, freq="W-MON")
    rows = []
    for place in ("north", "south"):
        for item, level in (("apples", 8.0), ("pears", 3.0)):
            price = 2 * np.exp(rng.normal(0, 0.15, len(dates)))
            kilos = level * (price / 2) ** -1.8 * rng.gamma(12, 1 / 12, len(dates))
            rows.append(
                pd.DataFrame(
                    {"date": dates, "location": place, "item": item, "units": kilos.round(3), "price": price}
                )
            )
    panel = read_panel(pd.concat(rows))
    demand = LearnedDemand.after(fit_demand(panel, QUICK), panel)
    assert float(demand.history.grain.max()) < 1
    zero = torch.zeros(400, dtype=torch.int64)
    key = NoiseKey(0, zero, torch.arange(400), zero)
    state = demand.reset(zero + demand.periods, key)
    price = demand.response.pivot.exp().expand(400, 2, 2)
    kilos = demand.sample(state, price, key)
    assert bool((kilos != kilos.round()).any())
    torch.testing.assert_close(kilos.mean(0), demand.expected(state, price).mean(0), rtol=0.15, atol=0.2)
    units, whole = demand.history.units[60:], torch.ones_like(demand.history.units[60:])
    below, at = demand.one_step_cdf(units, 60, whole)
    assert bool((at >= below).all())
    before, _ = demand.one_step_cdf(units + demand.history.grain, 60, whole)
    torch.testing.assert_close(before, at)
