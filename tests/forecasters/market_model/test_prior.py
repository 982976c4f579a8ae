"""Drawn panels: any seed gives a panel that a forecaster can read, and what is in them differs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mercato.forecasters.market_model import Observed, PriorSettings, draw


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_a_drawn_panel_is_whole(seed: int) -> None:
    panel = draw(np.random.default_rng(seed))
    shape = panel.units.shape
    known = np.isfinite(panel.units)
    assert (panel.units[known] >= 0).all()
    assert (panel.units[known] == panel.units[known].round()).all()
    assert known.any(axis=(1, 2)).mean() > 0.5
    assert not (known & ~panel.listed).any()
    assert panel.log_price.shape == panel.exposure.shape == shape
    assert ((panel.exposure >= 0) & (panel.exposure <= 1)).all()
    assert ((panel.year >= 0) & (panel.year < 1)).all()
    assert (panel.weekday is not None) == (panel.periods_a_year == 365)
    assert panel.effect is None or np.isfinite(panel.effect).all()


def test_a_seed_is_a_panel() -> None:
    one, other = (draw(np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one.units, other.units)
    np.testing.assert_array_equal(one.log_price, other.log_price)


@pytest.fixture(scope="module")
def panels() -> list[Observed]:
    return [draw(np.random.default_rng(seed), PriorSettings(8, 8)) for seed in range(150)]


def test_panels_are_of_many_kinds(panels: list[Observed]) -> None:
    zeros = np.array([np.nanmean(p.units <= 0) for p in panels])
    assert zeros.min() < 0.01
    assert zeros.max() > 0.3
    assert {p.periods_a_year for p in panels} == {12, 52, 365}
    assert {p.promo.shape[-1] for p in panels} == {0, 1, 2}
    assert 0.3 < np.mean([p.effect is not None for p in panels]) < 0.9
    assert 0.2 < np.mean([(~p.listed).any() for p in panels]) < 0.8
    assert 0.1 < np.mean([(p.exposure < 1).any() for p in panels]) < 0.6


def test_dearer_sells_less_and_promotions_sell_more(panels: list[Observed]) -> None:
    """Within a series, as a shop's own table shows it."""
    slopes, signs = [], []
    for panel in panels:
        logs, price = (
            values - np.nansum(values, axis=0) / np.isfinite(values).sum(0).clip(1)
            for values in (np.log(panel.units + 0.5), panel.log_price)
        )
        seen = np.isfinite(logs) & np.isfinite(price)
        if price[seen].std() > 0.05:
            slopes.append(float((logs[seen] * price[seen]).sum() / (price[seen] ** 2).sum()))
        if panel.promo.shape[-1] and 0.02 < panel.promo[..., 0].mean() < 0.98:
            on = panel.promo[..., 0] > 0
            signs.append(float(logs[seen & on].mean() - logs[seen & ~on].mean()))
    assert np.median(slopes) < -0.8
    assert np.mean(np.array(slopes) < 0) > 0.9
    assert np.mean(np.array(signs) > 0) > 0.9
