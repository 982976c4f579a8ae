"""Pooling one coefficient over items: what is kept, and how far items are drawn together."""

from __future__ import annotations

import torch

from mercato.forecasters.statistics.terms import Estimates, clear, pool, prior, shrink

ITEMS, BLOCKS = 10, 25


def estimates(mean: float, spread: float, error: float, together: float = 0.0, seed: int = 0) -> Estimates:
    """Items around ``mean``, known with ``error``, of which ``together`` is one noise for all."""
    generator = torch.Generator().manual_seed(seed)
    single = torch.randn(ITEMS, generator=generator)
    truth = mean + spread * torch.randn(ITEMS, generator=generator)
    common = torch.randn((), generator=generator)
    rng = together**0.5 * common + (1 - together) ** 0.5 * single
    blocks = torch.randn(BLOCKS, 1, generator=generator)
    influence = together**0.5 * blocks + (1 - together) ** 0.5 * torch.randn(
        BLOCKS, ITEMS, generator=generator
    )
    return Estimates(truth + error * rng, torch.full((ITEMS,), error), influence)


def test_nothing_is_kept_where_there_is_nothing() -> None:
    kept = sum(clear("curve", pool(estimates(0.0, 0.0, 0.3, seed=seed))) for seed in range(200))
    assert kept <= 4


def test_errors_that_items_share_do_not_average_out() -> None:
    alone, shared = pool(estimates(0.0, 0.0, 0.3)), pool(estimates(0.0, 0.0, 0.3, together=0.9))
    assert alone.error < 0.15 < shared.error


def test_a_common_effect_is_kept_and_items_are_drawn_to_it() -> None:
    found = estimates(-0.9, 0.0, 0.3)
    pooled = pool(found)
    assert clear("chain", pooled)
    values, errors = shrink(found, pooled)
    assert float((values + 0.9).abs().mean()) < float((found.value + 0.9).abs().mean())
    assert bool((errors < found.error).all())
    centre, spread = prior("chain", pooled)
    assert centre < -0.6
    assert spread > 0


def test_what_scatters_widely_stays_apart() -> None:
    found = estimates(0.0, 2.0, 0.1)
    pooled = pool(found)
    assert pooled.spread > 1
    torch.testing.assert_close(shrink(found, pooled)[0], found.value, atol=0.05, rtol=0)


def test_a_memory_only_takes() -> None:
    assert clear("recent", pool(estimates(-0.5, 0.0, 0.1)))
    assert not clear("recent", pool(estimates(0.5, 0.0, 0.1)))
