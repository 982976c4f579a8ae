"""PPO and DQN on top of the best baseline, with stock Stable-Baselines3.

One policy is shared by all decision units; a slot of the vectorised environment is one unit of one market.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import ceil, log
from pathlib import Path
from typing import Any

import torch
from stable_baselines3 import DQN, PPO
from torch import nn

from .customers import LearnerVecEnv
from ..envs.engine.actions import ActionMap
from ..envs.market import Market
from ..forecasters.progress import SILENT, Progress
from .learned import LearnedPolicy, linear_layers
from .learner import SlotwiseDQN, StandardFeatures, Validation, learn, validation_profit, watch
from .network import PolicyNetwork, Standardise
from .policy import Pair, Policy
from .residual import Residual, ResidualGrid, portable
from .seeds import seed_for
from .tuning import tune_baselines


@dataclass(frozen=True)
class PPOSettings:
    """Proximal policy optimisation (Schulman et al. 2017)."""

    steps: int = 1_000_000  # periods of a decision unit
    markets: int = 4  # side by side
    horizon: int = 52  # periods an episode in training
    rollout: int = 26  # periods between updates
    batch: int = 8192  # unit-periods a gradient step
    epochs: int = 4  # passes over a rollout
    learning_rate: float = 1e-3
    gamma: float = 0.8  # discount a period
    gae_lambda: float = 1.0
    exploration: float = 0.2  # initial standard deviation of an action in [-1, 1]
    hidden: tuple[int, ...] = (64, 64)
    price_reach: float = 0.25  # largest price correction, share of the supported log range
    cover_reach: float = 0.5  # largest correction of the log order-up-to level
    validation: Validation = field(default_factory=Validation)


@dataclass(frozen=True)
class DQNSettings:
    """Deep Q-learning (Mnih et al. 2015) over a lattice of corrections."""

    steps: int = 1_000_000  # periods of a decision unit
    markets: int = 4
    horizon: int = 52
    buffer: int = 300_000  # unit-periods remembered
    warm_up: int = 50_000  # unit-periods played at random first
    every: int = 4  # periods between updates
    updates: int = 8  # gradient steps an update
    batch: int = 4096
    learning_rate: float = 5e-4
    gamma: float = 0.9
    target_every: int = 16  # periods between copies of the target network
    exploration: float = 0.1  # final share of random actions
    hidden: tuple[int, ...] = (64, 64)
    prices: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0)
    covers: tuple[float, ...] = (-0.5, 0.0, 0.5)
    price_reach: float = 0.15
    cover_reach: float = 0.5
    validation: Validation = field(default_factory=Validation)


def train_ppo(
    market: Market,
    settings: PPOSettings = PPOSettings(),
    seed: int = 0,
    progress: Progress = SILENT,
    *,
    base: Pair | None = None,
    checkpoint: Path | None = None,
) -> LearnedPolicy:
    """Train PPO in a market.

    Args:
        settings: how long and how.
        seed: the same seed gives the same policy on the same machine.
        progress: hears of every period and of every validation.
        base: the tuned baseline to correct; the best one is found where None.
        checkpoint: the best policy so far is written here at every improvement.

    Interrupted (KeyboardInterrupt), it returns the best policy so far.
    """
    actions = _residual(market, base, settings, seed, progress)
    env, standardise = _slots(market, actions, settings, seed)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=settings.rollout,
        batch_size=_even_batch(settings.rollout * env.num_envs, settings.batch),
        n_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        policy_kwargs={
            **_policy_kwargs(settings, standardise),
            "activation_fn": nn.Tanh,
            "log_std_init": log(settings.exploration),
        },
        seed=seed_for("learner", seed),
        device="cpu",
    )

    def policy() -> LearnedPolicy:
        layers = linear_layers(model.policy.mlp_extractor.policy_net, model.policy.action_net)
        network = PolicyNetwork.copied(standardise, layers, "tanh")
        return LearnedPolicy("PPO", network, actions, _record(settings, seed, market))

    return learn(model, policy, _worth(market, settings, seed), settings, progress, checkpoint)


def train_dqn(
    market: Market,
    settings: DQNSettings = DQNSettings(),
    seed: int = 0,
    progress: Progress = SILENT,
    *,
    base: Pair | None = None,
    checkpoint: Path | None = None,
) -> LearnedPolicy:
    """Train DQN in a market; arguments as in ``train_ppo``."""
    residual = _residual(market, base, settings, seed, progress)
    actions = ResidualGrid(residual, settings.prices, settings.covers)
    env, standardise = _slots(market, actions, settings, seed)
    model = SlotwiseDQN(
        "MlpPolicy",
        env,
        buffer_size=max(settings.buffer, 2 * env.num_envs),
        learning_starts=settings.warm_up,
        train_freq=settings.every,
        gradient_steps=settings.updates,
        batch_size=settings.batch,
        learning_rate=settings.learning_rate,
        gamma=settings.gamma,
        target_update_interval=settings.target_every * env.num_envs,
        exploration_final_eps=settings.exploration,
        exploration_fraction=0.3,
        policy_kwargs={**_policy_kwargs(settings, standardise), "activation_fn": nn.ReLU},
        seed=seed_for("learner", seed),
        device="cpu",
    )
    _prefer(model, actions.neutral)

    def policy() -> LearnedPolicy:
        network = PolicyNetwork.copied(standardise, linear_layers(model.q_net.q_net), "relu")
        return LearnedPolicy("DQN", network, actions, _record(settings, seed, market))

    return learn(model, policy, _worth(market, settings, seed), settings, progress, checkpoint)


def best_base(
    market: Market, baselines: list[Policy], seed: int, validation: Validation = Validation()
) -> Pair:
    """Of the baselines whose rules fit any market, the one that earns most on validation customers."""
    pairs = [policy for policy in baselines if isinstance(policy, Pair) and portable(policy)]
    return max(pairs, key=lambda pair: validation_profit(market, pair, seed, validation))


def _residual(
    market: Market, base: Pair | None, settings: PPOSettings | DQNSettings, seed: int, progress: Progress
) -> Residual:
    """Corrections of ``base``; of the best baseline where None."""
    if base is None:
        base = best_base(market, tune_baselines(market, seed, progress=progress), seed, settings.validation)
    return Residual.of(base, settings.price_reach, settings.cover_reach)


def _slots(
    market: Market, actions: ActionMap, settings: PPOSettings | DQNSettings, seed: int
) -> tuple[LearnerVecEnv, Standardise]:
    """The learner's environment, and the statistics of what it observes there."""
    training_seed = seed_for("train", seed)
    env = LearnerVecEnv(market, settings.markets, settings.horizon, training_seed, lambda _: actions)
    return env, watch(env, training_seed)


