"""Recorded customers are met as they were; those who leave, around the recording, see what a trial does."""

from __future__ import annotations

import torch

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.evaluation import earned
from mercato.agents.policy import Pair
from mercato.agents.recorded import AsRecorded, at_prices, record
from mercato.agents.tuning import Trials, TuningSettings
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from tests.envs.regulars import certain, with_regulars
from tests.envs.small_markets import make_market

EPISODES, HORIZON, SEED = 3, 8, 4
FRESH = Economics(lead_time=0, shelf_life=1, shortage_rate=0.0, initial_cover=1.0)


def test_a_trial_on_recorded_demand_is_the_episode_itself() -> None:
    market = with_regulars(make_market(2, 3, elasticity=-2 * torch.eye(3)))
    met = at_prices(market, LastPrice(), EPISODES, HORIZON, SEED)
    played = [
        earned(where, Pair("trial", prices, BaseStock(0.6)), torch.arange(EPISODES), HORIZON, SEED)
        for where, prices in ((market, LastPrice()), (met, AsRecorded()))
    ]
    for one, other in zip(*played, strict=True):
        torch.testing.assert_close(one, other)


def test_a_trial_on_recorded_states_is_the_episode_itself() -> None:
    market = with_regulars(make_market(2, 3, elasticity=-2 * torch.eye(3)))
    rule = Pair("trial", LastPrice(), BaseStock(0.6))
    met = record(market, rule, EPISODES, HORIZON, SEED)
    played = [earned(where, rule, torch.arange(EPISODES), HORIZON, SEED) for where in (market, met)]
    for one, other in zip(*played, strict=True):
        torch.testing.assert_close(one, other)


def test_orders_are_tuned_for_customers_who_leave() -> None:
    """Of a newsvendor's stock more is kept where an empty shelf costs the customer, too."""
    plain = make_market(2, 2, economics=FRESH, mean=20.0, cost=1.2)
    fickle = with_regulars(plain, moved_by=certain(6.0, 0.0))
    settings = TuningSettings(periods=30, volume=500, rounds=2)

    def profit(market: Market, taught_by: Market) -> float:
        tuned = Trials.of(taught_by, settings, SEED).best_pair("tuned", LastPrice())
        return float(earned(market, tuned, torch.arange(8), 30, SEED)[0].sum())

    assert profit(fickle, fickle) > profit(fickle, plain)
    assert profit(plain, plain) > profit(plain, fickle)
