"""Running summaries of past demand: the recursion, gaps, and what is shared."""

from __future__ import annotations

import pytest
import torch

from mercato.forecasters.features.past import Past, past_features


def test_features_know_nothing_of_the_period_they_speak_of() -> None:
    values = torch.randn(12, 3, 2, generator=torch.Generator().manual_seed(0))
    seen = torch.ones_like(values, dtype=torch.bool)
    changed = values.clone()
    changed[7:] += 5
    one, other = past_features(values, seen), past_features(changed, seen)
    torch.testing.assert_close(one[:8], other[:8])
    assert bool((one[8] != other[8]).any())


def test_a_constant_is_remembered_as_it_is_and_gaps_do_not_count() -> None:
    past = Past.none(torch.zeros(2, 2))
    for t in range(200):
        past = past.after(torch.full((2, 2), 3.0), torch.tensor([[True, t % 2 == 0], [True, True]]))
    means = past.total / past.weight
    torch.testing.assert_close(means, torch.full_like(means, 3.0))
    assert float(past.lags[0, 1, 0]) == 0.0  # the last period was a gap
    assert float(past.features()[0, 0, 3]) == pytest.approx(
        3.0, rel=0.2
    )  # shrunk by half a period of nothing
