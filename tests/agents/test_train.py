"""Learners must find what is known to be best, starting from something else."""


import pytest
from shops import shop

from mercato.agents.baselines.orders import BaseStock, FixedCover
from mercato.agents.baselines.prices import CostPlus, LastPrice
from mercato.agents.evaluation import evaluate
from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.policy import Pair
from mercato.agents.train import DQNSettings, PPOSettings, train_dqn, train_ppo
from mercato.envs.economics import Economics
from mercato.envs.market import Market

GLANCE = Validation(times=4, episodes=8, horizon=13)
RIVALS = Pair(
    "rivals", CostPlus(0.5), BaseStock()
)  # the price of two rivals: own -3 alone gives 1.5 times cost
LADDER = (-0.25, 0.0, 0.25, 0.5, 0.75, 1.0)


def substitutes(locations: int) -> Market:
    """Own -3, cross +1, unit cost 1: two rivals charge 1.5, one shop that owns both charges 2."""
    return shop([[-3.0, 1.0], [1.0, -3.0]], locations=locations, base=60.0)


def price_level(market: Market, policy: LearnedPolicy) -> float:
    """Mean price in multiples of unit cost."""
    (row,) = evaluate(market, [policy], episodes=4, horizon=8, seed=11).policies()
    return 1.8 * float(row["price_mean"])


def newsvendor() -> Market:
    """Poisson 10, lead time 1, dear stock and dear shortage; price has no effect."""
    economics = Economics(holding_rate=0.25, shortage_rate=0.4, initial_cover=2.0)
    return shop(None, locations=16, base=10.0, economics=economics)


def best_cover(market: Market) -> tuple[float, float]:
    """The best fixed cover, by a fine grid, and what it earns."""
    tried = [Pair(f"{tenths / 10}", LastPrice(), FixedCover(tenths / 10)) for tenths in range(14, 34)]
    table = evaluate(market, tried, episodes=16, horizon=26, seed=5)
    earned = table.values["profit"].mean(axis=1)
    return float(table.names[int(earned.argmax())]), float(earned.max())


def profit(market: Market, policy: object) -> float:
    (row,) = evaluate(market, [policy], episodes=16, horizon=26, seed=5).policies()
    return float(row["profit_mean"])


def test_ppo_prices_two_substitutes_as_one_shop():
    market = substitutes(locations=12)
    settings = PPOSettings(steps=60_000, batch=1024, hidden=(32, 32), validation=GLANCE)
    policy = train_ppo(market, settings, seed=0, base=RIVALS)
    assert price_level(market, policy) == pytest.approx(2.0, abs=0.12)


@pytest.mark.slow
def test_dqn_prices_two_substitutes_as_one_shop():
    market = substitutes(locations=12)
    settings = DQNSettings(steps=200_000, warm_up=10_000, prices=LADDER, price_reach=0.3, validation=GLANCE)
    policy = train_dqn(market, settings, seed=0, base=RIVALS)
    assert price_level(market, policy) == pytest.approx(2.0, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "settings"),
    [
        (train_ppo, PPOSettings(steps=300_000, price_reach=0.0, validation=GLANCE)),
        (
            train_dqn,
            DQNSettings(
                steps=300_000,
                warm_up=10_000,
                prices=(0.0,),
                covers=(-1, -0.5, 0, 0.5, 1),
                cover_reach=0.4,
                validation=GLANCE,
            ),
        ),
    ],
)
def test_learners_find_the_newsvendor_stock(train, settings):
    market = newsvendor()
    _, most = best_cover(market)
    start = Pair("start", LastPrice(), FixedCover(1.7))
    policy = train(market, settings, seed=0, base=start)
    assert profit(market, start) < 0.97 * most
    assert profit(market, policy) > 0.99 * most
