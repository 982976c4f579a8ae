"""Baselines and observations live with items that are launched, end, and are not sold everywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from mercato.agents.tuning import TuningSettings, tune_baselines
from mercato.envs.engine.observation import Observation
from mercato.envs.market import Market
from mercato.envs.simulator import Simulator
from mercato.envs.structural import FAMILIES, Size, Truth, true_market

HORIZON = 26


@pytest.fixture(scope="module")
def played() -> tuple[Truth, Market]:
    truth = FAMILIES["partial-assortment"].make(seed=3, size=Size(6, 8, 80))[1]
    return truth, true_market(truth)


def test_nothing_is_ordered_or_sold_of_what_is_not_listed_and_units_are_conserved(
    played: tuple[Truth, Market],
) -> None:
    truth, market = played
    start = 30
    listed = truth.listed[start : start + HORIZON]
    wanted = truth.listed[start : start + HORIZON + 1]  # before the order after the next one can arrive
    assert bool((listed[1:] != listed[:-1]).any())  # launches or ends on the way
    for policy in tune_baselines(market, 0, TuningSettings(volume=500)):
        simulator = Simulator(market, 2, HORIZON, seed=1, evaluation=True)
        state = simulator.initial_state(torch.full((2,), start))
        opening, moved = state.on_hand + state.pipeline.sum(1), torch.zeros_like(state.on_hand)
        for there, next_there in pairwise(wanted):
            view = simulator.view(state)
            assert bool(Observation.of(market)(view).isfinite().all())
            state, outcome = simulator.step(state, policy.decide(view))
            assert float(outcome.demand[:, ~there].sum()) == 0, policy.name
            if policy.name != "random":  # which orders without asking what is expected
                assert float(outcome.ordered[:, ~(there | next_there)].sum()) == 0, policy.name
            assert bool(outcome.profit.isfinite().all())
            moved += outcome.ordered - outcome.sales - outcome.served - outcome.wasted
        torch.testing.assert_close(opening + moved, state.on_hand + state.pipeline.sum(1))
