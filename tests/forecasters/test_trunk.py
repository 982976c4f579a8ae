"""Stepping through the ring cache is the same function as scanning the whole window."""

from __future__ import annotations

import pytest
import torch

from mercato.envs.engine.tree import where
from mercato.forecasters.trunk import Transformer, TrunkSettings
from mercato.forecasters.trunk.transformer import gather_cache


@pytest.mark.parametrize("window", [1, 5, 16])
@pytest.mark.parametrize("with_distance", [False, True])
def test_ring_cache_equals_the_full_forward_pass(window: int, with_distance: bool) -> None:
    """Over more than three windows, with single markets that begin again elsewhere on the way."""
    torch.manual_seed(0)
    trunk = Transformer(10, TrunkSettings(width=16, blocks=3, window=window)).eval()
    steps = 3 * window + 6
    tokens = torch.randn(1, steps + 12, 4, 3, 10)
    distance = torch.rand(4, 4) if with_distance else None
    layers: list[tuple[torch.Tensor, torch.Tensor]] = []
    with torch.no_grad():
        full = trunk(tokens, distance, layers)
        history = [(k[0], v[0]) for k, v in layers]
        at = torch.tensor([3, 9, 1, 0])  # tokens that each market has seen
        cache = gather_cache(history, at, window)
        for step in range(steps):
            if step == window + 2:
                again = torch.tensor([False, True, False, True])
                at = torch.where(again, torch.tensor([0, 2, 0, 7]), at)
                cache = where(again, gather_cache(history, at, window), cache)
            token = torch.stack([tokens[0, seen] for seen in at.tolist()])
            hidden, cache = trunk.step(token, cache, distance)
            expected = torch.stack([full[0, seen] for seen in at.tolist()])
            torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)
            at = at + 1


def test_the_trunk_is_causal() -> None:
    torch.manual_seed(0)
    trunk = Transformer(6, TrunkSettings(width=16)).eval()
    tokens = torch.randn(1, 12, 3, 2, 6)
    changed = tokens.clone()
    changed[:, 8:] += 1
    with torch.no_grad():
        before, after = trunk(tokens), trunk(changed)
    torch.testing.assert_close(before[:, :8], after[:, :8])
    assert not torch.allclose(before[:, 8:], after[:, 8:])


def test_any_order_of_locations_and_items_gives_the_same_answers() -> None:
    torch.manual_seed(0)
    trunk = Transformer(6, TrunkSettings(width=16)).eval()
    tokens = torch.randn(1, 9, 4, 3, 6)
    places, goods = torch.tensor([2, 0, 3, 1]), torch.tensor([1, 2, 0])
    with torch.no_grad():
        shuffled = trunk(tokens[:, :, places][:, :, :, goods])
        torch.testing.assert_close(shuffled, trunk(tokens)[:, :, places][:, :, :, goods], atol=1e-5, rtol=0)
