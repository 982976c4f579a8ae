"""A learner that is charged for what the model is unsure of stays where the model is sure."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
import torch
from shops import shop
from torch import Tensor

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import CostPlus
from mercato.agents.evaluation import evaluate
from mercato.agents.learner import Validation, validation_worth
from mercato.agents.policy import Pair
from mercato.agents.train import PPOSettings, best_base, train_ppo
from mercato.envs.economics import Economics, PriceRules
from mercato.envs.market import Market
from mercato.envs.processes import Independent, Poisson

KNOWN = 1.6  # the price at which demand is known
ERROR = 0.5  # of the elasticity
GLANCE = Validation(times=4, episodes=8, horizon=13)


class Unsure(Independent):
    """What an elasticity's error leaves open at other prices than ``KNOWN``."""

    def disagreement(self, state, price: Tensor) -> Tensor:
        return ERROR * (price / KNOWN).log().abs()


def unsure_shop(locations: int) -> Market:
    """Own -3, cross +1, unit cost 1: the best price is 2, or so says a model that has seen little but 1.6."""
    elasticity = torch.tensor([[-3.0, 1.0], [1.0, -3.0]])
    market = shop(elasticity.tolist(), locations=locations, base=60.0)
    base, reference = market.terms.typical_demand, market.terms.reference_price
    names = {"locations": market.locations, "items": market.items, "periods": market.demand.periods}
    demand = Unsure(Poisson(), base, reference_price=reference, elasticity=elasticity, **names)
    return market.with_demand(demand)


def at(price: float) -> Pair:
    """Always ``price``, the unit cost being 1."""
    return Pair(f"always {price}", CostPlus(price - 1.0), BaseStock())


def test_a_policy_is_worth_its_profit_less_the_revenue_in_doubt():
    market = unsure_shop(locations=3)
    worth = {k: validation_worth(market, at(2.4), 0, GLANCE, caution=k) for k in (0.0, 1.0, 3.0)}
    revenue = 13 * 3 * 2 * 60 * 1.8  # 13 periods of 6 series at the reference price
    doubt = ERROR * log(2.4 / KNOWN)
    for k, value in worth.items():
        assert worth[0.0] - value == pytest.approx(k * doubt * revenue, rel=1e-4, abs=1e-2)


def test_the_baseline_to_correct_is_chosen_with_the_same_caution():
    market, pairs = unsure_shop(locations=3), [at(KNOWN), at(2.0)]
    assert best_base(market, pairs, 0, GLANCE).name == "always 2.0"
    assert best_base(market, pairs, 0, GLANCE, caution=2.0).name == "always 1.6"


def test_an_evaluation_tells_how_unsure_the_model_is_of_a_policy_s_prices():
    """Never below 2.1 times the usual price of 1.8, where prices up to 3.6 are supported."""
    market = unsure_shop(locations=2)
    floor = replace(market, economics=Economics(price_rules=PriceRules(floor=2.1)))
    rows = [evaluate(one, [at(KNOWN)], 2, 4, 0).policies()[0] for one in (market, floor)]
    expected = [(0.0, 0.0), (ERROR * log(3.78 / KNOWN), log(3.78 / 3.6))]
    for row, (disagreement, off_support) in zip(rows, expected, strict=True):
        assert row["disagreement"] == pytest.approx(disagreement, abs=1e-6)
        assert row["off_support"] == pytest.approx(off_support, abs=1e-6)


def test_caution_keeps_a_learner_where_the_model_is_sure():
    """Profit alone would take it from 1.8 up to 2 (``test_train``), doubt takes it down to what is known."""
    settings = PPOSettings(steps=60_000, markets=4, price_reach=0.3, caution=4.0, validation=GLANCE)
    market = unsure_shop(locations=12)
    policy = train_ppo(market, settings, seed=0, base=at(1.8))
    (row,) = evaluate(market, [policy], episodes=4, horizon=8, seed=11).policies()
    assert 1.8 * float(row["price_mean"]) == pytest.approx(KNOWN, abs=0.06)