def _worth(market: Market, settings: PPOSettings | DQNSettings, seed: int) -> Callable[[Policy], float]:
    return lambda policy: validation_profit(market, policy, seed, settings.validation)


def _policy_kwargs(settings: PPOSettings | DQNSettings, standardise: Standardise) -> dict[str, Any]:
    return {
        "net_arch": list(settings.hidden),
        "features_extractor_class": StandardFeatures,
        "features_extractor_kwargs": {"mean": standardise.mean, "deviation": standardise.deviation},
    }


def _even_batch(total: int, most: int) -> int:
    """The largest divisor of ``total`` that is at most ``most``, so that minibatches are equal."""
    return next(total // parts for parts in range(ceil(total / most), total + 1) if total % parts == 0)


def _prefer(model: DQN, action: int) -> None:
    """Value all actions alike but for one, barely better: the start is greedy for ``action``."""
    for network in (model.q_net, model.q_net_target):
        last = linear_layers(network.q_net)[-1]
        with torch.no_grad():
            last.weight.zero_()
            last.bias.zero_()
            last.bias[action] = 1e-3


def _record(settings: PPOSettings | DQNSettings, seed: int, market: Market) -> dict[str, Any]:
    """How a policy was trained, for its file."""
    return {"settings": asdict(settings), "seed": seed, "market": market.name, "shape": list(market.shape)}
