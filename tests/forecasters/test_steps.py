"""A step in one series' level is told from shocks, and what follows it is the level after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_model import QUICK, Fitted

from mercato.forecasters.fit import fit_demand
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.response import with_steps
from mercato.forecasters.simulation import LearnedDemand, mean_path
from mercato.forecasters.statistics import lasting_steps
from mercato.forecasters.store import load_model, save_model

WEEKS, AGO, AHEAD = 110, 12, 26
STEP = 1.4


def lasting(rng: np.random.Generator, shape: tuple[int, ...], spread: float, kept: float) -> np.ndarray:
    """(WEEKS, *shape) stationary."""
    out = rng.normal(0, spread, (WEEKS, *shape))
    for t in range(1, WEEKS):
        out[t] = kept * out[t - 1] + (1 - kept**2) ** 0.5 * out[t]
    return out


def log_demand(seed: int, persistent: float = 0.0) -> torch.Tensor:
    """(WEEKS, 6, 4) with shocks of locations, items and the chain, and of series that last a while."""
    rng = np.random.default_rng(seed)
    shocks = [((6, 1), 0.2), ((1, 4), 0.1), ((1, 1), 0.15)]
    value = sum(lasting(rng, shape, spread, 0.9) for shape, spread in shocks)
    value = value + lasting(rng, (6, 4), persistent, 0.9) + rng.normal(0, 0.07, (WEEKS, 6, 4))
    return torch.from_numpy(value).float()


def stepped(demand: torch.Tensor, by: float, at: int = WEEKS - AGO) -> torch.Tensor:
    later = torch.arange(WEEKS) >= at
    return demand + by * later.view(-1, 1, 1) * (torch.arange(24).view(6, 4) == 5)


@pytest.mark.parametrize("at", [WEEKS - AGO, 50])
@pytest.mark.parametrize("by", [np.log(STEP), -np.log(2)])
def test_a_step_of_one_series_is_found_where_it_is_and_as_large(at: int, by: float) -> None:
    demand = stepped(log_demand(0), by, at)
    found = lasting_steps(demand, torch.ones_like(demand, dtype=torch.bool))
    assert found is not None
    assert (found != 0).any(0).nonzero().tolist() == [[1, 1]]
    level = found[:, 1, 1]
    assert float(level[0]) == pytest.approx(-by, abs=0.1)
    assert float(level[-1]) == 0
    assert abs(int((level != 0).sum()) - at) <= 2


@pytest.mark.parametrize("persistent", [0.0, 0.1, 0.3])
def test_shocks_that_die_out_are_no_steps(persistent: float) -> None:
    for seed in range(10):
        demand = log_demand(seed, persistent)
        assert lasting_steps(demand, torch.ones_like(demand, dtype=torch.bool)) is None


def test_a_step_of_a_whole_location_is_left_to_what_locations_have_in_common() -> None:
    demand = log_demand(1)
    demand[60:, 2] += 0.5
    assert lasting_steps(demand, torch.ones_like(demand, dtype=torch.bool)) is None


def test_what_was_never_seen_and_what_opened_lately_has_no_step() -> None:
    demand, seen = log_demand(2), torch.ones(WEEKS, 6, 4, dtype=torch.bool)
    seen[:, 1, 1], seen[: WEEKS - 4, 3, 3] = False, False
    demand = stepped(torch.where(seen, demand, 9.0), 1.0)
    assert lasting_steps(demand, seen) is None


@pytest.mark.parametrize(("out_of_stock", "steps"), [(False, True), (True, False)])
def test_sales_that_stock_held_down_are_no_step(fitted: Fitted, out_of_stock: bool, steps: bool) -> None:
    history = fitted.demand.history
    late = torch.zeros_like(history.units)
    late[60:, 2, 1] = 1
    less = replace(
        history,
        units=torch.where(late > 0, (0.3 * history.units).round(), history.units),
        demand=torch.where(late > 0, (0.3 * history.demand).round(), history.demand),
        censored=torch.where(late > 0, float(out_of_stock), history.censored),
        stepped=None,
    )
    found = with_steps(less, fitted.model.response).stepped
    assert (found is not None and bool((found[:, 2, 1] != 0).any())) is steps


def table(step: float) -> tuple[SalesPanel, torch.Tensor]:
    """Poisson sales with a step in one series, and mean demand (6, 4) at price 1 after it."""
    rng = np.random.default_rng(4)
    log_price = rng.normal(0, 0.1, (WEEKS, 6, 4))
    usual = torch.from_numpy(4.8 + rng.normal(0, 0.3, (6, 4))).expand(WEEKS, -1, -1)
    usual = stepped(usual, np.log(step)).numpy()
    mean = np.exp(usual + rng.normal(0, 0.1, usual.shape) - 2 * log_price)
    dates = pd.date_range("2022-01-03", periods=WEEKS, freq="W-MON")
    t, s, i = np.indices(mean.shape).reshape(3, -1)
    columns = {"date": dates[t], "location": s, "item": i, "units": rng.poisson(mean).ravel()}
    frame = pd.DataFrame(columns | {"price": np.exp(log_price).ravel()})
    return read_panel(frame), torch.from_numpy(np.exp(usual[-1] + 0.1**2 / 2))


def simulated(demand: LearnedDemand) -> torch.Tensor:
    """(6, 4) mean demand at price 1, a quarter of a year and more after the table's end."""
    price, promo = torch.zeros(AHEAD, 6, 4), torch.zeros(AHEAD, 6, 4, 0)
    return mean_path(demand, price, promo, demand.periods, 16, 0)[AHEAD // 2 :].mean(0)


def test_what_is_simulated_after_a_step_is_at_the_level_after_it(tmp_path: Path) -> None:
    """A step of 40% twelve weeks before the end: the level is the new one to 10%, no mean of both."""
    panel, true = table(STEP)
    model = fit_demand(panel, QUICK)
    demand = LearnedDemand.after(model, panel)
    off = simulated(demand) / true
    assert float(off[1, 1]) == pytest.approx(1, abs=0.1)
    assert float(off.mean()) == pytest.approx(1, abs=0.05)
    save_model(model, tmp_path)
    again = LearnedDemand.after(load_model(tmp_path), panel)
    torch.testing.assert_close(simulated(again), simulated(demand))
    steps = demand.history.stepped
    assert steps is not None
    alone = again.select(panel.locations[:2], panel.items[:2]).history.stepped
    torch.testing.assert_close(alone, steps[:, :2, :2])
    early = demand.condition(panel.window(0, WEEKS - 2), fitted=WEEKS).history.stepped
    torch.testing.assert_close(early, steps[: WEEKS - 2])
