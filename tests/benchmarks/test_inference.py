"""Ways to compute the market model's forecasts: in fewer bits it forecasts nearly the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.inference import PLAIN, Bfloat16, Int8, network_times, tables
from mercato.forecasters.market_model import shipped


@pytest.mark.parametrize("way", [Bfloat16, Int8])
def test_fewer_bits_move_forecasts_little(way: type[nn.Module]) -> None:
    network = shipped().network
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 4, network.settings.features, generator=draw)
    listed = torch.rand(2, 3, 4, generator=draw) < 0.8
    with torch.no_grad():
        exact, told = network(features, listed), way(network)(features, listed)
    apart = (exact - told)[listed].abs()
    assert told.dtype == torch.float32
    assert 0 < apart.mean() < 0.05 * exact[listed].std()


def test_a_way_is_shown_beside_torch() -> None:
    size = (2, 1, 2)
    times = network_times({PLAIN: shipped().network, "other": nn.Identity()}, size, turns=1)
    assert set(times) == {PLAIN, "other"}
    found = {
        "network": {"1 × 2": {PLAIN: 0.004, "other": 0.002}},
        "wql": {PLAIN: 0.40, "other": 0.41},
        "decide": {"1 × 11": 1.5},
    }
    shown = "\n".join(tables(found))
    assert "| other | 2 ms (2.00 ×) | 0.4100 (+2.50%) |" in shown
    assert "| `decide`, 1 × 11 | 1.50 s |" in shown
