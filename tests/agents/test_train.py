"""Learners must find what is known to be best, starting from something else."""

from dataclasses import replace

import pytest
import torch
from shops import shop

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock, FixedCover
from mercato.agents.baselines.prices import CostPlus, LastPrice
from mercato.agents.corrections import OfLevel
from mercato.agents.customers import LearnerVecEnv, crowds_of
from mercato.agents.evaluation import evaluate
from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import AdditiveQPolicy, Best, Validation, validation_worth, watch
from mercato.agents.network import Standardise
from mercato.agents.on_device.dqn import DeviceDQN
from mercato.agents.pathwise import PathwiseSettings, train_pathwise
from mercato.agents.policy import Pair
from mercato.agents.residual import Residual, ResidualGrid
from mercato.agents.train import DQNSettings, PPOSettings, best_base, discount, train_dqn, train_ppo
from mercato.agents.tuning import tune_baselines
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.processes import Independent
from mercato.forecasters.errors import InputError
from mercato.forecasters.progress import SILENT
from tests.listener import Listener

GLANCE = Validation(times=4, episodes=8, horizon=13)
RIVALS = Pair(
    "rivals", CostPlus(0.5), BaseStock()
)  # the price of two rivals: own -3 alone gives 1.5 times cost
SHORT = Pair("short", LastPrice(), FixedCover(1.7))  # too little stock for lead time 1
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


def best_cover_profit(market: Market) -> float:
    """What the best fixed cover earns, by a fine grid."""
    return max(profit(market, Pair("trial", LastPrice(), FixedCover(c / 10))) for c in range(18, 30))


def profit(market: Market, policy: object) -> float:
    (row,) = evaluate(market, [policy], episodes=16, horizon=26, seed=5).policies()
    return float(row["profit_mean"])


def test_ppo_prices_two_substitutes_as_one_shop():
    market = substitutes(locations=12)
    policy = train_ppo(market, PPOSettings(steps=100_000, markets=4, validation=GLANCE), seed=0, base=RIVALS)
    assert price_level(market, policy) == pytest.approx(2.0, abs=0.15)


@pytest.mark.slow
def test_dqn_prices_two_substitutes_as_one_shop():
    market = substitutes(locations=12)
    settings = DQNSettings(steps=200_000, warm_up=10_000, prices=LADDER, price_reach=0.3, validation=GLANCE)
    policy = train_dqn(market, settings, seed=0, base=RIVALS)
    assert price_level(market, policy) == pytest.approx(2.0, abs=0.2)


@pytest.mark.slow
def test_ppo_finds_the_newsvendor_stock():
    market = newsvendor()
    policy = train_ppo(market, PPOSettings(price_reach=0.0), seed=0, base=SHORT)
    assert profit(market, SHORT) < 0.8 * best_cover_profit(market)
    assert profit(market, policy) > 0.99 * best_cover_profit(market)


def test_dqn_finds_the_newsvendor_stock():
    market = newsvendor()
    settings = DQNSettings(
        steps=60_000,
        warm_up=5_000,
        prices=(0.0,),
        covers=(-1.0, -0.5, 0.0, 0.5, 1.0),
        orders=OfLevel(0.4),
        validation=GLANCE,
    )
    policy = train_dqn(market, settings, seed=0, base=SHORT)
    assert profit(market, policy) > 0.97 * best_cover_profit(market)


TINY = Validation(times=2, episodes=2, horizon=4, series=64)
OFTEN = replace(TINY, times=6)
BRIEF_PPO = PPOSettings(steps=2_000, markets=2, horizon=8, rollout=8, hidden=(8,), validation=TINY)
BRIEF_DQN = DQNSettings(
    steps=2_000, markets=2, horizon=8, warm_up=500, batch=64, hidden=(8,), validation=TINY
)
BRIEF_PATHWISE = PathwiseSettings(steps=2_000, markets=2, horizon=8, window=8, hidden=(8,), validation=TINY)
BRIEF = [(train_ppo, BRIEF_PPO), (train_dqn, BRIEF_DQN), (train_pathwise, BRIEF_PATHWISE)]


@pytest.mark.parametrize(("train", "settings"), BRIEF)
def test_the_same_seed_gives_the_same_policy(train, settings):
    market = shop([[-3.0]], locations=4)
    one, two, other = (train(market, settings, seed=seed, base=SHORT) for seed in (1, 1, 2))
    weights, again, others = (policy.network.state_dict() for policy in (one, two, other))
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    assert not all(torch.equal(weights[key], others[key]) for key in weights)


@pytest.mark.parametrize(("train", "settings"), BRIEF)
def test_an_interrupted_training_keeps_the_best_so_far(train, settings):
    listener = Listener(interrupt_at=1)
    policy = train(shop([[-3.0]], locations=4), settings, seed=0, progress=listener, base=SHORT)
    assert isinstance(policy, LearnedPolicy)
    assert 0 < listener.done < settings.steps
    assert "interrupted" in listener.notes[-1]


