"""PPO and DQN on top of the best baseline, on the market's device.

One policy is shared by all decision units; a slot of the vectorised environment is one unit of one market.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from math import ceil, log
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..envs.engine.actions import ActionMap
from ..envs.engine.rewards import CategoryProfit, Cautious
from ..envs.market import Market
from ..forecasters.errors import whole
from ..forecasters.progress import SILENT, Progress
from ..forecasters.seal import of_values
from ..forecasters.tensors import Checkpoint
from .corrections import OfLevel, OrderCorrection
from .customers import LearnerVecEnv
from .learned import FORMAT, LearnedPolicy, linear_layers
from .learner import (
    AdditiveQPolicy,
    StandardFeatures,
    Validation,
    learn,
    validation_profits,
    validation_worth,
    watch,
)
from .network import PolicyNetwork, Standardise
from .on_device.dqn import DeviceDQN
from .on_device.ppo import DevicePPO
from .policy import Pair, Policy
from .residual import Residual, ResidualGrid, correctable, to_spec
from .seeds import seed_for
from .tuning import tune_baselines

_LEAST_SLOTS = 1024  # decision units side by side, where the number of markets is not given


def check_counts(settings: Any, *names: str) -> None:
    """Raises InputError where one of these settings is not a whole number of 1 or more."""
    for name in names:
        whole(name, getattr(settings, name))


@dataclass(frozen=True)
class PPOSettings:
    """Proximal policy optimisation (Schulman et al. 2017)."""

    steps: int = 2_000_000  # periods of a decision unit
    markets: int | None = None  # side by side; None is 4, or more for a small shop
    horizon: int = 52  # periods an episode in training
    rollout: int = 26  # periods between updates
    batch: int = 4096  # unit-periods a gradient step, at most an eighth of a rollout
    epochs: int = 4  # passes over a rollout
    learning_rate: float = 3e-3  # at first, falling linearly
    gamma: float | None = None  # discount a period; None suits the lead time, or the season
    gae_lambda: float = 1.0
    exploration: float = 0.2  # initial standard deviation of an action in [-1, 1]
    hidden: tuple[int, ...] = (64, 64)
    price_reach: float = 0.5  # largest price correction, share of the supported log range
    orders: OrderCorrection = OfLevel(0.5)  # what corrects the baseline's orders, and how far
    caution: float = 0.0  # charged per unit of what the demand model is unsure of (``Cautious``)
    validation: Validation = field(default_factory=Validation)

    def __post_init__(self) -> None:
        given = () if self.markets is None else ("markets",)
        check_counts(self, "steps", *given, "horizon", "rollout", "batch", "epochs")


@dataclass(frozen=True)
class DQNSettings:
    """Deep Q-learning (Mnih et al. 2015) over a lattice of corrections."""

    steps: int = 1_500_000  # periods of a decision unit
    markets: int | None = None  # likewise
    horizon: int = 52
    buffer: int = 1_000_000  # unit-periods remembered
    warm_up: int = 50_000  # unit-periods played at random first
    every: int = 4  # periods between updates
    replays: float = 4.5  # times a unit-period is learned from, on average
    batch: int = 4096
    learning_rate: float = 1e-3
    gamma: float | None = None  # discount a period; None suits the lead time, or the season
    returns: int = 4  # periods of reward before the value of the next state takes over
    tau: float = 0.02  # share of the network that enters the target network each period
    weight_decay: float = 2.0  # pulls what differs between units and has little evidence to none
    exploration: float = 0.5  # final share of random actions
    hidden: tuple[int, ...] = (64, 64)
    margins: tuple[float, ...] = (0.0, 2.0, 5.0)  # more that a correction must promise; validation chooses
    prices: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0)
    covers: tuple[float, ...] | None = None  # corrections of orders; None is as fine as they matter
    price_reach: float = 0.1
    orders: OrderCorrection = OfLevel(0.2)
    caution: float = 0.0  # charged per unit of what the demand model is unsure of (``Cautious``)
    validation: Validation = field(default_factory=Validation)

    def __post_init__(self) -> None:
        given = () if self.markets is None else ("markets",)
        check_counts(self, "steps", *given, "horizon", "buffer", "every", "batch", "returns")


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
        checkpoint: the training's state is written here at every validation; where the same training was
            interrupted it goes on from here, and ends as if it had not been. The caller removes the file.

    Interrupted (KeyboardInterrupt), it returns the best policy so far; with a ``checkpoint`` it goes on up.
    """
    base = base_of(market, base, settings, seed, progress)
    actions = Residual.of(base, settings.price_reach, settings.orders)
    env, seen = _slots(market, actions, settings, seed)
    standardise = Standardise.of(seen)
    model = DevicePPO(
        "MlpPolicy",
        env,
        n_steps=settings.rollout,
        batch_size=_even_batch(settings.rollout * env.num_envs, settings.batch),
        n_epochs=settings.epochs,
        learning_rate=_falling(settings.learning_rate),
        gamma=discount(market, settings.gamma),
        gae_lambda=settings.gae_lambda,
        policy_kwargs={
            **_policy_kwargs(settings, standardise),
            "activation_fn": nn.Tanh,
            "log_std_init": log(settings.exploration),
        },
        seed=seed_for("learner", seed),
        device=market.device,
    )
    _start_at_rest(model)

    def candidates() -> list[LearnedPolicy]:
        layers = linear_layers(model.policy.mlp_extractor.policy_net, model.policy.action_net)
        network = PolicyNetwork.copied(standardise, layers, "tanh")
        record = record_of(settings, seed, market)
        return [LearnedPolicy("PPO", network, actions, record, env.batch.observation.names)]

    kept = kept_at(checkpoint, market.device, market, to_spec(actions), settings, seed)
    return learn(model, candidates, profits_in(market, settings, seed), settings, progress, kept)


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
    base = base_of(market, base, settings, seed, progress)
    residual = Residual.of(base, settings.price_reach, settings.orders)
    covers = settings.orders.lattice(market) if settings.covers is None else settings.covers
    actions = ResidualGrid(residual, settings.prices, covers)
    env, seen = _slots(market, actions, settings, seed)
    standardise = Standardise.of(seen)
    factors = {"prices": len(settings.prices), "covers": len(covers)}
    model = DeviceDQN(
        AdditiveQPolicy,
        env,
        buffer_size=max(settings.buffer, 2 * env.num_envs),
        learning_starts=settings.warm_up,
        train_freq=settings.every,
        gradient_steps=max(1, round(settings.replays * settings.every * env.num_envs / settings.batch)),
        batch_size=settings.batch,
        learning_rate=_falling(settings.learning_rate),
        gamma=discount(market, settings.gamma),
        n_steps=settings.returns,
        tau=settings.tau,
        target_update_interval=env.num_envs,
        exploration_final_eps=settings.exploration,
        exploration_fraction=0.3,
        policy_kwargs={
            **_policy_kwargs(settings, standardise),
            **factors,
            "activation_fn": nn.ReLU,
            "optimizer_class": torch.optim.AdamW,
            "optimizer_kwargs": {"weight_decay": settings.weight_decay},
        },
        seed=seed_for("learner", seed),
        device=market.device,
    )
    _start_at(model, *actions.neutral, len(settings.prices))

    def candidates() -> list[LearnedPolicy]:
        network = PolicyNetwork.copied(standardise, linear_layers(model.q_net_target.q_net), "relu")
        careful = [_careful(network, actions, seen, margin) for margin in settings.margins]
        record, seen_names = record_of(settings, seed, market), env.batch.observation.names
        return [LearnedPolicy("DQN", one, actions, record, seen_names) for one in careful]

    kept = kept_at(checkpoint, market.device, market, to_spec(actions), settings, seed)
    return learn(model, candidates, profits_in(market, settings, seed), settings, progress, kept)


