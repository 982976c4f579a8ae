"""One policy for many shops: trained in several markets, it starts in others without training.

It is told each shop's economics and price response (``Observation.across``), and corrects rules that are
tuned there in seconds: the best price that stays, with the orders that suit it (``tune_static``). What it
learns is therefore how prices and orders should move with stock, sales and season, which is alike in shops
that sell other things. It starts in a shop by ``start_in``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ...envs.engine.observation import Observation
from ...envs.engine.rewards import typical_revenue
from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.progress import SILENT, Progress
from ..learned import LearnedPolicy
from ..learner import Validation, validation_episodes, validation_profits
from ..residual import OpenResidual, Residual, to_spec
from ..train import kept_at
from ..tuning import tune_static
from .ascent import Ascent
from .training import PathwiseSettings, climb, ground_of


@dataclass(frozen=True)
class ShopsSettings(PathwiseSettings):
    """Pathwise policy optimisation in several markets, of which each update plays one."""

    steps: int = 1_200_000  # periods of a decision unit, in all markets together
    units: int = 64  # each update plays one market, so that many short ones see each of them often
    learning_rate: float = 6e-3
    hidden: tuple[int, ...] = (64, 64)
    validation: Validation = Validation(times=3)


def train_shops(
    markets: Sequence[Market],
    settings: ShopsSettings = ShopsSettings(),
    seed: int = 0,
    progress: Progress = SILENT,
    *,
    checkpoint: Path | None = None,
) -> LearnedPolicy:
    """Train one policy for all shops like those of some markets; arguments as in ``train_pathwise``.

    Args:
        markets: where it practises; the more they differ, the more shops it suits.

    Raises:
        InputError: no market, or one has stock that ages, a season's end or days of orders, and another has
            not.
    """
    if not markets:
        raise InputError("markets: expected one or more, found none")
    actions, observation = OpenResidual(settings.price_reach, settings.orders), Observation.across(markets)
    with progress.stage("tune rules in each market", total=len(markets)) as stage:
        shops = []
        for market in markets:
            shops.append(Shop(market, actions.on(tune_static(market, seed))))
            stage.advance()
    grounds = [ground_of(shop.market, shop.actions, observation, settings, seed) for shop in shops]
    ascent = Ascent(grounds, settings.hidden, settings.learning_rate, settings.average, seed)
    about = {"settings": asdict(settings), "seed": seed, "market": ", ".join(one.name for one in markets)}

    def found() -> LearnedPolicy:
        return LearnedPolicy("generalist", ascent.found(), actions, about, observation.names)

    rules = [to_spec(shop.actions) for shop in shops]
    kept = kept_at(checkpoint, markets[0].device, list(markets), rules, settings, seed)
    return climb(ascent, found, _profits(shops, settings, seed), settings, progress, kept)


@dataclass(frozen=True)
class Shop:
    """Where a policy for many shops practises: a market, and corrections of the rules tuned there."""

    market: Market
    actions: Residual


def _profits(shops: Sequence[Shop], settings: ShopsSettings, seed: int) -> Callable[[LearnedPolicy], Tensor]:
    """What a policy earns in each episode of validation customers (E,), a market on average.

    In multiples of a period's typical revenue, so that large shops count no more than small ones.
    """
    validation, caution = settings.validation, settings.caution
    episodes = validation_episodes([shop.market for shop in shops], validation)

    def earned(shop: Shop, policy: LearnedPolicy) -> Tensor:
        there = replace(policy, actions=shop.actions)
        profits = validation_profits(shop.market, there, seed, validation, caution, episodes)
        return profits / typical_revenue(shop.market).double().sum().cpu()

    return lambda policy: torch.stack([earned(shop, policy) for shop in shops]).mean(0)