@pytest.mark.parametrize(("train", "settings"), BRIEF)
def test_training_never_returns_less_than_its_start_in_validation(train, settings):
    market = shop([[-3.0]], locations=4)
    base = Pair("myopic", MyopicPrice(), BaseStock())
    policy = train(market, settings, seed=0, base=base)
    start, end = (validation_worth(market, one, 0, TINY) for one in (base, policy))
    assert end >= start * (1 - 1e-5)


def same(one: LearnedPolicy, other: LearnedPolicy) -> bool:
    weights, others = one.network.state_dict(), other.network.state_dict()
    return one.training == other.training and all(torch.equal(weights[key], others[key]) for key in weights)


@pytest.mark.parametrize(("train", "settings"), BRIEF)
def test_an_interrupted_training_ends_as_if_it_had_not_been(train, settings, tmp_path):
    market, settings = substitutes(locations=3), replace(settings, steps=4_000, validation=OFTEN)
    whole = train(market, settings, seed=3, base=RIVALS)
    for at in (2, 4):  # interrupted twice
        with pytest.raises(KeyboardInterrupt):
            train(market, settings, 3, Listener(at), base=RIVALS, checkpoint=tmp_path / "state")
    listener = Listener()
    policy = train(market, settings, 3, listener, base=RIVALS, checkpoint=tmp_path / "state")
    assert "going on from" in listener.notes[0]
    assert len(listener.notes) < OFTEN.times
    assert same(policy, whole)


def test_what_another_training_left_is_not_gone_on_with(tmp_path, monkeypatch):
    market, state = substitutes(locations=2), tmp_path / "state"
    settings = replace(BRIEF_PPO, steps=800, validation=replace(TINY, times=4))
    economics = market.economics.model_copy(update={"holding_rate": 0.07})
    with pytest.raises(KeyboardInterrupt):
        train_ppo(market, settings, 3, Listener(2), base=RIVALS, checkpoint=state)
    left = state.read_bytes()
    for shop_of, how, seed in (
        (market, settings, 4),
        (market, replace(settings, gamma=0.9), 3),
        (replace(market, economics=economics), settings, 3),
        (shop([[-3.01, 1.0], [1.0, -3.0]], locations=2, base=60.0), settings, 3),
    ):
        state.write_bytes(left)
        listener = Listener()
        train_ppo(shop_of, how, seed, listener, base=RIVALS, checkpoint=state)
        assert "going on" not in "".join(listener.notes)
    state.write_bytes(left)
    monkeypatch.setattr("mercato.agents.train.FORMAT", "that of another version")
    listener = Listener()
    train_ppo(market, settings, 3, listener, base=RIVALS, checkpoint=state)
    assert "going on" not in "".join(listener.notes)


def test_what_cannot_be_read_is_not_gone_on_with(tmp_path):
    market, settings, state = (
        substitutes(locations=2),
        replace(BRIEF_PPO, validation=OFTEN),
        tmp_path / "state",
    )
    with pytest.raises(KeyboardInterrupt):
        train_ppo(market, settings, 3, Listener(3), base=RIVALS, checkpoint=state)
    state.write_bytes(state.read_bytes()[:-100])
    policy = train_ppo(market, settings, 3, base=RIVALS, checkpoint=state)
    assert same(policy, train_ppo(market, settings, 3, base=RIVALS))


def test_without_a_base_the_best_baseline_is_tuned_and_corrected():
    market = shop([[-3.0, 1.0], [1.0, -3.0]], locations=4)
    base = best_base(market, tune_baselines(market, seed=0), 0, BRIEF_PPO.validation)
    policy = train_ppo(market, BRIEF_PPO, seed=0)
    assert policy.actions.pricing == base.pricing
    assert policy.actions.ordering == base.ordering


def test_one_market_alone_can_train():
    policy = train_ppo(shop([[-3.0]], locations=4), replace(BRIEF_PPO, markets=1), seed=0, base=SHORT)
    assert policy.training["settings"]["markets"] == 1


def test_an_excess_loses_the_noise_that_markets_share():
    """Markets under one policy meet the same customers, so that nobody earns more than another."""
    env = LearnerVecEnv(shop([[-3.0]], locations=3), 4, 6, 0, lambda _: Residual.of(SHORT, 0.2, OfLevel(0.2)))
    env.reset_tensor()
    for _ in range(14):
        observation, reward, _ = env.step_tensor(torch.zeros(env.num_envs, 2))
        assert torch.allclose(reward, torch.zeros(env.num_envs), atol=1e-6)
        assert torch.equal(observation[:3], observation[3:6])
    dearer = torch.zeros(4, 3, 2)
    dearer[0, :, 0] = 1.0
    _, reward, _ = env.step_tensor(dearer.flatten(0, 1))
    reward = reward.view(4, 3)
    assert torch.allclose(reward[0], -3 * reward[1], atol=1e-5)
    assert torch.allclose(reward[1], reward[2], atol=1e-6)


