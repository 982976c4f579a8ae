"""The fitted model: what it learns of a known truth, and how it behaves as a market."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_model import QUICK, Fitted

from mercato.envs.processes import ObservedDemand
from mercato.forecasters.errors import InputError
from mercato.forecasters.evaluation.backtest import run_backtest
from mercato.forecasters.simulation import Informed, sample_paths
from mercato.forecasters.simulation.demand import DemandProcess, Period
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.store import _FORMAT, load_model, save_model
from mercato.forecasters.tensors.noise import NoiseKey


def key(markets: int, period: int = 0, seed: int = 3) -> NoiseKey:
    rows = torch.arange(markets)
    return NoiseKey(seed, torch.zeros_like(rows), rows, torch.full_like(rows, period))


def play(demand: LearnedDemand, multiple: float, periods: int, markets: int = 24) -> torch.Tensor:
    """(periods,) total demand when every price is held at a multiple of reference."""
    state = demand.reset(torch.full((markets,), demand.periods), key(markets))
    price = (demand.response.pivot.exp() * multiple).expand(markets, -1, -1)
    totals = []
    for period in range(periods):
        wanted = demand.sample(state, price, key(markets, period))
        state = demand.advance(state, Period(price, wanted, wanted), key(markets, period))
        totals.append(wanted.sum())
    return torch.stack(totals)


def test_it_is_a_demand_process(fitted: Fitted) -> None:
    assert isinstance(fitted.demand, DemandProcess)


def test_elasticities_are_found_where_naive_regression_misses(fitted: Fitted) -> None:
    own, found = fitted.truth.demand.own(), fitted.model.elasticities
    assert (found.own.mean(0) - own.mean(0)).abs().mean() < 0.25
    assert bool((found.own < 0).all())
    assert bool((found.own_lo <= found.own).all() & (found.own <= found.own_hi).all())
    covered = ((found.own_lo <= own) & (own <= found.own_hi)).float().mean()
    assert covered > 0.7
    # the same panel without identification: within-series regression of log units on log price
    x = fitted.demand.history.log_price
    y = (fitted.demand.history.units + 0.5).log()
    x, y = x - x.mean(0), y - y.mean(0)
    naive = (x * y).sum((0, 1)) / (x * x).sum((0, 1))
    assert (naive - own.mean(0)).abs().mean() > 1.5


def test_cross_elasticities_are_found(fitted: Fitted) -> None:
    cross = fitted.truth.demand.cross().mean(0)
    off = ~torch.eye(len(cross), dtype=torch.bool)
    assert (fitted.model.elasticities.cross - cross)[off].abs().mean() < 0.12
    assert bool((fitted.model.elasticities.cross.diag() == 0).all())


def test_demand_falls_with_price_for_the_same_customers(fitted: Fitted) -> None:
    demand = fitted.demand
    state = demand.reset(torch.tensor([40, 90]), key(2))
    low, high = (demand.response.pivot.exp() * m for m in (0.9, 1.1))
    grid = [low.expand(2, -1, -1).clone() for _ in range(2)]
    grid[1][:, :, 0] = high[:, 0]
    cheap, dear = (demand.sample(state, price, key(2)) for price in grid)
    assert bool((dear[:, :, 0] <= cheap[:, :, 0]).all())
    assert float(dear[:, :, 0].sum()) < float(cheap[:, :, 0].sum())


def test_expected_demand_is_the_mean_of_the_samples(fitted: Fitted) -> None:
    demand, markets = fitted.demand, 4000
    state = demand.reset(torch.full((markets,), 60), key(markets))
    price = demand.response.pivot.exp().expand(markets, -1, -1)
    expected = demand.expected(state, price)
    drawn = demand.sample(state, price, key(markets))
    error = drawn.std(0) / markets**0.5
    assert bool(((drawn.mean(0) - expected[0]).abs() < 5 * error).all())
    torch.testing.assert_close(demand.outlook(state).mean, expected)
    spread = drawn.std(0) / drawn.mean(0)
    assert (spread / demand.outlook(state).spread[0]).sub(1).abs().mean() < 0.05


def test_a_sustained_price_change_moves_demand_at_once_and_does_not_drift(fitted: Fitted) -> None:
    promo_free = replace(fitted.model.response, promo=torch.zeros_like(fitted.model.response.promo))
    demand = LearnedDemand(fitted.model, fitted.demand.history, promo_free)
    periods = 20
    ratio = play(demand, 0.85, periods) / play(demand, 1.0, periods)
    early, late = ratio[:5].mean(), ratio[-5:].mean()
    assert float(late / early) == pytest.approx(1.0, abs=0.05)
    assert float(early) > 1.2


def test_sampling_does_not_depend_on_the_batch(fitted: Fitted) -> None:
    demand = fitted.demand
    whole, part = (demand.reset(torch.full((n,), 70), key(n)) for n in (6, 2))
    price = demand.response.pivot.exp()
    a = demand.sample(whole, price.expand(6, -1, -1), key(6))
    b = demand.sample(part, price.expand(2, -1, -1), key(2))
    torch.testing.assert_close(a[:2], b)


def test_stepping_through_the_history_reproduces_the_scan(fitted: Fitted) -> None:
    """Fed with what really happened, the market arrives where a reset at the later date begins."""
    demand, history = fitted.demand.with_elasticity("mean"), fitted.demand.history
    start, steps = 80, 6
    state = demand.reset(torch.tensor([start]), key(1))
    for t in range(start, start + steps):
        price, units = history.log_price[t].exp()[None], history.demand[t][None]
        state = demand.advance(state, Period(price, units, units), key(1), history.promo[t][None])
    later = demand.reset(torch.tensor([start + steps]), key(1))
    torch.testing.assert_close(state.log_base, later.log_base, atol=1e-4, rtol=0)
    torch.testing.assert_close(state.log_r, later.log_r, atol=1e-4, rtol=0)


def test_the_ends_of_the_interval_are_markets_too(fitted: Fitted) -> None:
    demand = fitted.demand
    totals = {}
    for which in ("lo", "mean", "hi"):
        other = demand.with_elasticity(which)
        state = other.reset(torch.tensor([100]), key(1))
        price = other.response.pivot.exp()[None] * 1.1
        totals[which] = float(other.expected(state, price).sum())
    assert totals["lo"] < totals["mean"] < totals["hi"]
    strong = demand.with_elasticity("lo")
    assert torch.equal(strong.with_elasticity("mean").response.own, strong.response.own)  # sure, and stays so


def test_other_customers_are_those_of_other_elasticities_and_of_the_other_form(fitted: Fitted) -> None:
    others = fitted.demand.plausible()
    *ends, form = others.values()
    assert [end.response.own.mean() < fitted.demand.response.own.mean() for end in ends] == [False, True]
    assert list(others)[-1].endswith(fitted.demand.response.choice.names[1])
    assert torch.equal(form.response.own, fitted.demand.response.own)
    price = fitted.demand.response.pivot.exp()[None] * torch.tensor([0.9, 1.1]).repeat(50)[: len(form.items)]
    state = form.reset(torch.tensor([100]), key(1))
    as_fitted = fitted.demand.with_elasticity("mean")
    assert not torch.allclose(form.expected(state, price), as_fitted.expected(state, price), rtol=1e-3)


def test_an_observer_s_forecasts_do_not_hang_on_the_elasticities_of_an_episode(fitted: Fitted) -> None:
    """Told the same, it expects the same in every episode; one that drew elasticities for customers of its
    own would not. How unsure it is of them it goes on saying."""
    demand, history = fitted.demand, fitted.demand.history
    start, steps, markets = 60, 6, 5
    observed = ObservedDemand(fitted.truth.demand, demand)
    state = observed.reset(torch.full((markets,), start), key(markets))
    for t in range(start, start + steps):
        price, units = (x[t].expand(markets, -1, -1) for x in (history.log_price.exp(), history.demand))
        state = observed.advance(state, Period(price, units, units), key(markets, t - start))
    expected = observed.expected(state, price)
    torch.testing.assert_close(expected, expected[:1].expand_as(expected))
    assert torch.equal(observed.disagreement(state, price), demand.disagreement(state.observer, price))
    assert (
        observed.disagreement(state, price)
        > demand.with_elasticity("mean").disagreement(state.observer, price)
    ).any()


def test_a_model_survives_the_disk(fitted: Fitted, tmp_path: Path) -> None:
    save_model(fitted.model, tmp_path)
    again = LearnedDemand(load_model(tmp_path), fitted.demand.history)
    state, other = (d.reset(torch.tensor([50]), key(1)) for d in (fitted.demand, again))
    torch.testing.assert_close(state.log_base, other.log_base)
    torch.testing.assert_close(again.elasticities.own, fitted.model.elasticities.own)


@pytest.mark.parametrize("damage", ["absent", "truncated", "format"])
def test_a_damaged_model_says_so(fitted: Fitted, tmp_path: Path, damage: str) -> None:
    save_model(fitted.model, tmp_path)
    if damage == "absent":
        (tmp_path / "model.json").unlink()
    elif damage == "truncated":
        whole = (tmp_path / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(whole[:1000])
    else:
        text = (tmp_path / "model.json").read_text()
        (tmp_path / "model.json").write_text(text.replace(f'"format": {_FORMAT}', '"format": 99'))
    with pytest.raises(InputError, match="expected"):
        load_model(tmp_path)


def test_a_later_panel_must_be_of_the_same_shop(fitted: Fitted) -> None:
    with pytest.raises(InputError, match=r"lacks 1 item\(s\)"):
        fitted.demand.condition(fitted.panel.select(items=fitted.panel.items[1:]))
    longer = fitted.demand.condition(fitted.panel.window(10, fitted.panel.periods))
    assert longer.periods == fitted.panel.periods - 10


def test_backtest_scores_every_model_on_the_same_rows(fitted: Fitted) -> None:
    found = run_backtest(fitted.panel, horizon=4, windows=2, settings=QUICK)
    models, table = found.models, found.quantiles
    assert set(models) >= {"simulated market", "last value", "seasonal naive"}
    assert len({score["rows"] for score in models.values()}) == 1
    assert set(models["simulated market"]) == {
        "wape",
        "wpe",
        "wql",
        "coverage80",
        "pit_distance",
        "rows",
        "seconds",
    }
    assert models["simulated market"]["wql"] < models["last value"]["wql"]
    assert len(table) == 8 * len(fitted.panel.series)
    deciles = table[[f"q{k / 10:.1f}" for k in range(1, 10)]].to_numpy()
    assert bool((np.diff(deciles, axis=1) >= 0).all())


def test_backtest_needs_a_history(fitted: Fitted) -> None:
    with pytest.raises(InputError, match="expected at least 40 periods before the first window, found 20"):
        run_backtest(fitted.panel, horizon=25, windows=4)


def test_a_market_that_reads_prices_does_not_feed_on_itself(fitted: Fitted) -> None:
    """However much of its past its regression says comes back."""
    model = fitted.demand.model
    wild = replace(model, informed=replace(model.informed, past=torch.full_like(model.informed.past, 2.0)))
    demand = LearnedDemand(wild, fitted.demand.history)
    begin = fitted.panel.periods - 20
    paths = sample_paths(Informed(demand), demand.history, begin, 20, 4, seed=0)
    assert np.isfinite(paths).all()
    usual = np.nanmean(fitted.panel.units)
    assert paths.mean() < 5 * usual, paths.mean() / usual
