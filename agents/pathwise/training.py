"""Training of a policy by the gradient of simulated profit.

Hindsight differentiable policy optimisation (Madeka, Torkkola, Eisenach et al. 2022, arXiv 2210.03137; Alvo,
Russo and Kanoria 2023, arXiv 2306.11246): many markets are played side by side for a window of periods, and
their profit is differentiated through every period of it, demand, stock and policy, down to the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from torch import Tensor

from ...envs.engine.observation import Observation
from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.progress import SILENT, Progress, Stage
from ...forecasters.tensors import Checkpoint, named, taken
from ..corrections import OfLevel, OrderCorrection
from ..learned import LearnedPolicy
from ..learner import Best, Validation, few_threads
from ..policy import Pair
from ..residual import Residual, to_spec
from ..train import base_of, check_counts, kept_at, profits_in, record_of, side_by_side
from .ascent import Ascent, Ground, Practice
from .starting import start_in

OF_PRICES = {"last_price", "elasticity", "cost", "price_low", "price_high", "others_price"} | {
    "until_price",
    "last_sales",
}
_WINDOW, _ORDERS = 26, 5  # periods of a window at least, and orders that arrive one after the other in it


@dataclass(frozen=True)
class PathwiseSettings:
    """Pathwise policy optimisation."""

    steps: int = 2_000_000  # periods of a decision unit
    markets: int | None = None  # side by side; None is 4, or more for a small shop
    units: int = 512  # decision units side by side at least, where the number of markets is not given
    horizon: int = 52  # periods an episode in training
    window: int | None = None  # periods through which profit is differentiated, then an update; None suits
    learning_rate: float = 3e-3  # at its height, falling by a cosine
    average: float = 0.99  # of the weights over updates: share that stays
    hidden: tuple[int, ...] = (48, 48)
    price_reach: float = 0.5  # largest price correction, share of the supported log range
    orders: OrderCorrection = OfLevel(0.5)  # what corrects the baseline's orders, and how far
    caution: float = 0.0  # charged per unit of what the demand model is unsure of (``Cautious``)
    validation: Validation = field(default_factory=Validation)

    def __post_init__(self) -> None:
        given = [name for name in ("markets", "window") if getattr(self, name) is not None]
        check_counts(self, "steps", *given, "units", "horizon")


FINE_TUNING = PathwiseSettings(steps=150_000, units=64, learning_rate=6e-3, validation=Validation(times=3))
"""A minute in a small shop, in many short updates: few long ones move a policy too little."""


def train_pathwise(
    market: Market,
    settings: PathwiseSettings = PathwiseSettings(),
    seed: int = 0,
    progress: Progress = SILENT,
    *,
    base: Pair | None = None,
    checkpoint: Path | None = None,
    start: LearnedPolicy | None = None,
) -> LearnedPolicy:
    """Train by the gradient of profit; arguments as in ``train_ppo``.

    What a policy decides must move profit continuously: of a fixed cost of ordering or of changing a price
    the gradient knows nothing, though validation does.

    Args:
        start: the policy to go on from (``FINE_TUNING``): its network, its features, and the baseline that it
            corrects, whatever ``base`` and the settings say. One for many shops is started here first
            (``start_in``), so that what is returned is worth no less in validation than rules tuned here.

    Raises:
        InputError: ``start`` chooses from a lattice, or observes what this market has not.
    """
    if start is None:
        base = base_of(market, base, settings, seed, progress)
        actions = Residual.of(base, settings.price_reach, settings.orders)
        observation, network = Observation(features_of(market)), None
    else:
        start = start_in(market, start, seed, settings.validation, settings.caution, progress)
        actions, network = _continuous(start), start.network
        observation = Observation.in_market(start.features, market)
    ascent = Ascent(
        [ground_of(market, actions, observation, settings, seed)],
        settings.hidden,
        settings.learning_rate,
        settings.average,
        seed,
        network,
    )
    about = record_of(settings, seed, market)

    def found() -> LearnedPolicy:
        return LearnedPolicy("pathwise", ascent.found(), actions, about, observation.names)

    kept = kept_at(checkpoint, market.device, market, to_spec(actions), settings, seed, network)
    return climb(ascent, found, profits_in(market, settings, seed), settings, progress, kept)


def _continuous(policy: LearnedPolicy) -> Residual:
    """The action map of a policy whose decisions have a gradient."""
    if isinstance(policy.actions, Residual):
        return policy.actions
    raise InputError(f"start: expected a policy of PPO or pathwise, found {policy.name}, which has a lattice")


def ground_of(
    market: Market, actions: Residual, observation: Observation, settings: PathwiseSettings, seed: int
) -> Ground:
    """A market to practise in, as the settings say."""
    markets = side_by_side(market, settings.markets, settings.units)
    practice = Practice(window_for(market, settings), settings.horizon, settings.caution)
    return Ground(market, markets, actions, observation, practice, seed)


def climb(
    ascent: Ascent,
    found: Callable[[], LearnedPolicy],
    profits: Callable[[LearnedPolicy], Tensor],
    settings: PathwiseSettings,
    progress: Progress,
    kept: Checkpoint | None,
) -> LearnedPolicy:
    """Make all updates; of the policies that are ``found`` at each validation return the best.

    Interrupted (KeyboardInterrupt), it returns the best so far; with a checkpoint it goes on up.
    """
    name = found().name
    with progress.stage(f"train {name}", total=settings.steps) as stage, few_threads():
        best = Best(lambda: [found()], profits, stage)
        try:
            _climb(ascent, settings, best, kept, stage)
        except KeyboardInterrupt:
            if kept is not None:
                raise
            stage.note("interrupted: the best policy so far is kept")
    return best.policy


def window_for(market: Market, settings: PathwiseSettings) -> int:
    """The window of the settings; where None one that tells what a decision leads to.

    That is five orders in a row at least, or a season whole, as far as an episode goes.
    """
    economics = market.economics
    if settings.window is not None:
        return settings.window
    if economics.season is not None:
        return economics.episode(settings.horizon)
    return max(_WINDOW, _ORDERS * (economics.lead_time + economics.order_every))


def features_of(market: Market) -> tuple[str, ...]:
    """What a policy for a market reads: of prices only where one is free.

    A network that has to learn what does not matter learns it from noise.
    """
    all_of_them = Observation.of(market).names
    if bool((market.terms.price_low < market.terms.price_high).any()):
        return all_of_them
    return tuple(name for name in all_of_them if name not in OF_PRICES)


def _climb(
    ascent: Ascent, settings: PathwiseSettings, best: Best, checkpoint: Checkpoint | None, stage: Stage
) -> None:
    """All updates, with validations in between; from where ``checkpoint`` was left."""
    each = ascent.unit_periods
    total = ceil(settings.steps / each)
    interval = max(1, total // settings.validation.times)
    _go_on(ascent, best, checkpoint, stage)
    while ascent.updates < total:
        worth = ascent.update(ascent.updates / total)
        stage.advance(each)
        stage.curve(ascent.updates * each, {"train/worth": worth})
        if ascent.updates % interval == 0 and ascent.updates < total:
            best.consider(ascent.updates * each)
            if checkpoint is not None:
                tensors = ascent.tensors() | named("best", best.policy.network.state_dict())
                checkpoint.save({"updates": ascent.updates, "most": best.most}, tensors)
    best.consider(ascent.updates * each)


def _go_on(ascent: Ascent, best: Best, checkpoint: Checkpoint | None, stage: Stage) -> None:
    kept = None if checkpoint is None else checkpoint.load()
    if kept is None:
        return
    about, tensors = kept
    best.put_back(about["most"], taken("best", tensors))
    ascent.put_back(about["updates"], tensors)
    done = ascent.updates * ascent.unit_periods
    stage.advance(done)
    stage.note(f"going on from {done:,} unit-periods, where a training was interrupted")