def test_many_markets_meet_customers_of_several_crowds():
    """One market's customers are not all that a small shop learns from; an excess is over its own crowd."""
    crowds = crowds_of(17, torch.device("cpu"))
    env = LearnerVecEnv(shop([[-3.0]]), 17, 6, 0, lambda _: Residual.of(SHORT, 0.2, OfLevel(0.2)))
    env.reset_tensor()
    for _ in range(14):
        observation, reward, _ = env.step_tensor(torch.zeros(17, 2))
        assert torch.allclose(reward, torch.zeros(17), atol=1e-6)
        assert all(len(observation[crowds == crowd].unique(dim=0)) == 1 for crowd in (0, 1))
    assert not torch.equal(observation[0], observation[1])
    dearer = torch.zeros(17, 2)
    dearer[3, 0] = 1.0
    _, reward, _ = env.step_tensor(dearer)
    others = (crowds == crowds[3]) & (torch.arange(17) != 3)
    assert 7 <= others.sum() <= 8
    assert reward[3].item() == pytest.approx(-reward[others].sum().item(), abs=1e-5)
    assert torch.allclose(reward[crowds != crowds[3]], torch.zeros(1), atol=1e-6)


def test_a_boundless_margin_is_the_baseline():
    market = shop([[-3.0]], locations=4)
    policy = train_dqn(market, replace(BRIEF_DQN, margins=(1e6,)), seed=0, base=SHORT)
    assert profit(market, policy) == pytest.approx(profit(market, SHORT), rel=1e-4)


def test_values_of_price_and_cover_add_up():
    """What one cover is worth more than another does not depend on the price."""
    env = LearnerVecEnv(
        shop([[-3.0]], locations=3), 1, 6, 0, lambda _: ResidualGrid(Residual.of(SHORT, 0.1, OfLevel(0.1)))
    )
    model = DeviceDQN(AdditiveQPolicy, env, buffer_size=10, policy_kwargs={"prices": 5, "covers": 3}, seed=0)
    values = model.q_net(env.reset_tensor()).view(3, 5, 3)
    assert torch.allclose(
        values[:, :1, 1:] - values[:, :1, :1], values[:, 3:4, 1:] - values[:, 3:4, :1], atol=1e-6
    )


@pytest.mark.parametrize("kind", [PPOSettings, DQNSettings])
@pytest.mark.parametrize(
    ("name", "value"), [("steps", -1), ("steps", "many"), ("markets", 0), ("batch", 0.5), ("horizon", True)]
)
def test_settings_that_no_training_could_have_are_refused(kind, name, value):
    with pytest.raises(InputError, match=f"{name}: expected a whole number of 1 or more, found {value!r}"):
        kind(**{name: value})


def with_calendar(market: Market) -> Market:
    """The market with demand that is told week by week, the same in each."""
    demand = market.demand
    assert isinstance(demand, Independent)
    weekly = demand.base.expand(52, *market.shape)
    return market.with_demand(
        Independent(
            demand.counts,
            weekly,
            reference_price=demand.reference_price,
            elasticity=demand.elasticity,
            locations=demand.locations,
            items=demand.items,
            periods=demand.periods,
        )
    )


def test_statistics_are_of_all_seasons():
    """Seen from one date on, most of the year would be cut off at five deviations."""
    market = shop([[-3.0]], locations=2)
    env = LearnerVecEnv(with_calendar(market), 2, 52, 0, lambda _: Residual.of(SHORT, 0.2, OfLevel(0.2)))
    seen = watch(env, 0)
    standardise = Standardise.of(seen)
    names = env.batch.observation.names
    season = [names.index(name) for name in ("season_sin", "season_cos")]
    assert standardise.deviation[season].tolist() == pytest.approx([0.5**0.5] * 2, abs=0.1)
    assert float(standardise(seen)[:, season].abs().max()) < 2.0
    assert torch.equal(seen, watch(env, 0))


@pytest.mark.parametrize(
    ("economics", "ahead"),
    [
        ({"lead_time": 0}, 2),
        ({"lead_time": 1}, 4.5),
        ({"lead_time": 2, "order_every": 4}, 10),
        ({"season": 9}, None),
    ],
)
def test_a_learner_looks_as_far_ahead_as_a_decision_matters(
    economics: dict[str, int], ahead: float | None
) -> None:
    """1 / (1 - γ) periods: until an order placed now is used up; in a season to its end."""
    found = discount(shop(None, economics=Economics(**economics)), None)
    assert found == (1.0 if ahead is None else pytest.approx(1 - 1 / ahead))
    assert discount(shop(None), 0.9) == 0.9


def test_a_policy_is_kept_where_it_surely_earns_more() -> None:
    """A gain of 0.1 a season, ±1 in 100 of them, may be chance; one of 0.5 is one of 0.3 at least."""
    market = shop([[-3.0]], economics=Economics(season=4))
    policy = train_pathwise(market, replace(BRIEF_PATHWISE, steps=1), base=RIVALS)
    luck = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(50)
    profits = iter([torch.zeros_like(luck), 0.1 + luck, 0.5 + luck, 0.4 + luck])
    policies = iter([policy.named(name) for name in ("base", "lucky", "better", "worse")])
    with SILENT.stage("train", total=3) as stage:
        best = Best(lambda: [next(policies)], lambda _: next(profits), stage)
        for name in ("base", "better", "better"):
            best.consider(1)
            assert best.policy.name == name
    assert best.most == pytest.approx(0.3, abs=0.01)
