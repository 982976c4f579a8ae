"""A market whose level follows a forecast: where it is told, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_model import Fitted

from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.anchor import Anchor
from mercato.forecasters.evaluation import Forecaster, anchored_to_forecast
from mercato.forecasters.market_model import AdaptationSettings, Recipe, shipped
from mercato.forecasters.panel import read_panel
from mercato.forecasters.simulation import LearnedDemand, mean_path, sample_paths
from mercato.forecasters.store import load_model, save_model
from mercato.forecasters.tensors import NoiseKey

BEGIN, AHEAD = 80, 6


def moved(fitted: Fitted, drift: torch.Tensor) -> LearnedDemand:
    anchor = Anchor(torch.tensor([BEGIN]), drift.view(1, -1))
    return fitted.demand.with_bases(replace(fitted.model, anchor=anchor))


def mean(demand: LearnedDemand, begin: int = BEGIN) -> torch.Tensor:
    rows = slice(begin, begin + AHEAD)
    return mean_path(demand, demand.history.log_price[rows], demand.history.promo[rows], begin, 64, 0)


def test_demand_is_moved_by_what_the_anchor_says_of_each_period(fitted: Fitted) -> None:
    drift = torch.linspace(-0.2, 0.3, AHEAD)
    ratio = (mean(moved(fitted, drift)).sum((1, 2)) / mean(fitted.demand).sum((1, 2))).log()
    torch.testing.assert_close(ratio, drift, atol=0.05, rtol=0)


def test_customers_answer_to_prices_as_before(fitted: Fitted) -> None:
    """Ratios of demand at two prices are the same to the last digit, whatever the level."""
    key = NoiseKey(0, *(torch.zeros(1, dtype=torch.int64) for _ in range(3)))
    ratios = []
    for demand in (fitted.demand, moved(fitted, torch.full((AHEAD,), 0.4))):
        state = demand.reset(torch.tensor([BEGIN]), key)
        price = demand.history.log_price[BEGIN].exp().unsqueeze(0)
        ratios.append(demand.expected(state, 0.9 * price) / demand.expected(state, price))
    torch.testing.assert_close(*ratios)


def test_what_is_remembered_is_free_of_the_move(fitted: Fitted) -> None:
    """The move does not come back through past demand: paths keep their course around it."""
    lasting = mean(moved(fitted, torch.full((AHEAD,), 0.3))).log() - mean(fitted.demand).log()
    assert float(lasting[-1].mean()) == pytest.approx(0.3, abs=0.08)


def test_beyond_its_periods_the_last_one_holds(fitted: Fitted) -> None:
    anchor = Anchor(torch.tensor([10, 20]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    begin, date = torch.tensor([5, 10, 19, 20, 50]), torch.tensor([5, 11, 40, 20, 60])
    assert anchor.at(begin, date).tolist() == [1.0, 2.0, 2.0, 3.0, 4.0]


def test_a_market_is_anchored_to_a_better_forecast_and_saved(fitted: Fitted, tmp_path: Path) -> None:
    recipe = Recipe(AdaptationSettings(steps=10), trees=False)
    wrong = replace(fitted.model, base=replace(fitted.model.base, place=fitted.model.base.place + 0.5))
    model = anchored_to_forecast(wrong, fitted.panel, Forecaster(shipped(), recipe), 0)
    assert model.anchor is not None
    assert float(model.anchor.drift[-1].mean()) < -0.2  # half a log unit too high, less what it remembers
    save_model(model, tmp_path)
    again = load_model(tmp_path).anchor
    assert again is not None
    assert torch.equal(again.drift, model.anchor.drift)
    begin, last = fitted.panel.periods - 26, np.nan_to_num(fitted.panel.units[-26:]).sum()
    off = []
    for each in (wrong, model):
        demand = LearnedDemand.after(each, fitted.panel)
        paths = sample_paths(demand, demand.history, begin, 26, 32, 0)
        off.append(abs(np.log(paths.mean(0).sum() / last)))
    assert off[1] < off[0]


def test_levels_are_of_what_was_wanted_where_shelves_ran_empty(fitted: Fitted) -> None:
    """Half of the rows are cut at their series' median: what is left uncut is of weeks of low demand."""
    table, _ = make_reference(seed=7, size=Size(locations=8, items=4, weeks=120))
    shelf = table.groupby(["location", "item"]).units.transform("median").round()
    empty = table.censored.where(table.units <= shelf, 1.0)
    cut = read_panel(table.assign(units=table.units.clip(upper=shelf), censored=empty), roles=ROLES)
    rows = slice(cut.periods - 26, cut.periods)
    sold, wanted = (np.nan_to_num(panel.units[rows]).sum() for panel in (cut, fitted.panel))
    assert sold < 0.75 * wanted
    recipe = Recipe(AdaptationSettings(steps=10), trees=False)
    model = anchored_to_forecast(fitted.model, cut, Forecaster(shipped(), recipe), 0)
    demand = LearnedDemand.after(model, cut)
    history = demand.history
    path = mean_path(demand, history.log_price[rows], history.promo[rows], rows.start, 64, 0)
    assert float(path.sum()) == pytest.approx(wanted, rel=0.12)
