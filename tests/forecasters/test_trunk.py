"""Stepping through the ring cache is the same function as scanning the whole window."""

from __future__ import annotations

import pytest
import torch

from mercato.envs.engine.tree import where
from mercato.forecasters.network.trunk import Transformer, TrunkSettings
from mercato.forecasters.network.trunk.attention import KEYS, Attention

MANY = [KEYS + 1, 2 * KEYS, 2 * KEYS + 7]  # more than are read one by one
FEW_AND_MANY = [(4, 3), (MANY[0], 3), (2, MANY[2])]


@pytest.mark.parametrize("shape", FEW_AND_MANY)
@pytest.mark.parametrize("window", [1, 5, 16])
@pytest.mark.parametrize("with_distance", [False, True])
def test_ring_cache_equals_the_full_forward_pass(
    shape: tuple[int, int], window: int, with_distance: bool
) -> None:
    """Over more than three windows, with single markets that begin again elsewhere on the way."""
    torch.manual_seed(0)
    trunk = Transformer(10, TrunkSettings(width=16, blocks=3, window=window)).eval()
    steps = 3 * window + 6
    tokens = torch.randn(1, steps + 12, *shape, 10)
    distance = torch.rand(shape[0], shape[0]) if with_distance else None
    layers: list[tuple[torch.Tensor, torch.Tensor]] = []
    with torch.no_grad():
        full = trunk(tokens, distance, layers)
        history = [(k[0], v[0]) for k, v in layers]
        at = torch.tensor([3, 9, 1, 0])  # tokens that each market has seen
        cache = trunk.begin(history, at)
        for step in range(steps):
            if step == window + 2:
                again = torch.tensor([False, True, False, True])
                at = torch.where(again, torch.tensor([0, 2, 0, 7]), at)
                cache = where(again, trunk.begin(history, at), cache)
            token = torch.stack([tokens[0, seen] for seen in at.tolist()])
            hidden, cache = trunk.step(token, cache, distance)
            expected = torch.stack([full[0, seen] for seen in at.tolist()])
            torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)
            at = at + 1


@pytest.mark.parametrize("markets", [1, 2])
def test_a_gathered_cache_has_the_strides_of_a_new_tensor(markets: int) -> None:
    """Compiled for other strides a step of a single market takes three times as long."""
    history = [(torch.randn(4, 3, 2, 9, 8), torch.randn(4, 3, 2, 9, 8))]
    trunk = Transformer(6, TrunkSettings(width=16, window=5))
    cache = trunk.begin(history, torch.full((markets,), 9))
    fresh = torch.empty(markets, 4, 3, 2, 5, 8)
    assert cache.keys[0].stride() == cache.values[0].stride() == fresh.stride()


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