class Settings(Protocol):
    """The part of a learner's settings that says what a policy is worth."""

    @property
    def caution(self) -> float: ...

    @property
    def validation(self) -> Validation: ...


def best_base(
    market: Market,
    baselines: list[Policy],
    seed: int,
    validation: Validation = Validation(),
    caution: float = 0.0,
) -> Pair:
    """Of the baselines that a learner can correct, the one worth most on validation customers."""
    pairs = [policy for policy in baselines if isinstance(policy, Pair) and correctable(policy)]
    return max(pairs, key=lambda pair: validation_worth(market, pair, seed, validation, caution))


def base_of(market: Market, base: Pair | None, settings: Settings, seed: int, progress: Progress) -> Pair:
    """``base``; the best baseline where None."""
    if base is not None:
        return base
    baselines = tune_baselines(market, seed, progress=progress)
    return best_base(market, baselines, seed, settings.validation, settings.caution)


def side_by_side(market: Market, markets: int | None, slots: int = _LEAST_SLOTS) -> int:
    """``markets``; where None as many as have that many decision units, 4 at least."""
    return markets or max(4, ceil(slots / (len(market.groups) * len(market.items))))


def _slots(
    market: Market, actions: ActionMap, settings: PPOSettings | DQNSettings, seed: int
) -> tuple[LearnerVecEnv, Tensor]:
    """The learner's environment, and a sample (N, F) of what is observed there."""
    training_seed = seed_for("train", seed)
    markets = side_by_side(market, settings.markets)
    reward = Cautious(CategoryProfit(), settings.caution, settings.caution)
    env = LearnerVecEnv(market, markets, settings.horizon, training_seed, lambda _: actions, reward)
    return env, watch(env, training_seed)


