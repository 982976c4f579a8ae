"""Luck that series share: margins stay, correlations are what was measured."""

from __future__ import annotations

import torch

from mercato.forecasters.statistics.luck import CommonLuck, common_luck
from mercato.forecasters.tensors.noise import NoiseKey, series_ids, stable_id

LOCATIONS, ITEMS = tuple(f"l{k}" for k in range(12)), tuple(f"i{k}" for k in range(6))
DRAWS = 4000


def draw(luck: CommonLuck) -> torch.Tensor:
    zero = torch.zeros(DRAWS, dtype=torch.int64)
    key = NoiseKey(3, zero, torch.arange(DRAWS), zero)
    places = torch.tensor([stable_id(name) for name in LOCATIONS])
    goods = torch.tensor([stable_id(name) for name in ITEMS])
    return luck.normal(key, series_ids(LOCATIONS, ITEMS), places, goods, 0)


def test_margins_are_standard_normal_and_shares_come_back() -> None:
    luck = CommonLuck(torch.tensor(0.1), torch.tensor(0.2), torch.linspace(0.0, 0.5, len(ITEMS)))
    z = draw(luck)
    assert float(z.mean().abs()) < 0.02
    torch.testing.assert_close(z.var(0), torch.ones(len(LOCATIONS), len(ITEMS)), atol=0.12, rtol=0)
    found = common_luck(z, torch.ones_like(z, dtype=torch.bool), torch.ones(len(ITEMS)))
    torch.testing.assert_close(found.chain, luck.chain, atol=0.03, rtol=0)
    torch.testing.assert_close(found.location, luck.location, atol=0.03, rtol=0)
    torch.testing.assert_close(found.item, luck.item, atol=0.05, rtol=0)


def test_independent_series_share_nothing() -> None:
    z = draw(CommonLuck.none(len(ITEMS)))
    found = common_luck(z, torch.ones_like(z, dtype=torch.bool), torch.ones(len(ITEMS)))
    assert float(found.chain) < 0.02
    assert float(found.location) < 0.02
    assert float(found.item.max()) < 0.02


def test_a_sub_market_keeps_its_luck() -> None:
    luck = CommonLuck(torch.tensor(0.1), torch.tensor(0.2), torch.full((len(ITEMS),), 0.3))
    zero = torch.zeros(5, dtype=torch.int64)
    key = NoiseKey(3, zero, torch.arange(5), zero)
    places = torch.tensor([stable_id(name) for name in LOCATIONS])
    goods = torch.tensor([stable_id(name) for name in ITEMS])
    part = replace_items(luck, 2).normal(key, series_ids(LOCATIONS[:4], ITEMS[:2]), places[:4], goods[:2], 0)
    torch.testing.assert_close(part, draw(luck)[:5, :4, :2])


def replace_items(luck: CommonLuck, count: int) -> CommonLuck:
    return CommonLuck(luck.chain, luck.location, luck.item[:count])