def runs(entries: int) -> list[int]:
    """Lengths of KEYS consecutive segments, the longer ones first."""
    return [-(-(entries - k) // KEYS) for k in range(KEYS)]


def cut(x: torch.Tensor, dim: int) -> list[torch.Tensor]:
    return list(x.split(runs(x.shape[dim]), dim))


@pytest.mark.parametrize("entries", MANY)
@pytest.mark.parametrize("with_bias", [False, True])
def test_landmarks_are_exact_where_the_tokens_of_a_segment_are_equal(entries: int, with_bias: bool) -> None:
    torch.manual_seed(0)
    layer = Attention(16, 2).double()
    lengths = torch.tensor(runs(entries))
    one_each = torch.randn(3, KEYS, 16, dtype=torch.float64)
    x = one_each.repeat_interleave(lengths, -2)
    bias = torch.randn(2, entries, KEYS, dtype=torch.float64) if with_bias else None
    each = 0 if bias is None else bias.repeat_interleave(lengths, -1)
    q, k, v = layer.split(x)
    score = q @ k.transpose(-1, -2) / 8**0.5 + each
    with torch.no_grad():
        torch.testing.assert_close(layer(x, bias), layer.join(score.softmax(-1) @ v))


@pytest.mark.parametrize("entries", MANY)
def test_a_landmark_has_the_mean_key_value_and_bias_of_its_segment(entries: int) -> None:
    torch.manual_seed(0)
    layer = Attention(16, 2).double()
    x = torch.randn(3, entries, 16, dtype=torch.float64)
    bias = torch.randn(2, entries, entries, dtype=torch.float64)
    q, k, v = layer.split(x)
    key, value = (torch.stack([part.mean(-2) for part in cut(t, -2)], -2) for t in (k, v))
    size = torch.tensor(runs(entries)).double()
    pooled = torch.stack([part.mean(-1) for part in cut(bias, -1)], -1)
    weight = size * (q @ key.transpose(-1, -2) / 8**0.5 + pooled).exp()
    expected = (weight / weight.sum(-1, keepdim=True)) @ value
    with torch.no_grad():
        torch.testing.assert_close(layer(x, pooled), layer.join(expected))


def test_far_away_is_the_mean_distance_of_a_segment() -> None:
    torch.manual_seed(0)
    trunk = Transformer(6, TrunkSettings(width=16)).eval()
    tokens, distance = torch.randn(1, 3, MANY[1], 2, 6), torch.rand(MANY[1], MANY[1])
    swapped = distance.unflatten(-1, (KEYS, 2)).flip(-1).flatten(-2)
    with torch.no_grad():
        told = trunk(tokens, distance)
        torch.testing.assert_close(trunk(tokens, swapped), told)
        assert (trunk(tokens, distance.roll(1, -1)) - told).abs().max() > 1e-4


def test_every_token_of_a_market_of_many_has_a_gradient_of_every_other() -> None:
    torch.manual_seed(0)
    trunk = Transformer(6, TrunkSettings(width=16)).eval()
    tokens = torch.randn(1, 2, MANY[0], 2, 6, requires_grad=True)
    told = trunk(tokens, torch.rand(MANY[0], MANY[0]))[0, -1, 0, 0]
    told[0].backward()  # one channel: all of a norm's sum to nothing
    assert tokens.grad is not None
    assert tokens.grad.abs().sum(-1).min() > 0
    assert all(block.nearness.grad.abs().min() > 0 for block in trunk._layers())


def test_what_is_not_listed_might_as_well_not_be_there() -> None:
    """Locations and items that are listed nowhere: the others are told what they are told without them."""
    torch.manual_seed(0)
    trunk = Transformer(10, TrunkSettings(width=16, blocks=2, window=5)).eval()
    tokens, distance = torch.randn(2, 9, 6, 5, 10), torch.rand(6, 6)
    places, goods = torch.tensor([0, 2, 3]), torch.tensor([1, 4])
    listed = torch.zeros(2, 9, 6, 5, dtype=torch.bool)
    listed[:, :, places.unsqueeze(1), goods] = True

    def part(x: torch.Tensor) -> torch.Tensor:
        return x[:, :, places][:, :, :, goods]

    with torch.no_grad():
        alone = trunk(part(tokens), distance[places][:, places])
        among = trunk(tokens, distance, listed=listed)
    torch.testing.assert_close(part(among), alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", FEW_AND_MANY)
def test_what_comes_and_goes_is_read_alike_in_steps_and_in_windows(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)  # double: in single precision some series' own variance is too small to compare
    trunk = Transformer(6, TrunkSettings(width=16, window=4)).eval().double()
    tokens, listed = torch.randn(1, 9, *shape, 6).double(), torch.rand(1, 9, *shape) < 0.6
    other = torch.where(listed.unsqueeze(-1), tokens, torch.randn_like(tokens))
    layers: list[tuple[torch.Tensor, torch.Tensor]] = []
    with torch.no_grad():
        full = trunk(tokens, None, layers, listed)
        cache = trunk.begin([(k[0], v[0]) for k, v in layers], torch.tensor([3]))
        for t in range(3, 9):
            hidden, cache = trunk.step(tokens[:, t], cache, None, listed[:, t])
            torch.testing.assert_close(hidden, full[:, t], atol=1e-12, rtol=0)
        changed = trunk(other, None, listed=listed)
    first = listed[:, 0]  # whose own past no later change has reached
    torch.testing.assert_close(changed[:, 0][first], full[:, 0][first], atol=1e-12, rtol=0)


def test_a_large_panel_is_read_in_parts_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    trunk = Transformer(6, TrunkSettings(width=16, window=4)).eval()
    tokens, listed = torch.randn(1, 9, 7, 5, 6), torch.rand(1, 9, 7, 5) < 0.8
    keep: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[], []]
    with torch.no_grad():
        whole = trunk(tokens, None, keep[0], listed)
        monkeypatch.setattr("mercato.forecasters.network.trunk.attention._AT_ONCE", 900)
        parts = trunk(tokens, None, keep[1], listed)
    torch.testing.assert_close(parts, whole, atol=1e-12, rtol=0)
    for one, other in zip(*keep, strict=True):
        torch.testing.assert_close(other, one, atol=1e-12, rtol=0)
