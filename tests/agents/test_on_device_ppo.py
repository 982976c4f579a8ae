"""PPO on the device is stock PPO: the same rollouts, updates, logs and files, and no numpy in between."""

import numpy as np
import pytest
import torch
from shops import shop
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback, EvalCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize
from tensor_envs import naming, pointing

from mercato.agents.on_device.ppo import DevicePPO
from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.forecasters.errors import InputError

SMALL = {"n_steps": 16, "batch_size": 32, "n_epochs": 2, "gamma": 0.9, "seed": 3, "device": "cpu"}
ENVS = pytest.mark.parametrize("make", [naming, pointing])


def pricing(slots: int) -> MarketplaceVecEnv:
    """A market whose episodes truncate within a rollout."""
    return MarketplaceVecEnv(shop([[-3.0]], locations=slots // 2), 2, 7)


def trained(kind: type[PPO], make, **settings) -> tuple[PPO, dict[str, float]]:
    """A model after one update, and what the logger heard of it."""
    model = kind("MlpPolicy", make(8), **settings)
    model.set_logger(Logger(None, []))
    model.learn(model.n_steps * model.n_envs, log_interval=None)
    return model, {name: v for name, v in model.logger.name_to_value.items() if name.startswith("train/")}


@pytest.mark.parametrize("make", [naming, pointing, pricing])
def test_the_first_rollout_is_the_stock_one(make):
    """Same seed, same network and same noise: actions, advantages and returns of the whole rollout agree."""

    def played(kind: type[PPO], env) -> PPO:
        model = kind("MlpPolicy", env, **SMALL)
        model.train = lambda: None
        return model.learn(16 * 8, log_interval=None)

    ours, stock = played(DevicePPO, make(8)), played(PPO, VecMonitor(make(8)))
    for name in ("observations", "actions", "rewards", "values", "log_probs", "advantages", "returns"):
        mine, theirs = getattr(ours.rollout_buffer, name).numpy(), getattr(stock.rollout_buffer, name)
        np.testing.assert_allclose(mine.reshape(theirs.shape), theirs, atol=1e-5, err_msg=name)
    assert [(e["r"], e["l"]) for e in ours.ep_info_buffer] == [
        (pytest.approx(e["r"], abs=1e-5), e["l"]) for e in stock.ep_info_buffer
    ]


@ENVS
@pytest.mark.parametrize(
    "extra", [{}, {"clip_range_vf": 0.1, "ent_coef": 0.01, "normalize_advantage": False}]
)
def test_an_update_is_the_stock_one(make, extra):
    """With one minibatch an epoch the order of samples does not matter."""
    settings = {**SMALL, **extra, "batch_size": 16 * 8, "n_epochs": 3}
    (ours, logs), (stock, stock_logs) = (trained(kind, make, **settings) for kind in (DevicePPO, PPO))
    assert logs.keys() == stock_logs.keys()
    for name, value in stock_logs.items():
        assert logs[name] == pytest.approx(value, abs=2e-4), name
    for mine, theirs in zip(ours.policy.parameters(), stock.policy.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=2e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the compiler's own
def test_a_compiled_update_is_the_same_and_is_compiled_once(tmp_path):
    pytest.importorskip("torch._inductor")
    settings = {**SMALL, "n_epochs": 3}
    models = [DevicePPO("MlpPolicy", pointing(8), compiled=on, **settings) for on in (False, True)]
    for model in models:
        model.set_random_seed(5)
        model.learn(128)
        with torch.compiler.set_stance("fail_on_recompile"):
            model.learn(256, reset_num_timesteps=False)
    for mine, theirs in zip(*(model.policy.parameters() for model in models), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-3)
    models[1].save(tmp_path / "compiled.zip")
    PPO.load(tmp_path / "compiled.zip", env=pointing(8), device="cpu").learn(128)


def test_without_a_compiler_the_update_runs_as_it_is(monkeypatch):
    def none(*_):
        raise RuntimeError("no compiler found\nand a long story")

    monkeypatch.setattr(torch, "compile", lambda function: none)
    with pytest.warns(UserWarning, match="operation by operation: no compiler found$"):
        model = DevicePPO("MlpPolicy", pointing(8), compiled=True, **SMALL)
    assert model.learn(128).num_timesteps == 128


def test_a_target_divergence_stops_the_update_as_in_stock():
    settings = {**SMALL, "batch_size": 16 * 8, "n_epochs": 50, "target_kl": 1e-3, "learning_rate": 3e-3}
    updates = [trained(kind, pointing, **settings)[1]["train/n_updates"] for kind in (DevicePPO, PPO)]
    assert updates[0] == updates[1] < 50


def test_the_log_tells_of_episodes():
    heard = []

    class Hear(BaseCallback):
        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            heard.append(dict(self.logger.name_to_value))

    model = DevicePPO("MlpPolicy", naming(8), **SMALL)
    model.set_logger(Logger(None, []))
    model.logger.dump = lambda step=0: None  # keep what was recorded
    model.learn(3 * 16 * 8, callback=Hear())
    assert heard[0] == {}
    assert heard[-1]["rollout/ep_len_mean"] == pytest.approx(
        4.35, abs=0.4
    )  # 3 to 6, the short ones more often
    assert heard[-1]["rollout/ep_rew_mean"] < heard[-1]["rollout/ep_len_mean"]
    assert heard[-1]["time/total_timesteps"] == 2 * 16 * 8


@ENVS
def test_it_learns_to_name_the_number(make):
    settings = {**SMALL, "batch_size": 256, "n_epochs": 8, "learning_rate": 5e-3}
    model = DevicePPO("MlpPolicy", make(64), **settings).learn(25_000)
    env = make(64)
    seen = env.reset_tensor()
    action, _ = model.predict(seen.numpy(), deterministic=True)
    _, reward, _ = env.step_tensor(torch.as_tensor(action))
    assert reward.mean() > 0.85


@ENVS
def test_a_seed_fixes_the_training(make):
    one, two, other = (
        DevicePPO("MlpPolicy", make(8), **{**SMALL, "seed": seed}).learn(500).get_parameters()["policy"]
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)


@ENVS
def test_saved_files_load_in_stock_and_go_on(make, tmp_path):
    ours = DevicePPO("MlpPolicy", make(8), **SMALL).learn(300)
    ours.save(tmp_path / "ours.zip")
    stock = PPO.load(tmp_path / "ours.zip", env=make(8), device="cpu")
    seen = make(8).reset()
    for mine, theirs in zip(ours.policy.parameters(), stock.policy.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    decided = [model.predict(seen, deterministic=True)[0] for model in (ours, stock)]
    np.testing.assert_allclose(*decided, atol=1e-6)
    stock.learn(300, reset_num_timesteps=False)
    stock.save(tmp_path / "stock.zip")
    again = DevicePPO.load(tmp_path / "stock.zip", env=make(8), device="cpu")
    assert again.num_timesteps == stock.num_timesteps
    again.learn(128, reset_num_timesteps=False)
    assert again.num_timesteps == stock.num_timesteps + 128


def test_parameters_are_set_and_training_resumes():
    model = DevicePPO("MlpPolicy", naming(8), **SMALL).learn(200)
    other = DevicePPO("MlpPolicy", naming(8), **{**SMALL, "seed": 9})
    other.set_parameters(model.get_parameters())
    for mine, theirs in zip(model.policy.parameters(), other.policy.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    before = model.num_timesteps
    seen = model._last_obs
    model.train = lambda: None
    model.learn(1, reset_num_timesteps=False)
    assert torch.equal(model.rollout_buffer.observations[0], seen)  # the episodes go on
    assert model.num_timesteps == before + 128


def test_callbacks_work_as_ever(tmp_path):
    calls = []

    class Count(BaseCallback):
        def _on_step(self) -> bool:
            calls.append(self.locals["rewards"].shape)
            return True

    evaluate = EvalCallback(
        VecMonitor(naming(4)), eval_freq=20, log_path=str(tmp_path), verbose=0, warn=False
    )
    keep = CheckpointCallback(save_freq=16, save_path=str(tmp_path))
    model = DevicePPO("MlpPolicy", naming(8), **SMALL)
    with pytest.warns(UserWarning, match="not of the same type"):  # the evaluated one is monitored
        model.learn(3 * 128, callback=[evaluate, keep, Count()])
    assert calls == [(8,)] * 48
    assert np.load(tmp_path / "evaluations.npz")["results"].shape == (2, 5)
    assert PPO.load(tmp_path / "rl_model_384_steps.zip", device="cpu").num_timesteps == 384


def test_a_callback_ends_the_training():
    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            return self.n_calls < 5

    model = DevicePPO("MlpPolicy", naming(8), **SMALL).learn(1_000, callback=Stop())
    assert model.num_timesteps == 40


def test_tensorboard_hears_of_it(tmp_path):
    pytest.importorskip("tensorboard")
    DevicePPO("MlpPolicy", naming(8), tensorboard_log=str(tmp_path), **SMALL).learn(256)
    assert list(tmp_path.rglob("events.out.tfevents*"))


@pytest.mark.filterwarnings("ignore:rich is experimental")
def test_a_progress_bar_can_be_shown():
    pytest.importorskip("tqdm")
    DevicePPO("MlpPolicy", naming(8), **SMALL).learn(256, progress_bar=True)


@pytest.mark.parametrize("wrap", [VecMonitor, VecNormalize])
def test_a_wrapper_that_tensors_would_bypass_is_refused(wrap):
    model = DevicePPO("MlpPolicy", wrap(naming(8)), **SMALL)
    with pytest.raises(InputError, match=rf"TensorVecEnv.*{wrap.__name__} around one"):
        model.learn(100)


def test_exploration_that_depends_on_the_state_is_refused():
    with pytest.raises(InputError, match="gSDE"):
        DevicePPO("MlpPolicy", pointing(8), use_sde=True, **SMALL)
