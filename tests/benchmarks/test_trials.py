"""A true market that goes on at other prices, before the same customers."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from benchmarks.experiments import one_market, table
from benchmarks.trials.play import play, profit
from mercato.envs.structural import FAMILIES, Size, Truth

SIZE = Size(locations=3, items=2, weeks=6)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return FAMILIES["log-linear"].make(1, SIZE)[1]


def test_two_plays_of_a_seed_meet_the_same_customers(truth: Truth) -> None:
    usual = truth.demand.shop.reference_price
    one, two, dearer = (play(truth, lambda week: p, 3, 0) for p in (usual, usual, usual * 1.1))  # noqa: B023
    assert torch.equal(one.sales, two.sales)
    assert (dearer.expected < one.expected).float().mean() > 0.9
    for a, b in zip(one.states, dearer.states, strict=True):
        assert torch.equal(a.series, b.series)


def test_the_table_goes_on_where_it_ended(truth: Truth) -> None:
    usual = truth.demand.shop.reference_price
    rows = play(truth, lambda week: usual, 3, 0).frame(truth)
    assert len(rows) == 3 * SIZE.locations * SIZE.items
    assert pd.Timestamp(rows["date"].min()) == pd.Timestamp(truth.dates[-1]) + pd.Timedelta(days=7)


def test_profit_is_the_margin_of_expected_units(truth: Truth) -> None:
    usual = truth.demand.shop.reference_price
    played = play(truth, lambda week: usual, 2, 0)
    found = profit(truth, played.states, played.price, truth.demand.shop.unit_cost)
    torch.testing.assert_close(found, (played.price - truth.demand.shop.unit_cost) * played.expected)


def test_figures_of_some_markets_only_are_counted_so() -> None:
    told = table([{"seed": 1, "narrower": 0.4, "market_covered": 1.0}, {"seed": 2, "market_covered": 0.0}])
    assert "| `narrower` | ≥ 0.30 | 0.400 [0.400 … 0.400] | 1 |" in told
    assert "| `market_covered` | ≥ 0.85 | 0.500 [0.000 … 1.000] | 2 |" in told


@pytest.mark.slow
def test_a_designed_test_tells_more_than_random_moves_of_its_cost() -> None:
    row = one_market((201, True), Size(locations=12, items=3, weeks=52))
    assert row["narrower"] > 0.3
    assert row["market_covered"] == 1
