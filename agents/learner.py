"""What PPO and DQN share: fixed observation statistics, the best iterate kept, progress, interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from operator import itemgetter
from typing import Any, Protocol, cast

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, create_mlp
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import Tensor, nn

from ..envs.adapters.sb3_vec_env import MarketplaceVecEnv
from ..envs.engine.rewards import typical_revenue
from ..envs.market import Market
from ..envs.simulator import Simulator
from ..forecasters.progress import Progress, Stage
from ..forecasters.tensors import Checkpoint, named, taken
from .evaluation import enough_periods, play
from .learned import LearnedPolicy
from .network import Standardise
from .on_device.base import OnDevice
from .policy import Policy
from .seeds import seed_for

_DATES = 8  # from which whole episodes are watched, to fix the observation's statistics
_PERIODS = 26  # of an episode of validation at least
_THREADS = 4  # more only get in each other's way with so small a network


@dataclass(frozen=True)
class Validation:
    """How the best iterate is chosen, on customers of its own."""

    times: int = 8  # in the course of training
    episodes: int = 4
    horizon: int | None = None  # periods; None is 26, more where orders take long
    series: int = 4096  # played at least: a small shop needs more episodes to tell policies apart


class Schedule(Protocol):
    """The part of a learner's settings that all learners share."""

    @property
    def steps(self) -> int: ...

    @property
    def validation(self) -> Validation: ...


def validation_worth(
    market: Market, policy: Policy, seed: int, validation: Validation, caution: float = 0.0
) -> float:
    """Mean of ``validation_profits``."""
    return float(validation_profits(market, policy, seed, validation, caution).mean())


def validation_profits(
    market: Market,
    policy: Policy,
    seed: int,
    validation: Validation,
    caution: float = 0.0,
    episodes: int | None = None,
) -> Tensor:
    """(E,) profit of each episode of validation customers, the same for every policy under one seed.

    Less ``caution`` times the typical revenue that the model is unsure of, as ``Cautious`` charges it. As
    many ``episodes`` as tell policies apart where None.
    """
    count = episodes or validation_episodes([market], validation)
    horizon = validation.horizon or enough_periods(market.economics, _PERIODS)
    earned = play(market, policy, torch.arange(count), horizon, seed_for("validate", seed))
    at_stake = market.economics.episode(horizon) * typical_revenue(market).double().sum()
    doubt = earned["disagreement"] + earned["off_support"]
    return (earned["profit"] - caution * at_stake * doubt).double().cpu()


def validation_episodes(markets: Sequence[Market], validation: Validation) -> int:
    """How many episodes each of some markets is played for, to tell policies apart in all of them."""
    series = sum(len(market.locations) * len(market.items) for market in markets)
    return max(validation.episodes, ceil(validation.series / series))


class StandardFeatures(BaseFeaturesExtractor):
    """Observations standardised inside the policy, so that the statistics travel with it."""

    def __init__(self, observation_space: spaces.Box, mean: Tensor, deviation: Tensor) -> None:
        super().__init__(observation_space, int(np.prod(observation_space.shape)))
        self.standardise = Standardise(self.features_dim)
        self.standardise.mean.copy_(mean)
        self.standardise.deviation.copy_(deviation)

    def forward(self, observations: Tensor) -> Tensor:
        return self.standardise(observations)


@torch.no_grad()
def watch(env: MarketplaceVecEnv, seed: int) -> Tensor:
    """Observations (N, F) of whole episodes at random actions; the environment begins anew afterwards.

    They begin on dates spread evenly over those that an episode may begin on: a season that the statistics
    have not seen whole would be cut off later on.
    """
    batch = env.batch
    market, starts = batch.market, batch.market.starts(batch.horizon)
    dates = torch.linspace(0, len(starts) - 1, _DATES).round().long() + starts[0]
    simulator = Simulator(market, _DATES, batch.horizon, seed)
    state, seen = simulator.initial_state(dates), []
    actions = batch_space(env.action_space, _DATES * batch.units)
    actions.seed(seed)
    for _ in range(batch.horizon):
        view = simulator.view(state)
        seen.append(batch.observation(view).flatten(0, 1).cpu())
        action = batch.tensor(actions.sample(), actions.shape)
        decision = batch.actions.to_decision(action.unflatten(0, (_DATES, -1)), view)
        state, _ = simulator.step(state, decision)
    env.seed(seed)
    return torch.cat(seen)


class AdditiveQNetwork(QNetwork):
    """Q(price, cover) = P(price) + C(cover): each factor learns from every action that shares it."""

    def __init__(self, *args: Any, prices: int, covers: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        layers = create_mlp(self.features_dim, prices + covers, self.net_arch, self.activation_fn)
        self.q_net = nn.Sequential(*layers, _OuterSum(prices))


class _OuterSum(nn.Module):
    """(N, P + C) to all sums (N, P · C), cover fastest."""

    def __init__(self, prices: int) -> None:
        super().__init__()
        self.prices = prices

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, : self.prices, None] + x[:, None, self.prices :]).flatten(1)


