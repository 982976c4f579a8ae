"""What a learner on the device asks of an environment: tensors in, tensors out."""

from __future__ import annotations

from typing import Any, Protocol, cast

from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from ...forecasters.errors import InputError


class Ended(Protocol):
    """The episodes that a step ended; rows of slots that play on mean nothing."""

    @property
    def done(self) -> Tensor: ...  # (N,) bool

    @property
    def terminated(self) -> Tensor: ...  # (N,) bool of those, the ones with no future to value

    @property
    def observation(self) -> Tensor: ...  # (N, F) the last one


class TensorVecEnv(Protocol):
    """A ``VecEnv`` that can also be played in tensors; the numpy contract stays for ``EvalCallback``.

    Where an episode ended with a step, the observation is the first one of the next episode. None in the
    place of ``Ended`` says without asking the device that every slot plays on.
    """

    num_envs: int

    def reset_tensor(self) -> Tensor: ...

    def step_tensor(self, actions: Tensor, /) -> tuple[Tensor, Tensor, Ended | None]: ...


def as_tensor_env(env: VecEnv | None) -> TensorVecEnv:
    """``env`` itself, where it can be played in tensors.

    Raises:
        InputError: it cannot, or a wrapper is around it that tensors would bypass.
    """
    if not hasattr(type(env), "step_tensor"):
        wrapped = " around one, which tensors would bypass" if hasattr(env, "step_tensor") else ""
        found = type(env).__name__
        raise InputError(f"env: expected a TensorVecEnv (reset_tensor, step_tensor), found {found}{wrapped}")
    return cast(Any, env)