def profits_in(market: Market, settings: Settings, seed: int) -> Callable[[Policy], Tensor]:
    """What a policy earns in each episode of validation customers."""
    return lambda policy: validation_profits(market, policy, seed, settings.validation, settings.caution)


def kept_at(path: Path | None, device: torch.device, *about: object) -> Checkpoint | None:
    """A checkpoint by all that a training is ``about``, the format of policies and the threads included.

    A policy of another format observes other things; with other threads sums are rounded otherwise.
    """
    if path is None:
        return None
    versions = [version(name) for name in ("mercato", "torch", "stable-baselines3")]
    return Checkpoint(path, of_values(*about, (str(device), torch.get_num_threads(), versions, FORMAT)))


def discount(market: Market, gamma: float | None) -> float:
    """``gamma``, or one that looks as far ahead as a decision matters (decision 28).

    In a season that is to its end: what is sold today is missing then. Else 1 / (1 - γ) = R + 1 + 2.5 L
    periods, R from one order to the next: what an order does begins after L and goes on as long again.
    Rewards are accrued profits: looking further gains little there, and every period adds noise.
    """
    economics = market.economics
    if gamma is not None:
        return gamma
    return 1.0 if economics.season else 1.0 - 1.0 / (economics.order_every + 1 + 2.5 * economics.lead_time)


def _falling(rate: float) -> Callable[[float], float]:
    """A learning rate that falls linearly to a twentieth, so that the last iterates settle."""
    return lambda left: rate * max(left, 0.05)


def _policy_kwargs(settings: PPOSettings | DQNSettings, standardise: Standardise) -> dict[str, Any]:
    return {
        "net_arch": list(settings.hidden),
        "features_extractor_class": StandardFeatures,
        "features_extractor_kwargs": {"mean": standardise.mean, "deviation": standardise.deviation},
    }


def _even_batch(total: int, most: int) -> int:
    """The largest divisor of ``total`` up to ``most`` and an eighth of it, so that minibatches are equal."""
    fewest = max(8, ceil(total / most))
    return next((total // parts for parts in range(fewest, total + 1) if total % parts == 0), total)


def _start_at_rest(model: DevicePPO) -> None:
    """No correction at all on average, so that the start is the baseline itself."""
    last = linear_layers(model.policy.action_net)[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()


def _start_at(model: DeviceDQN, price: int, cover: int, prices: int) -> None:
    """Value all actions alike but for one, barely better, so that the start is greedy for it."""
    for network in (model.q_net, model.q_net_target):
        last = linear_layers(network.q_net)[-1]
        with torch.no_grad():
            last.weight.zero_()
            last.bias.zero_()
            last.bias[[price, prices + cover]] = 1e-3


def _careful(network: PolicyNetwork, grid: ResidualGrid, seen: Tensor, margin: float) -> PolicyNetwork:
    """The same values, but a correction must promise ``margin`` times what corrections promise on average.

    Most corrections hardly matter, and the best of several noisy values is too good to be true.
    """
    careful = deepcopy(network)
    bias = linear_layers(careful)[-1].bias
    edge = 0
    for width, neutral in zip((len(grid.prices), len(grid.covers)), grid.neutral, strict=True):
        values = network(seen)[:, edge : edge + width]
        bias[edge + neutral] += margin * (values.amax(-1) - values[:, neutral]).mean()
        edge += width
    return careful


def record_of(settings: Any, seed: int, market: Market) -> dict[str, Any]:
    """How a policy was trained, for its file."""
    return {"settings": asdict(settings), "seed": seed, "market": market.name, "shape": list(market.shape)}
