"""Using an environment wrongly is one plain sentence; what Gymnasium asks of one is there."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import error
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics, RescaleAction, TimeLimit
from small_markets import make_market
from stable_baselines3.common.env_checker import check_env as sb3_check
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from mercato.envs.adapters.batch import HORIZON
from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.adapters.vector_env import MarketplaceVectorEnv
from mercato.envs.economics import Economics
from mercato.envs.engine.actions import GridActions
from mercato.envs.engine.doubt import Halt
from mercato.forecasters.errors import InputError

MARKETPLACE = "mercato.envs:Marketplace-v0"
MARKET = make_market(3, 2, groups=("a", "b", "a"), economics=Economics(lead_time=2, initial_cover=3))
SIZE = 8  # numbers of an action: 4 decision units × 2
MAKERS = [
    lambda **changes: MarketplaceEnv(MARKET, **changes),
    lambda **changes: MarketplaceVectorEnv(2, MARKET, **changes),
    lambda **changes: MarketplaceVecEnv(MARKET, 2, **changes),
    lambda **changes: gymnasium.make(MARKETPLACE, market=MARKET, **changes),
    lambda **changes: gymnasium.make_vec(MARKETPLACE, num_envs=2, market=MARKET, **changes),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizn": 5}, r"expected arguments of \w+ \(.*\), found 'horizn'; did you mean 'horizon'\?"),
        ({"action": GridActions}, "found 'action'; did you mean 'actions'"),
        ({"horizon": 0}, "horizon: expected a whole number of 1 or more, found 0"),
        ({"horizon": -3}, "horizon: expected a whole number of 1 or more, found -3"),
        ({"horizon": 5.5}, "horizon: expected a whole number of 1 or more, found 5.5"),
        ({"horizon": "ten"}, "horizon: expected a whole number of 1 or more, found 'ten'"),
        ({"horizon": True}, "horizon: expected a whole number of 1 or more, found True"),
        ({"horizon": None}, "horizon: expected a whole number of 1 or more, found None"),
        ({"actions": "grid"}, "actions: expected what makes an action map, like BoxActions, found 'grid'"),
        ({"reward": "profit"}, "reward: expected an object that pays, like CategoryProfit.., found 'profit'"),
        ({"halt": 0.3}, "halt: expected a Halt, found 0.3"),
        ({"run": "fast"}, "run: expected as_written or Compiled.., found 'fast'"),
    ],
)
def test_a_wrong_argument_is_one_plain_sentence(make, changes, message) -> None:
    with pytest.raises(InputError, match=message):
        make(**changes)


def test_a_missing_or_impossible_market_is_said() -> None:
    with pytest.raises(InputError, match=r"expected arguments market, .*'market'"):
        gymnasium.make(MARKETPLACE)
    with pytest.raises(InputError, match="market: expected a Market or the folder of a fitted one, found 5"):
        gymnasium.make(MARKETPLACE, market=5)
    with pytest.raises(InputError, match="n_markets: expected a whole number of 1 or more, found 0"):
        MarketplaceVecEnv(MARKET, 0)
    with pytest.raises(InputError, match=r"found 'next_step'; did you mean 'NextStep'\?"):
        MarketplaceVectorEnv(2, MARKET, autoreset_mode="next_step")
    with pytest.raises(InputError, match="render_mode: expected None or 'rgb_array', found 'human'"):
        MarketplaceEnv(MARKET, render_mode="human")


@pytest.mark.parametrize(
    "env", [MarketplaceEnv(MARKET), MarketplaceVectorEnv(2, MARKET), MarketplaceVecEnv(MARKET, 2)]
)
def test_a_step_before_the_first_reset_is_gymnasiums_error_and_ours(env) -> None:
    leading = {MarketplaceEnv: (SIZE,), MarketplaceVectorEnv: (2, SIZE), MarketplaceVecEnv: (8, 2)}
    action = np.zeros(leading[type(env)])
    for kind in (error.ResetNeeded, InputError):
        with pytest.raises(kind, match="expected reset"):
            env.step(action)


def test_tensors_before_the_first_reset_too() -> None:
    with pytest.raises(error.ResetNeeded, match="expected reset"):
        MarketplaceVecEnv(MARKET, 2).step_tensor(torch.zeros(8, 2))


def test_a_step_after_the_end_asks_for_a_reset() -> None:
    env = MarketplaceEnv(MARKET, horizon=1)
    env.reset(seed=0)
    assert env.step(np.zeros(SIZE))[3]
    with pytest.raises(error.ResetNeeded, match=r"the episode is over: expected reset\(\)"):
        env.step(np.zeros(SIZE))
    env.reset()
    env.step(np.zeros(SIZE))
    halted = MarketplaceEnv(MARKET, halt=Halt(off_support=0.0, disagreement=0.0))
    halted.reset(seed=0)
    assert not halted.step(np.zeros(SIZE))[2]
    halted.step(np.zeros(SIZE))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros((4, 2)), r"expected numbers of shape \(8,\), .*, found float64 of shape \(4, 2\)"),
        (np.zeros((2, 8)), r"found float64 of shape \(2, 8\)"),
        (0.5, r"found float64 of shape \(\)"),
        (None, "found object of shape"),
        (["dear"] * 8, r"found <U4 of shape \(8,\)"),
        (np.zeros(8, bool), "found bool of shape"),
        (np.zeros(8, complex), "found complex128 of shape"),
        ([[0.0] * 3, [0.0] * 5], "found list that is none"),
        (torch.zeros(8, requires_grad=True), "found Tensor that is none"),
        (
            [0, 0, 0, 0, 0, np.nan, 0, 0],
            "found nan in place 5: number 1 of market 0, price group b, item item 1$",
        ),
        ([0, 0, 0, -np.inf, 0, 0, 0, 0], "found -inf in place 3: .* price group a, item item 2$"),
    ],
)
def test_an_action_that_is_none_says_what_and_where(action, message) -> None:
    env = MarketplaceEnv(MARKET)
    env.reset(seed=0)
    for kind in (InputError, error.InvalidAction):
        with pytest.raises(kind, match=message):
            env.step(action)
    observation, reward, *_ = env.step(np.zeros(SIZE))  # and the episode goes on
    assert np.isfinite(observation).all()
    assert np.isfinite(reward)


def test_an_option_that_there_is_not_names_its_market_and_unit() -> None:
    env = MarketplaceVectorEnv(2, MARKET, actions=GridActions)
    env.reset(seed=0)
    for wrong in (63, -1, 0.5):
        actions = np.zeros((2, 4))
        actions[1, 2] = wrong
        message = f"whole numbers from 0 to 62, found {wrong}.* market 1, price group b, item item 1"
        with pytest.raises(error.InvalidAction, match=message):
            env.step(actions)


def test_what_lies_beyond_the_box_counts_as_its_end() -> None:
    seen = []
    for end in (1.0, 7.0, 1e300):
        env = MarketplaceEnv(MARKET)
        env.reset(seed=0)
        seen.append(env.step(np.full(SIZE, end))[0])
    assert np.array_equal(seen[0], seen[1])
    assert np.array_equal(seen[0], seen[2])


@pytest.mark.parametrize("horizon", [None, 3])
def test_the_spec_says_when_episodes_truncate_and_makes_the_same_again(horizon) -> None:
    asked = {} if horizon is None else {"horizon": horizon}
    periods = HORIZON if horizon is None else horizon
    env = gymnasium.make(MARKETPLACE, market=MARKET, **asked)
    again = gymnasium.make(env.spec)
    for one in (env, env.unwrapped, again):
        assert one.spec.max_episode_steps == periods
        one.reset(seed=0)
        ends = [one.step(np.zeros(SIZE, np.float32))[3] for _ in range(periods)]
        assert ends == [False] * (periods - 1) + [True]
    vector = gymnasium.make_vec(MARKETPLACE, num_envs=2, market=MARKET, **asked)
    for many in (vector, gymnasium.make_vec(vector.spec)):
        assert many.spec.max_episode_steps == periods
        assert many.num_envs == 2
        many.reset(seed=0)
        ends = [many.step(np.zeros((2, SIZE), np.float32))[3].all() for _ in range(periods)]
        assert ends == [False] * (periods - 1) + [True]


def test_gymnasiums_name_of_the_horizon_serves_the_vector_environment() -> None:
    env = gymnasium.make_vec(MARKETPLACE, num_envs=2, market=MARKET, max_episode_steps=4)
    assert env.spec.max_episode_steps == 4
    with pytest.raises(InputError, match="max_episode_steps: expected the horizon 5, found 4"):
        MarketplaceVectorEnv(2, MARKET, horizon=5, max_episode_steps=4)


def test_checkers_and_wrappers_accept_it_drawn_or_not() -> None:
    env = gymnasium.make(MARKETPLACE, market=MARKET, horizon=3, render_mode="rgb_array")
    check_env(env.unwrapped)
    sb3_check(env.unwrapped)
    low = np.zeros(SIZE, np.float32)
    wrapped = RecordEpisodeStatistics(TimeLimit(FlattenObservation(RescaleAction(env, low, low + 1)), 3))
    wrapped.reset(seed=0)
    for _ in range(3):
        *_, truncated, info = wrapped.step(np.full(SIZE, 0.5, np.float32))
    assert truncated
    assert info["episode"]["l"] == 3
    stock = DummyVecEnv([lambda: Monitor(gymnasium.make(MARKETPLACE, market=MARKET, horizon=3))])
    for slots in (VecNormalize(stock), VecMonitor(MarketplaceVecEnv(MARKET, 2, horizon=3))):
        slots.reset()
        for _ in range(3):
            _, _, dones, infos = slots.step(np.zeros((slots.num_envs, *slots.action_space.shape)))
        assert dones.all()
        assert infos[0]["episode"]["l"] == 3
        assert infos[0]["TimeLimit.truncated"]