class AdditiveQPolicy(DQNPolicy):
    """The policy of a DQN over a lattice of prices and covers."""

    def __init__(self, *args: Any, prices: int, covers: int, **kwargs: Any) -> None:
        self.factors = {"prices": prices, "covers": covers}
        super().__init__(*args, **kwargs)

    def make_q_net(self) -> QNetwork:
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return AdditiveQNetwork(**arguments, **self.factors).to(self.device)


class Best:
    """The policy that surely earned most in validation so far: by its gain less what chance can do.

    The best of several noisy values is too good to be true, and a base that is nearly optimal is easily lost
    to it.
    """

    def __init__(
        self,
        candidates: Callable[[], Sequence[LearnedPolicy]],
        profits: Callable[[LearnedPolicy], Tensor],
        stage: Stage,
    ) -> None:
        self.candidates, self.profits, self.stage = candidates, profits, stage
        self.policy = candidates()[0]
        self.start, self.most = profits(self.policy), 0.0

    def consider(self, done: int) -> None:
        """Keep a policy that can be read off now, after ``done`` unit-periods, if it surely earns more."""
        tried = [(self.profits(one), one) for one in self.candidates()]
        sure, profits, policy = max(
            ((sure_gain(profits - self.start), profits, one) for profits, one in tried), key=itemgetter(0)
        )
        start = float(self.start.mean())
        gain = (float(profits.mean()) - start) / max(abs(start), 1e-9)
        self.stage.note(f"{done:,} unit-periods: {gain:+.2%} over the starting policy in validation")
        self.stage.curve(done, {"validation/profit": float(profits.mean()), "validation/gain": gain})
        if sure > self.most:
            self.most, self.policy = sure, policy

    def put_back(self, most: float, weights: dict[str, Tensor]) -> None:
        """The best of a training that was interrupted."""
        self.policy.network.load_state_dict(weights)
        self.most = most


def sure_gain(gains: Tensor) -> float:
    """Mean of gains (E,) less two standard errors of it; of a single one that itself."""
    if len(gains) == 1:
        return float(gains)
    return float(gains.mean() - 2 * gains.std() / len(gains) ** 0.5)


class KeepBest(BaseCallback):
    """Advances the progress, validates at even intervals, keeps the best policy and the training's state."""

    model: OnDevice

    def __init__(self, best: Best, interval: int, checkpoint: Checkpoint | None) -> None:
        super().__init__()
        self.best, self.stage, self.checkpoint = best, best.stage, checkpoint
        self.interval = self.next_at = interval

    def _on_training_start(self) -> None:
        kept = None if self.checkpoint is None else self.checkpoint.load()
        if kept is None:
            return
        about, tensors = kept
        self.model.put_back(about["model"], taken("model", tensors))
        self._env().put_back([value for _, value in sorted(taken("env", tensors).items())])
        self.best.put_back(about["most"], taken("best", tensors))
        self.next_at = about["next"]
        self.num_timesteps = self.model.num_timesteps
        self.stage.advance(self.num_timesteps)
        self.stage.note(
            f"going on from {self.num_timesteps:,} unit-periods, where a training was interrupted"
        )

    def _on_rollout_start(self) -> None:
        self.stage.curve(self.num_timesteps, self.model.figures())
        if self.num_timesteps >= self.next_at:
            self.next_at += self.interval
            self.best.consider(self.num_timesteps)
            if self.checkpoint is not None:
                self._keep(self.checkpoint)

    def _keep(self, checkpoint: Checkpoint) -> None:
        about, tensors = self.model.snapshot()
        env = {f"{number:04}": tensor for number, tensor in enumerate(self._env().tensors())}
        checkpoint.save(
            {"model": about, "most": self.best.most, "next": self.next_at},
            named("model", tensors)
            | named("env", env)
            | named("best", self.best.policy.network.state_dict()),
        )

    def _env(self) -> MarketplaceVecEnv:
        return cast(MarketplaceVecEnv, self.training_env)

    def _on_step(self) -> bool:
        self.stage.advance(self.training_env.num_envs)
        return True


@contextmanager
def few_threads() -> Iterator[None]:
    """Torch on few threads while a small network trains."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, _THREADS))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def learn(
    model: OnDevice,
    candidates: Callable[[], Sequence[LearnedPolicy]],
    profits: Callable[[Policy], Tensor],
    settings: Schedule,
    progress: Progress,
    checkpoint: Checkpoint | None,
) -> LearnedPolicy:
    """Train ``model``; of the policies that ``candidates`` reads off it at each validation return the best.

    With a ``checkpoint`` the training's state goes there at each validation; where an interrupted one left
    its own, this one goes on from it and ends as that one would have. Interrupted (KeyboardInterrupt), it
    returns the best so far; with a ``checkpoint`` it goes on up.
    """
    name = candidates()[0].name
    with progress.stage(f"train {name}", total=settings.steps) as stage, few_threads():
        interval = max(1, settings.steps // settings.validation.times)
        best = Best(candidates, profits, stage)
        keeper = KeepBest(best, interval, checkpoint)
        try:
            model.learn(settings.steps, callback=keeper, log_interval=None)  # type: ignore[arg-type]
            best.consider(keeper.num_timesteps)
        except KeyboardInterrupt:
            if checkpoint is not None:
                raise
            stage.note("interrupted: the best policy so far is kept")
    return best.policy
