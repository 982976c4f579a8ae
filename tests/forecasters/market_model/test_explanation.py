"""What groups of features add to a forecast: it sums, and is found where it was put."""

from __future__ import annotations

import numpy as np
import torch

from mercato.forecasters.market_model import (
    MarketNetwork,
    MarketNetworkSettings,
    PriorSettings,
    build_features,
    draw,
    explain,
    forecast,
)

SMALL = PriorSettings(locations=4, items=4, periods=(40, 50), months=(40, 50))
PANEL = draw(np.random.default_rng(3), SMALL)
FEATURES = build_features(PANEL, 30, [30])


def network() -> MarketNetwork:
    torch.manual_seed(0)
    made = MarketNetwork(MarketNetworkSettings(len(FEATURES.groups), width=16, blocks=1, heads=2)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def test_there_is_a_group_for_every_feature() -> None:
    assert len(FEATURES.groups) == FEATURES.at(30, 2).shape[-1]
    assert {"prices", "promotions", "calendar", "past demand"} < set(FEATURES.groups)


def test_parts_sum_to_what_is_told_beyond_the_ordinary() -> None:
    net = network()
    found = explain(net, PANEL, FEATURES, 30, 3, orders=4)
    total = found.ordinary + sum(found.parts.values())
    np.testing.assert_allclose(total, found.told, atol=1e-9)
    deciles = forecast(net, PANEL, FEATURES, 30, 3)
    expected = np.maximum(np.exp(found.told) - 0.5 * PANEL.grain, 0)
    np.testing.assert_allclose(deciles[..., 4], expected, rtol=1e-5)


def test_a_model_that_reads_one_group_is_explained_by_it() -> None:
    net = network()
    with torch.no_grad():
        for block in net.blocks:
            for parameter in block.parameters():
                parameter.zero_()
        net.head.weight.zero_()
        prices = torch.tensor([group == "prices" for group in FEATURES.groups])
        net.linear.weight.copy_(prices.float().unsqueeze(0))
    found = explain(net, PANEL, FEATURES, 30, 2)
    for name, part in found.parts.items():
        if name != "prices":
            np.testing.assert_allclose(part, 0, atol=1e-6)
    np.testing.assert_allclose(found.parts["prices"], found.told - found.ordinary, atol=1e-6)
    assert np.abs(found.parts["prices"]).max() > 0.01
