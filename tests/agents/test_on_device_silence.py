"""Between the questions that are meant, the host never asks the device: each would wait for all its work."""

import pytest
import torch
from stable_baselines3.common.logger import Logger
from tensor_envs import Guess, naming, pointing
from torch.utils._python_dispatch import TorchDispatchMode

from mercato.agents.on_device.dqn import DeviceDQN
from mercato.agents.on_device.episodes import Episodes
from mercato.agents.on_device.ppo import DevicePPO

QUESTIONS = {"_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "equal"}


class Listen(TorchDispatchMode):
    """Notes the operations that wait for an answer, but for those of the environment."""

    def __init__(self, env: Guess) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.deaf, step = False, env.step_tensor

        def unheard(actions):
            self.deaf = True
            try:
                return step(actions)
            finally:
                self.deaf = False

        env.step_tensor = unheard

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in QUESTIONS and not self.deaf:
            self.asked.append(name)
        return function(*args, **(kwargs or {}))


def listened(model, env) -> list[str]:
    """What the host asked in a training, ``tolist`` aside."""
    model.set_logger(Logger(None, []))
    listener = Listen(env)
    with listener:
        model.learn(512, log_interval=None)
    return listener.asked


@pytest.mark.parametrize("make", [naming, pointing])
def test_ppo_plays_and_updates_in_silence(make):
    env = make(8)
    model = DevicePPO("MlpPolicy", env, n_steps=16, batch_size=32, n_epochs=2, seed=0, device="cpu")
    assert listened(model, env) == []


def test_dqn_plays_and_updates_in_silence():
    env = naming(8)
    model = DeviceDQN("MlpPolicy", env, buffer_size=500, learning_starts=64, n_steps=3, seed=0, device="cpu")
    assert listened(model, env) == []


@pytest.mark.parametrize("make", [naming, pointing])
def test_episodes_are_told_once_a_rollout(make, monkeypatch):
    """``fetch`` is the question of a rollout; the update asks once for its figures."""
    fetched, told, fetch, tolist = [], [], Episodes.fetch, torch.Tensor.tolist
    monkeypatch.setattr(Episodes, "fetch", lambda self: (fetched.append(1), fetch(self))[1])
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: (told.append(1), tolist(self))[1])
    env = make(8)
    model = DevicePPO("MlpPolicy", env, n_steps=16, batch_size=32, n_epochs=2, seed=0, device="cpu")
    model.set_logger(Logger(None, []))
    model.learn(3 * 16 * 8, log_interval=None)
    assert len(fetched) == 3
    assert len(told) == 6


def test_the_listener_hears_a_question():
    env = naming(2)
    with Listen(env) as listener:
        float(torch.ones(1).sum())
    assert listener.asked
