"""What a forecast may read: all that precedes it and what is known ahead, whatever the panel's scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mercato.forecasters.market_model import Observed, PriorSettings, build_features, draw

SMALL = PriorSettings(locations=5, items=4, periods=(40, 60), months=(40, 60))


def drawn(seed: int) -> Observed:
    return draw(np.random.default_rng(seed), SMALL)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), origin=st.integers(12, 30), ahead=st.integers(0, 9))
def test_nothing_that_comes_is_read_but_prices_promotions_and_covariates(
    seed: int, origin: int, ahead: int
) -> None:
    panel, rng = drawn(seed), np.random.default_rng(seed)
    target = origin + ahead
    later = np.arange(len(panel.units)) >= origin
    beyond = np.arange(len(panel.units)) > target + 1  # a promotion that is planned for the next is known
    moved = replace(
        panel,
        units=np.where(later[:, None, None], rng.poisson(50, panel.units.shape), panel.units),
        exposure=np.where(later[:, None, None], rng.random(panel.units.shape), panel.exposure),
        log_price=np.where(beyond[:, None, None], panel.log_price + rng.normal(), panel.log_price),
        promo=np.where(beyond[:, None, None, None], 1 - panel.promo, panel.promo),
        exogenous=np.where(beyond[:, None, None, None], 3.0, panel.exogenous),
        signals=np.where(later[:, None, None, None], 4.0, panel.signals),
    )
    told, again = (build_features(p, origin, [origin]).at(origin, ahead) for p in (panel, moved))
    np.testing.assert_array_equal(told, again)
    assert np.isfinite(told).all()
    assert np.abs(told).max() <= 8


@pytest.mark.parametrize("seed", range(6))
def test_the_past_is_read(seed: int) -> None:
    panel = drawn(seed)
    more = replace(
        panel, units=np.where(np.arange(len(panel.units))[:, None, None] == 29, 900.0, panel.units)
    )
    told, other = (build_features(p, 30, [30]).at(30, 2) for p in (panel, more))
    assert not np.array_equal(told, other)


def test_prices_in_another_currency_are_the_same_prices() -> None:
    panel = drawn(3)
    dear = replace(panel, log_price=panel.log_price + np.log(140.0))
    told, other = (build_features(p, 30, [30]).at(30, 4) for p in (panel, dear))
    np.testing.assert_allclose(told, other, atol=1e-5)


def test_several_origins_are_as_each_alone() -> None:
    panel = drawn(5)
    together = build_features(panel, 25, [26, 30, 33])
    for origin in (26, 30, 33):
        alone = build_features(panel, 25, [origin])
        np.testing.assert_allclose(together.at(origin, 3), alone.at(origin, 3), atol=1e-6)


def test_the_order_of_locations_and_items_does_not_matter() -> None:
    panel, rng = drawn(8), np.random.default_rng(0)
    _, places, goods = panel.units.shape
    place, good = rng.permutation(places), rng.permutation(goods)

    def turned(values: np.ndarray) -> np.ndarray:
        return values[:, place][:, :, good]

    other = replace(
        panel,
        **{
            name: turned(getattr(panel, name))
            for name in ("units", "exposure", "log_price", "promo", "exogenous", "signals")
        },
        effect=None if panel.effect is None else turned(panel.effect),
        category=panel.category[good],
        grain=panel.grain[good],
        attributes=panel.attributes[place],
        distance=None if panel.distance is None else panel.distance[place][:, place],
    )
    told, again = (build_features(p, 30, [30]).at(30, 1) for p in (panel, other))
    np.testing.assert_allclose(told[place][:, good], again, atol=1e-5)


def test_an_exact_effect_of_prices_leaves_nothing_to_learn() -> None:
    """Demand that is nothing but the identified effect: the regression says so."""
    rng = np.random.default_rng(0)
    panel = drawn(2)
    shape = (60, *panel.units.shape[1:])
    price = rng.normal(0, 0.2, shape)
    panel = replace(
        panel,
        units=np.round(400 * np.exp(-2 * price)),
        exposure=np.ones(shape),
        log_price=price,
        promo=np.zeros((*shape, 0)),
        exogenous=np.zeros((*shape, 0)),
        effect=-2 * price,
        year=np.arange(60) / 52 % 1,
        weekday=None,
    )
    features = build_features(panel, 50, [50])
    assert np.abs(features.at(50, 5)[..., 0]).max() < 0.05
    without = build_features(replace(panel, effect=None), 50, [50]).at(50, 5)[..., 0]
    expected = -2 * (price[55] - price[:50].mean(0))
    assert np.corrcoef(without.ravel(), expected.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("stored", [0.5, 0.0])
def test_the_week_after_a_promotion_is_known_to_sell_less_where_it_does(stored: float) -> None:
    rng, shape = np.random.default_rng(0), (100, 5, 4)
    promo = np.broadcast_to(rng.random((100, 1, 4)) < 0.15, shape).astype(float)
    over = np.zeros(shape)
    over[1:] = promo[:-1] * (1 - promo[1:])
    mean = np.exp(4 + 0.7 * promo - stored * over + rng.normal(0, 0.15, (100, 1, 4)))
    panel = replace(
        drawn(2),
        units=rng.poisson(mean).astype(float),
        exposure=np.ones(shape),
        log_price=np.zeros(shape),
        promo=promo[..., None],
        exogenous=np.zeros((*shape, 0)),
        signals=np.zeros((*shape, 0)),
        effect=None,
        year=np.arange(100) / 52 % 1,
        weekday=None,
        category=np.zeros(4, dtype=np.int64),
        grain=np.ones(4),
        attributes=np.zeros((5, 0)),
        distance=None,
    )
    told = np.stack([build_features(panel, 90, [90]).at(90, ahead)[..., 0] for ahead in range(9)])
    ordinary = (promo[90:99] == 0) & (over[90:99] == 0)
    dip = told[ordinary].mean() - told[over[90:99] == 1].mean()
    assert dip == pytest.approx(0.8 * stored, abs=0.15)
