"""Gymnasium and SB3 adapters: their contracts, their seeds, and that all are views of one engine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env as gymnasium_check
from gymnasium.vector import AutoresetMode
from small_markets import make_market
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env as sb3_check

from mercato.envs.adapters.batch import as_market
from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.adapters.vector_env import MarketplaceVectorEnv
from mercato.envs.economics import Economics
from mercato.envs.engine.actions import GridActions, RawActions
from mercato.envs.engine.rewards import OwnProfit
from mercato.envs.market import Market
from mercato.forecasters.errors import InputError

MARKETPLACE = "mercato.envs:Marketplace-v0"
OURS = ["Marketplace-v0"]
HORIZON, UNITS = 5, 4  # two price groups of three locations, two items


@pytest.fixture(scope="module")
def market() -> Market:
    return make_market(3, 2, groups=("a", "b", "a"), economics=Economics(lead_time=2, initial_cover=3))


def some_actions(steps: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (steps, *shape)).astype(np.float32)


@pytest.mark.parametrize("actions", [None, GridActions, partial(RawActions, max_units=40)])
def test_both_checkers_pass(market: Market, actions) -> None:
    chosen = {} if actions is None else {"actions": actions}
    env = gymnasium.make(MARKETPLACE, market=market, horizon=HORIZON, **chosen)
    gymnasium_check(env.unwrapped)
    sb3_check(env.unwrapped)


def test_the_registry_knows_the_marketplace() -> None:
    assert set(OURS) <= set(gymnasium.registry)


@pytest.mark.parametrize("name", OURS)
def test_two_instances_under_one_seed_agree_and_another_seed_does_not(market: Market, name: str) -> None:
    def rollout(seed: int) -> list[tuple]:
        env = gymnasium.make(f"mercato.envs:{name}", market=market, horizon=HORIZON)
        env.action_space.seed(0)
        steps = [env.reset(seed=seed)]
        for _ in range(3 * HORIZON):
            steps.append(env.step(env.action_space.sample()))
            if steps[-1][3]:
                steps.append(env.reset())
        return steps

    first, second, other = rollout(1), rollout(1), rollout(2)
    assert all(np.array_equal(a[0], b[0]) and a[1:] == b[1:] for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


def test_an_unseeded_reset_goes_on_to_new_episodes(market: Market) -> None:
    env = MarketplaceEnv(market, horizon=HORIZON)
    env.reset(seed=4)
    profits = set()
    for _ in range(4):
        profits.add(sum(env.step(np.zeros(UNITS * 2, np.float32))[4]["profit"] for _ in range(HORIZON)))
        env.reset()
    assert len(profits) == 4
    fresh = [MarketplaceEnv(market, horizon=HORIZON).reset()[0] for _ in range(2)]
    assert all(env.observation_space.contains(observation) for observation in fresh)


@pytest.mark.parametrize("grid", [False, True])
def test_all_adapters_play_the_same_trajectory(market: Market, grid: bool) -> None:
    """Market slot 0 under one seed and the same actions, over two episodes."""
    chosen = {"actions": GridActions, "reward": OwnProfit()} if grid else {}
    env = gymnasium.make(MARKETPLACE, market=market, horizon=HORIZON, **chosen)
    vector = gymnasium.make_vec(
        MARKETPLACE,
        num_envs=3,
        market=market,
        horizon=HORIZON,
        autoreset_mode=AutoresetMode.SAME_STEP,
        **chosen,
    )
    slots = MarketplaceVecEnv(market, 3, horizon=HORIZON, seed=9, **chosen)
    seen = env.reset(seed=9)[0]
    together, each = vector.reset(seed=9)[0], slots.reset()
    vector.action_space.seed(0)
    for step in range(2 * HORIZON):
        assert np.array_equal(seen, together[0])
        assert np.array_equal(seen, each[:UNITS].flatten())
        actions = vector.action_space.sample()
        seen, reward, _, truncated, info = env.step(actions[0])
        together, rewards, _, truncations, infos = vector.step(actions)
        each, paid, dones, notes = slots.step(actions.reshape(slots.num_envs, *slots.action_space.shape))
        assert reward == pytest.approx(rewards[0])
        assert paid.reshape(3, UNITS).mean(1) == pytest.approx(rewards, abs=1e-6)
        assert info["profit"] == pytest.approx(infos["profit"][0])
        assert truncated == truncations.all() == dones.all() == (step % HORIZON == HORIZON - 1)
        if truncated:
            assert np.array_equal(seen, infos["final_obs"][0])
            last = [note["terminal_observation"] for note in notes[:UNITS]]
            assert np.array_equal(seen, np.concatenate(last))
            seen = env.reset()[0]


def test_next_step_autoreset_ignores_the_action_after_the_end(market: Market) -> None:
    env = gymnasium.make_vec(MARKETPLACE, num_envs=2, market=market, horizon=HORIZON)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    single = MarketplaceEnv(market, horizon=HORIZON)
    env.reset(seed=3), single.reset(seed=3)
    actions = some_actions(HORIZON, 2, UNITS * 2)
    for action in actions:
        seen, _, terminated, truncated, _ = env.step(action)
        last = single.step(action[0])[0]
    assert truncated.all()
    assert not terminated.any()
    assert np.array_equal(seen[0], last)
    seen, reward, _, truncated, infos = env.step(np.full_like(actions[0], 0.3))
    assert np.array_equal(seen[0], single.reset()[0])
    assert not reward.any()
    assert not truncated.any()
    assert not infos["_profit"].any()
    assert np.array_equal(env.step(actions[0])[0][0], single.step(actions[0][0])[0])


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_copies_reset_apart_end_apart(market: Market, mode: AutoresetMode) -> None:
    env = MarketplaceVectorEnv(3, market, horizon=4, autoreset_mode=mode)
    assert env.metadata["autoreset_mode"] is mode
    action = np.zeros((3, UNITS * 2), np.float32)
    env.reset(seed=0)
    env.step(action), env.step(action)
    second = np.array([False, True, False])
    env.reset(options={"reset_mask": second})
    ends = []
    for _ in range(4):
        _, _, _, truncated, infos = env.step(action)
        ends.append(truncated.tolist())
        if mode is AutoresetMode.SAME_STEP and truncated.any():
            assert infos["_final_obs"].tolist() == truncated.tolist()
            assert [row is not None for row in infos["final_obs"]] == truncated.tolist()
            assert np.array_equal(infos["final_info"]["profit"] != 0, truncated)
        if mode is AutoresetMode.DISABLED and truncated.any():
            with pytest.raises(InputError, match="reset of finished copies"):
                env.step(action)
            env.reset(options={"reset_mask": truncated})
    others, alone, nobody = [True, False, True], [False, True, False], [False] * 3
    assert ends == [nobody, others, nobody, alone]


def test_the_vector_environment_refuses_misuse(market: Market) -> None:
    env = MarketplaceVectorEnv(3, market)
    with pytest.raises(InputError, match="expected reset before the first step"):
        env.step(some_actions(1, 3, UNITS * 2)[0])
    with pytest.raises(InputError, match="reset_mask: expected a bool array of shape"):
        env.reset(options={"reset_mask": np.array([1, 0, 0])})


def test_slots_tell_of_finished_episodes_only(market: Market) -> None:
    env = MarketplaceVecEnv(market, 2, horizon=HORIZON)
    assert env.num_envs == 2 * UNITS
    env.reset()
    for action in some_actions(HORIZON - 1, env.num_envs, 2):
        _, _, dones, infos = env.step(action)
        assert not dones.any()
        assert not any(infos)
    seen, _, dones, infos = env.step(some_actions(1, env.num_envs, 2)[0])
    assert dones.all()
    for slot, info in enumerate(infos):
        assert set(info) == {"terminal_observation", "TimeLimit.truncated", "disagreement", "off_support"}
        assert info["TimeLimit.truncated"]
        assert not np.array_equal(info["terminal_observation"], seen[slot])
    assert not any(env.step(some_actions(1, env.num_envs, 2)[0])[3])


def test_tensors_and_arrays_are_the_same_slots(market: Market) -> None:
    arrays, tensors = (MarketplaceVecEnv(market, 2, horizon=3, seed=6) for _ in range(2))
    assert np.array_equal(arrays.reset(), tensors.reset_tensor().numpy())
    for action in some_actions(7, arrays.num_envs, 2):
        seen, reward, dones, infos = arrays.step(action)
        now, paid, ended = tensors.step_tensor(torch.from_numpy(action))
        assert np.array_equal(seen, now.numpy())
        assert np.array_equal(reward, paid.numpy())
        assert dones.all() == (ended is not None)
        if ended is not None:
            assert np.array_equal(infos[1]["terminal_observation"], ended.observation[1].numpy())


def test_seeding_a_vec_env_begins_its_episodes_again(market: Market) -> None:
    env = MarketplaceVecEnv(market, 2, horizon=HORIZON, seed=1)
    other = MarketplaceVecEnv(market, 2, horizon=HORIZON, seed=2)
    action = some_actions(1, env.num_envs, 2)[0]

    def first_rewards(e: MarketplaceVecEnv) -> list[float]:
        e.reset()
        return e.step(action)[1].tolist()

    mine, theirs, next_episode = first_rewards(env), first_rewards(other), first_rewards(env)
    assert mine != theirs
    assert mine != next_episode
    env.seed(2)
    assert first_rewards(env) == theirs


@pytest.mark.parametrize(
    ("learner", "settings", "actions"),
    [
        (PPO, {"n_steps": 8, "batch_size": 16, "n_epochs": 1}, None),
        (DQN, {"learning_starts": 16}, GridActions),
    ],
)
def test_stock_learners_train_on_the_slots(market: Market, learner, settings, actions) -> None:
    chosen = {} if actions is None else {"actions": actions}
    env = MarketplaceVecEnv(market, 2, horizon=HORIZON, **chosen)
    model = learner("MlpPolicy", env, seed=0, device="cpu", **settings).learn(10 * env.num_envs)
    action, _ = model.predict(env.reset())
    assert action.shape == (env.num_envs, *env.action_space.shape)
    assert env.env_is_wrapped(gymnasium.Wrapper) == [False] * env.num_envs


def test_a_market_is_taken_as_it_is_and_a_folder_is_opened(market: Market, tmp_path: Path) -> None:
    assert as_market(market) is market
    with pytest.raises(InputError, match="nowhere"):
        gymnasium.make(MARKETPLACE, market=str(tmp_path / "nowhere"))
