"""The peers find what they should on markets whose truth is known, and see nothing of the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.peers.dml import lightgbm_dml, ridge_dml
from benchmarks.peers.features import known_before, past, smoothed
from benchmarks.peers.forecaster import fit_forecaster
from benchmarks.peers.naive import naive_by_item
from benchmarks.peers.trees import grow
from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.features.history import History, build_history
from mercato.forecasters.panel import SalesPanel, read_panel


@pytest.fixture(scope="module")
def market() -> tuple[SalesPanel, np.ndarray]:
    """A confounded panel and the true own elasticity of each item."""
    return drawn(Size(locations=10, items=5, weeks=120))


@pytest.fixture(scope="module")
def small() -> tuple[SalesPanel, np.ndarray]:
    """As ``market``, of a size that trees are grown on in seconds."""
    return drawn(Size(locations=8, items=3, weeks=120))


def drawn(size: Size) -> tuple[SalesPanel, np.ndarray]:
    table, truth = make_reference(104, size)
    return read_panel(table, roles=ROLES), truth.demand.own().mean(0).double().numpy()


def test_ridge_dml_undoes_confounding(market: tuple[SalesPanel, np.ndarray]) -> None:
    panel, truth = market
    found = ridge_dml(panel)
    history = build_history(panel)
    naive = naive_by_item(history.log_price, history.units).numpy()
    assert np.abs(found.own - truth).mean() < 0.2
    assert np.abs(naive - truth).mean() > 1.0
    assert ((found.lo <= found.own) & (found.own <= found.hi)).all()


def test_stock_outs_must_be_declared(market: tuple[SalesPanel, np.ndarray]) -> None:
    """The same table without its stock-outs makes customers look less sensitive than they are."""
    panel, truth = market
    hidden = replace(panel, censored=np.zeros_like(panel.censored))
    assert (ridge_dml(hidden).own - truth).mean() > (ridge_dml(panel).own - truth).mean() + 0.03


def test_lightgbm_dml_is_a_serious_peer(small: tuple[SalesPanel, np.ndarray]) -> None:
    pytest.importorskip("lightgbm", reason="the extra 'peers' is not installed")
    panel, truth = small
    assert np.abs(lightgbm_dml(panel).own - truth).mean() < 0.5


def test_trees_repeat_and_heed_their_seed() -> None:
    pytest.importorskip("lightgbm", reason="the extra 'peers' is not installed")
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(800, 4)), rng.integers(3, size=(800, 1))], axis=1)
    y = x[:, 0] * x[:, 4] + rng.normal(size=800)
    first, same, other = (
        grow(x, y, [4], {"num_iterations": 20, "seed": seed}).predict(x, num_threads=1) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def history_with(history: History, period: int) -> History:
    """The same history with other sales, prices and promotions from ``period`` on."""
    later = torch.arange(history.periods).view(-1, 1, 1) >= period
    return replace(
        history,
        units=torch.where(later, history.units * 3 + 7, history.units),
        log_price=torch.where(later, history.log_price - 0.4, history.log_price),
        promo=torch.where(later.unsqueeze(-1), 1 - history.promo, history.promo),
    )


def test_features_know_nothing_of_their_own_period(small: tuple[SalesPanel, np.ndarray]) -> None:
    history = build_history(small[0])
    period = 60

    def columns(given: History) -> np.ndarray:
        return known_before(given.units.double().numpy(), given.log_price.double().numpy(), given)

    before, after = columns(history), columns(history_with(history, period))
    np.testing.assert_array_equal(before[: period + 1], after[: period + 1])
    assert not np.array_equal(before[period + 1], after[period + 1], equal_nan=True)


def test_a_decile_answers_its_own_price_but_no_later_sales(small: tuple[SalesPanel, np.ndarray]) -> None:
    pytest.importorskip("lightgbm", reason="the extra 'peers' is not installed")
    history = build_history(small[0])
    forecaster = fit_forecaster(history)
    weeks = np.array([59, 60])
    now = forecaster.deciles(history, weeks)
    changed = forecaster.deciles(history_with(history, 60), weeks)
    assert now.shape == (2, 8, 3, 9)
    assert (np.diff(now, axis=-1) >= 0).all()
    np.testing.assert_array_equal(now[0], changed[0])
    assert changed[1, ..., 4].mean() > now[1, ..., 4].mean()  # a third cheaper, and on promotion or off it


def test_smoothed_past_is_the_weighted_mean_of_what_was_known() -> None:
    values = np.array([1.0, np.nan, 3.0, 5.0])
    found = smoothed(values, half_life=1.0)
    np.testing.assert_allclose(found[1:], [1.0, 1.0, (0.25 * 1 + 3) / 1.25])
    assert np.isnan(found[0])


def test_lags_of_what_is_unknown_are_unknown() -> None:
    values = np.full((4, 1, 1), 2.0)
    values[1] = np.nan
    lag, *_ = past(values, 1)
    np.testing.assert_array_equal(lag[:, 0, 0], [np.nan, 2.0, np.nan, 2.0])
