"""Noise that series share: margins stay, correlations are what was measured."""

from __future__ import annotations

import torch

from mercato.forecasters.statistics.common_shocks import CommonShocks, estimate_common_shocks
from mercato.forecasters.tensors.noise import NoiseKey, series_ids, stable_id

LOCATIONS, ITEMS = tuple(f"l{k}" for k in range(12)), tuple(f"i{k}" for k in range(6))
DRAWS = 4000


def draw(rng: CommonShocks) -> torch.Tensor:
    zero = torch.zeros(DRAWS, dtype=torch.int64)
    key = NoiseKey(3, zero, torch.arange(DRAWS), zero)
    places = torch.tensor([stable_id(name) for name in LOCATIONS])
    goods = torch.tensor([stable_id(name) for name in ITEMS])
    return rng.normal(key, series_ids(LOCATIONS, ITEMS), places, goods, 0)


def test_margins_are_standard_normal_and_shares_come_back() -> None:
    rng = CommonShocks(torch.tensor(0.1), torch.tensor(0.2), torch.linspace(0.0, 0.5, len(ITEMS)))
    z = draw(rng)
    assert float(z.mean().abs()) < 0.02
    torch.testing.assert_close(z.var(0), torch.ones(len(LOCATIONS), len(ITEMS)), atol=0.12, rtol=0)
    found = estimate_common_shocks(z, torch.ones_like(z, dtype=torch.bool), torch.ones(len(ITEMS)))
    torch.testing.assert_close(found.chain, rng.chain, atol=0.03, rtol=0)
    torch.testing.assert_close(found.location, rng.location, atol=0.03, rtol=0)
    torch.testing.assert_close(found.item, rng.item, atol=0.05, rtol=0)


def test_independent_series_share_nothing() -> None:
    z = draw(CommonShocks.none(len(ITEMS)))
    found = estimate_common_shocks(z, torch.ones_like(z, dtype=torch.bool), torch.ones(len(ITEMS)))
    assert float(found.chain) < 0.02
    assert float(found.location) < 0.02
    assert float(found.item.max()) < 0.02


def test_a_sub_market_keeps_its_noise() -> None:
    rng = CommonShocks(torch.tensor(0.1), torch.tensor(0.2), torch.full((len(ITEMS),), 0.3))
    zero = torch.zeros(5, dtype=torch.int64)
    key = NoiseKey(3, zero, torch.arange(5), zero)
    places = torch.tensor([stable_id(name) for name in LOCATIONS])
    goods = torch.tensor([stable_id(name) for name in ITEMS])
    part = replace_items(rng, 2).normal(key, series_ids(LOCATIONS[:4], ITEMS[:2]), places[:4], goods[:2], 0)
    torch.testing.assert_close(part, draw(rng)[:5, :4, :2])


def replace_items(rng: CommonShocks, count: int) -> CommonShocks:
    return CommonShocks(rng.chain, rng.location, rng.item[:count])
