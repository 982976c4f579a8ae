"""Small environments that are played in tensors, for the learners on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

NUMBERS = 4


@dataclass(frozen=True)
class Ended:
    done: Tensor
    terminated: Tensor
    observation: Tensor


class Guess(VecEnv):
    """Observe a number one-hot and name it: its index, or minus and plus one; paid 1 less what it is off.

    Slot k plays episodes of 3 + k % 4 steps; every other slot terminates, the others truncate. Numbers come
    from the seed alone. It tells SB3's wrappers as much as it tells tensors.
    """

    def __init__(self, slots: int, action_space: spaces.Space) -> None:
        self.render_mode = None
        super().__init__(slots, spaces.Box(-1.0, 2.0, (NUMBERS + 1,), np.float32), action_space)
        self.length = 3 + torch.arange(slots) % 4
        self.terminates = torch.arange(slots) % 2 == 0
        self.rng = torch.Generator()

    def reset_tensor(self) -> Tensor:
        self.rng.manual_seed(self._seeds[0] or 0)
        self.age = torch.zeros(self.num_envs)
        return self._draw()

    def step_tensor(self, actions: Tensor) -> tuple[Tensor, Tensor, Ended | None]:
        wanted = self.number.float()
        guess = 1.5 * (actions[:, 0] + 1) if actions.is_floating_point() else actions.float()
        reward = 1 - (guess - wanted).abs()
        self.age = self.age + 1
        done = self.age >= self.length
        last = self._draw()
        if not done.any():
            return last, reward, None
        self.age = torch.where(done, 0.0, self.age)
        return self._draw(), reward, Ended(done, done & self.terminates, last)

    def _draw(self) -> Tensor:
        self.number = torch.randint(NUMBERS, (self.num_envs,), generator=self.rng)
        return torch.cat([torch.eye(NUMBERS)[self.number], self.age.unsqueeze(1) / 4], 1)

    def reset(self) -> np.ndarray:
        return self.reset_tensor().numpy()

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = torch.as_tensor(actions)

    def step_wait(self):
        observation, reward, ended = self.step_tensor(self.actions)
        done, infos = np.zeros(self.num_envs, dtype=bool), [{} for _ in range(self.num_envs)]
        if ended is not None:
            done = ended.done.numpy()
            for slot in np.flatnonzero(done):
                cut = not bool(ended.terminated[slot])
                infos[slot] = {
                    "terminal_observation": ended.observation[slot].numpy(),
                    "TimeLimit.truncated": cut,
                }
        return observation.numpy(), reward.numpy(), done, infos

    def close(self) -> None: ...

    def get_attr(self, attr_name, indices=None):
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name, value, indices=None): ...

    def env_method(self, method_name, *args, indices=None, **kwargs): ...

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False for _ in self._get_indices(indices)]


def naming(slots: int) -> Guess:
    """Named by index."""
    return Guess(slots, spaces.Discrete(NUMBERS))


def pointing(slots: int) -> Guess:
    """Pointed at on a line."""
    return Guess(slots, spaces.Box(-1.0, 1.0, (1,), np.float32))
