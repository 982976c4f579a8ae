"""DQN on the device: stock samples and files, exploration of each slot's own."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import NStepReplayBuffer
from stable_baselines3.common.callbacks import CheckpointCallback, EvalCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecMonitor
from tensor_envs import NUMBERS, Guess, naming

from mercato.agents.learner import AdditiveQPolicy
from mercato.agents.on_device.dqn import DeviceDQN
from mercato.agents.on_device.replay import ReplayTensors
from mercato.forecasters.errors import InputError

SMALL = {
    "buffer_size": 2_000,
    "learning_starts": 64,
    "batch_size": 64,
    "train_freq": 4,
    "gradient_steps": 2,
    "target_update_interval": 8,
    "tau": 0.1,
    "n_steps": 2,
    "gamma": 0.5,
    "seed": 3,
    "device": "cpu",
}


def lattice(slots: int) -> Guess:
    """Two prices by two covers."""
    return Guess(slots, spaces.Discrete(4))


@pytest.mark.parametrize("n_steps", [1, 3, 5])
@pytest.mark.parametrize("played", [4, 10, 25])  # of the 10 steps remembered
def test_samples_are_the_stock_ones(n_steps, played):
    env, slots = naming(6), 6
    shape = (10 * slots, env.observation_space, env.action_space)
    ours = ReplayTensors(*shape, "cpu", slots, n_steps=n_steps, gamma=0.8)
    stock = NStepReplayBuffer(*shape, "cpu", slots, n_steps=n_steps, gamma=0.8)
    other, rng = naming(6), torch.Generator().manual_seed(0)
    seen = env.reset_tensor()
    other.reset()
    for _ in range(played):
        actions = torch.randint(NUMBERS, (slots,), generator=rng)
        new, reward, ended = env.step_tensor(actions)
        ours.add(seen, new, actions, reward, ended)
        _, _, done, infos = other.step(actions.numpy())
        following = new.numpy().copy()
        for slot in np.flatnonzero(done):
            following[slot] = infos[slot]["terminal_observation"]
        stock.add(seen.numpy(), following, actions.numpy(), reward.numpy(), done, infos)
        seen = new
    steps = np.repeat(np.arange(min(played, 10)), 30)
    np.random.seed(0)
    theirs = stock._get_samples(steps)
    np.random.seed(0)
    chosen = torch.as_tensor(np.random.randint(0, slots, size=steps.shape))
    mine = ours.returns_from(torch.as_tensor(steps), chosen)
    assert ours.size() == stock.size()
    for name in ("observations", "actions", "next_observations", "dones", "rewards", "discounts"):
        assert torch.allclose(getattr(mine, name), getattr(theirs, name), atol=1e-6), name


def test_every_remembered_step_is_sampled_alike():
    memory = ReplayTensors(12, spaces.Box(0, 9, (1,)), spaces.Discrete(2), "cpu", n_envs=3)
    for step in range(6):  # the first two are forgotten
        number = (3.0 * step + torch.arange(3.0)).unsqueeze(1)
        memory.add(number, number, torch.zeros(3, dtype=torch.int64), torch.zeros(3), None)
    torch.manual_seed(0)
    seen, counts = memory.sample(12_000).observations.unique(return_counts=True)
    assert seen.tolist() == list(range(6, 18))
    assert (counts - 1_000).abs().max() < 150


def test_it_learns_to_name_the_number():
    settings = {**SMALL, "buffer_size": 20_000, "target_update_interval": 64, "learning_rate": 3e-3}
    model = DeviceDQN("MlpPolicy", naming(64), **settings)
    model.learn(30_000)
    env = naming(64)
    seen = env.reset()
    action, _ = model.predict(seen, deterministic=True)
    _, reward, _, _ = env.step(action)
    assert reward.mean() > 0.95


def test_slots_explore_each_with_its_own_coin():
    model = DeviceDQN("MlpPolicy", naming(400), **{**SMALL, "target_update_interval": 400})
    model.learn(400)
    model.exploration_rate = 0.3
    greedy = model.q_net(model._last_obs).argmax(1)
    shares = [float((model._explore(0) != greedy).float().mean()) for _ in range(5)]
    assert all(0.12 < share < 0.34 for share in shares)  # 0.3 · 3/4 of 400 slots
    tried = model._explore(learning_starts=2_000)
    assert tried.bincount().tolist() == pytest.approx([100] * 4, abs=35)
    shares = [float((model.predict(model._last_obs.numpy())[0] != greedy.numpy()).mean()) for _ in range(5)]
    assert all(0.12 < share < 0.34 for share in shares)


def test_the_log_tells_of_episodes_and_loss():
    dumps = []
    model = DeviceDQN("MlpPolicy", naming(8), **SMALL)
    model.set_logger(Logger(None, []))
    model.logger.dump = lambda step=0: dumps.append(dict(model.logger.name_to_value))
    model.learn(2_000, log_interval=50)
    assert len(dumps) == pytest.approx(2_000 / 4.1 / 50, abs=2)
    last = dumps[-1]
    assert last["rollout/ep_len_mean"] == pytest.approx(4.35, abs=0.4)
    assert last["rollout/ep_rew_mean"] < last["rollout/ep_len_mean"]
    assert last["train/loss"] > 0
    assert last["rollout/exploration_rate"] == pytest.approx(0.05)


def test_a_seed_fixes_the_training():
    one, two, other = (
        DeviceDQN("MlpPolicy", naming(8), **{**SMALL, "seed": seed}).learn(500).get_parameters()["policy"]
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("policy", "heads"), [("MlpPolicy", {}), (AdditiveQPolicy, {"prices": 2, "covers": 2})]
)
def test_saved_files_load_in_stock_and_go_on(policy, heads, tmp_path):
    ours = DeviceDQN(policy, lattice(8), policy_kwargs=heads, **SMALL).learn(400)
    ours.save(tmp_path / "ours.zip")
    stock = DQN.load(tmp_path / "ours.zip", env=lattice(8), device="cpu")
    seen = lattice(8).reset()
    assert (ours.predict(seen, deterministic=True)[0] == stock.predict(seen, deterministic=True)[0]).all()
    stock.learn(200, reset_num_timesteps=False)
    assert isinstance(stock.replay_buffer, NStepReplayBuffer)
    stock.save(tmp_path / "stock.zip")
    again = DeviceDQN.load(tmp_path / "stock.zip", env=lattice(8), device="cpu")
    again.learn(128, reset_num_timesteps=False)
    assert again.num_timesteps == stock.num_timesteps + 128
    assert isinstance(again.replay_buffer, ReplayTensors)


def test_what_is_remembered_is_saved_and_read(tmp_path):
    model = DeviceDQN("MlpPolicy", naming(8), **SMALL).learn(416)
    model.save_replay_buffer(tmp_path / "memory.pkl")
    other = DeviceDQN("MlpPolicy", naming(8), **SMALL)
    other.load_replay_buffer(tmp_path / "memory.pkl")
    assert torch.equal(other.replay_buffer.rewards[:52], model.replay_buffer.rewards[:52])
    assert other.replay_buffer.size() == 52
    other.learn(100)


def test_callbacks_work_as_ever(tmp_path):
    evaluate = EvalCallback(
        VecMonitor(naming(4)), eval_freq=20, log_path=str(tmp_path), verbose=0, warn=False
    )
    keep = CheckpointCallback(save_freq=50, save_path=str(tmp_path), save_replay_buffer=True)
    model = DeviceDQN("MlpPolicy", naming(8), **SMALL)
    with pytest.warns(UserWarning, match="not of the same type"):  # the evaluated one is monitored
        model.learn(480, callback=[evaluate, keep])
    assert np.load(tmp_path / "evaluations.npz")["results"].shape == (3, 5)
    assert DQN.load(tmp_path / "rl_model_400_steps.zip", device="cpu").num_timesteps == 400


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="train_freq in steps"):
        DeviceDQN("MlpPolicy", naming(1), **{**SMALL, "train_freq": (1, "episode")})
    with pytest.raises(InputError, match="replay buffer"):
        DeviceDQN("MlpPolicy", naming(1), optimize_memory_usage=True, **SMALL)


def test_an_update_is_the_stock_one():
    """On the same samples, decay of weights and clipping of gradients included."""
    kwargs = {"optimizer_class": torch.optim.AdamW, "optimizer_kwargs": {"weight_decay": 2.0}}
    settings = {**SMALL, "learning_rate": 1e-2, "max_grad_norm": 0.1, "policy_kwargs": kwargs}
    played = DeviceDQN("MlpPolicy", naming(8), **settings).learn(400)
    batches = [played.replay_buffer.sample(64) for _ in range(20)]

    def updated(kind: type[DQN]) -> DQN:
        model = kind("MlpPolicy", naming(8), **settings)
        model.set_logger(Logger(None, []))
        samples = iter(batches)
        model.replay_buffer.sample = lambda *_, **__: next(samples)
        model.train(gradient_steps=20, batch_size=64)
        return model

    for mine, theirs in zip(
        updated(DeviceDQN).policy.parameters(), updated(DQN).policy.parameters(), strict=True
    ):
        assert torch.allclose(mine, theirs, atol=1e-4)
