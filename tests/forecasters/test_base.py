"""What the first regression reads: a season only where there is one, the chain's prices only in forecasts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from small_model import QUICK, Fitted

from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.features.history import History, build_history
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.network.base import chain_news, known_ahead
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.response.priced import adjusted_history, log_level
from mercato.forecasters.simulation.learned import LearnedDemand

WEEKS = 130


def sold(log_mean: np.ndarray, log_price: np.ndarray, seed: int) -> SalesPanel:
    """A table of Poisson sales at log means (T, S, I)."""
    units = np.random.default_rng(seed).poisson(np.exp(log_mean))
    dates = pd.date_range("2022-01-03", periods=len(units), freq="W-MON")
    t, s, i = np.indices(units.shape).reshape(3, -1)
    columns = {"date": dates[t], "location": s, "item": i, "units": units.ravel()}
    return read_panel(pd.DataFrame(columns | {"price": np.exp(log_price).ravel()}))


def ahead_of(history: History) -> torch.Tensor:
    level = log_level(history)
    adjusted = adjusted_history(history, level, torch.zeros(()))
    every = torch.ones(history.periods, dtype=torch.bool)
    return known_ahead(history, adjusted, level.expand_as(adjusted), every)[0]


def test_the_time_of_year_is_read_where_items_show_a_season_and_not_where_weeks_are_all_noise() -> None:
    rng = np.random.default_rng(0)
    rng = 3 + rng.normal(0, 0.2, (WEEKS, 1, 4)) + np.zeros((WEEKS, 3, 4))
    price = np.zeros_like(rng)
    year = np.sin(2 * np.pi * np.arange(WEEKS) / 52.18).reshape(-1, 1, 1)
    shown, none = (build_history(sold(mean, price, 1)) for mean in (rng + 0.4 * year, rng))
    assert float(ahead_of(shown)[..., :2].abs().max()) > 0.9
    assert float(ahead_of(none)[..., :2].abs().max()) == 0


def test_the_news_of_a_period_is_what_all_locations_share_and_what_the_other_items_do() -> None:
    table, _ = make_reference(seed=3, size=Size(locations=3, items=4, weeks=20))
    history = build_history(read_panel(table, roles=ROLES))
    pivot = history.log_price.median(0).values
    news, shift = chain_news(history, pivot), (history.log_price - pivot).mean(1)
    promos = history.promo.shape[-1]
    columns, beside = 1 + promos, 2 * promos
    assert news.shape == (20, 3, 4, beside + 2 * columns)
    news = news[..., beside:]
    torch.testing.assert_close(news[..., 0], shift.unsqueeze(1).expand(-1, 3, -1))
    torch.testing.assert_close(news[:, 0, 1, columns], shift[:, [0, 2, 3]].mean(1))


def test_the_news_tell_of_promotions_that_come_and_of_those_that_are_over() -> None:
    table, _ = make_reference(seed=3, size=Size(locations=3, items=4, weeks=20))
    history = build_history(read_panel(table, roles=ROLES))
    promo = torch.zeros_like(history.promo)
    promo[[5, 6, 10], :, 2] = 1.0
    told = replace(history, promo=promo, known=torch.ones_like(history.known))
    news = chain_news(told, history.log_price.median(0).values)
    after, ended = news[:, 0, 2, :2].unbind(-1)
    assert after.nonzero().flatten().tolist() == [4, 5, 9]
    assert ended[4:13].tolist() == [0, 0, 0, 1, 0.5, 0.25, 0, 1, 0.5]
    assert float(news[:, :, [0, 1, 3], :2].abs().max()) == 0


def test_forecasts_hear_of_a_shock_from_the_other_items_prices_and_a_simulation_does_not() -> None:
    """Two items are discounted where the chain knows that a third will sell: such prices cause nothing."""
    rng = np.random.default_rng(2)
    shock = rng.normal(0, 0.5, (WEEKS, 1, 1)) * np.array([1.0, 0.0, 0.0])
    own = rng.normal(0, 0.15, (WEEKS, 6, 3))
    log_price = own - 0.3 * shock[..., :1] * np.array([0.0, 1.0, 1.0])
    log_mean = 3 + shock - 2.0 * log_price
    panel = sold(log_mean, log_price, 3)
    demand = LearnedDemand.after(fit_demand(panel, QUICK), panel)
    begin = WEEKS // 4
    true = torch.from_numpy(log_mean[begin:]).float()
    simulated, forecast = (
        float((log_mean.mean(-1) - true)[..., 0].square().mean())
        for log_mean, _ in (demand.one_step(begin, WEEKS), demand.forecast(begin, WEEKS))
    )
    assert simulated > 0.15  # of a variance of 0.25
    assert forecast < 0.3 * simulated


def test_a_forecast_is_the_simulations_expectation_where_no_news_was_learned(fitted: Fitted) -> None:
    demand, periods = fitted.demand, fitted.demand.periods
    model = demand.model
    news = model.informed.ahead.shape[-1] - model.base.ahead.shape[-1]
    silent = torch.cat([model.base.ahead, torch.zeros_like(model.informed.ahead[..., :news])], dim=-1)
    deaf = LearnedDemand(replace(model, informed=replace(model.base, ahead=silent)), demand.history)
    for told, expected in zip(deaf.forecast(20, periods), deaf.one_step(20, periods), strict=True):
        torch.testing.assert_close(told, expected)


@pytest.mark.slow
def test_an_item_that_is_no_longer_sold_or_only_just_is_fitted_with_the_rest() -> None:
    table, _ = make_reference(seed=11, size=Size(locations=2, items=3, weeks=60))
    panel = read_panel(table, roles=ROLES)
    for gone in (slice(30, None), slice(0, 55)):
        units = panel.units.copy()
        units[gone, panel.series[:, 1] == 1] = np.nan
        own = fit_demand(replace(panel, units=units), QUICK).elasticities.own
        assert bool((own.isfinite() & (own < 0)).all())


def test_as_many_waves_of_the_year_are_read_as_items_show_and_two_years_are_there() -> None:
    rng = np.random.default_rng(4)
    usual = 3 + rng.normal(0, 0.15, (WEEKS, 1, 4)) + np.zeros((WEEKS, 3, 4))
    turn = 2 * np.pi * np.arange(WEEKS).reshape(-1, 1, 1) / 52.18
    phase = np.array([0.0, 1.0, 2.0, 3.0])
    one = usual + 0.4 * np.sin(turn + phase)
    three = one + 0.3 * np.sin(2 * turn + phase) + 0.3 * np.sin(3 * turn - phase)

    def waves(log_mean: np.ndarray) -> list[bool]:
        ahead = ahead_of(build_history(sold(log_mean, np.zeros_like(log_mean), 1)))
        return [bool(ahead[..., 2 * k : 2 * k + 2].abs().max() > 0) for k in range(3)]

    assert waves(three) == [True, True, True]
    assert waves(one) == [True, False, False]
    assert waves(three[:90]) == [True, False, False]
