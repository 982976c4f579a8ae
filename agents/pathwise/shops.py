"""One policy for many shops: trained in several markets, it starts in others without training.

It is told each shop's economics and price response (``Observation.across``), and corrects rules that need no
tuning: the price that earns most in an ordinary period by the shop's own demand model, and the newsvendor's
order, with what spoils on the way. What it learns is therefore what stock, waste and lead time change about
them, which is alike in shops that sell other things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...envs.engine.observation import Observation
from ...envs.engine.rewards import typical_revenue
from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.progress import SILENT, Progress
from ..baselines.held import HeldMyopic
from ..baselines.orders import WasteAware
from ..learned import LearnedPolicy
from ..learner import Validation, validation_episodes, validation_profits
from ..policy import Pair, Policy
from ..residual import Residual, to_spec
from ..train import kept_at
from .ascent import Ascent
from .training import PathwiseSettings, climb, ground_of

UNTUNED = Pair("untuned", HeldMyopic(), WasteAware())
"""Rules that suit any shop: the order rule is plain base-stock where nothing spoils."""


@dataclass(frozen=True)
class ShopsSettings(PathwiseSettings):
    """Pathwise policy optimisation in several markets, of which each update plays one."""

    steps: int = 3_000_000  # periods of a decision unit, in all markets together
    hidden: tuple[int, ...] = (64, 64)
    validation: Validation = Validation(times=3)


def train_shops(
    markets: Sequence[Market],
    settings: ShopsSettings = ShopsSettings(),
    seed: int = 0,
    progress: Progress = SILENT,
    *,
    base: Pair | None = None,
    checkpoint: Path | None = None,
) -> LearnedPolicy:
    """Train one policy for all shops like those of some markets; arguments as in ``train_pathwise``.

    Args:
        markets: where it practises; the more they differ, the more shops it suits.
        base: rules to correct that suit any shop, ``UNTUNED`` where None.

    Raises:
        InputError: no market, or one has stock that ages, a season's end or days of orders, and another has
            not.
    """
    if not markets:
        raise InputError("markets: expected one or more, found none")
    actions = Residual.of(base or UNTUNED, settings.price_reach, settings.orders)
    observation = Observation.across(markets)
    grounds = [ground_of(market, actions, observation, settings, seed) for market in markets]
    ascent = Ascent(grounds, settings.hidden, settings.learning_rate, settings.average, seed)
    about = {"settings": asdict(settings), "seed": seed, "market": ", ".join(one.name for one in markets)}

    def found() -> LearnedPolicy:
        return LearnedPolicy("generalist", ascent.found(), actions, about, observation.names)

    kept = kept_at(checkpoint, markets[0].device, list(markets), to_spec(actions), settings, seed)
    return climb(ascent, found, _profits(markets, settings, seed), settings, progress, kept)


def _profits(markets: Sequence[Market], settings: ShopsSettings, seed: int) -> Callable[[Policy], Tensor]:
    """What a policy earns in each episode of validation customers (E,), a market on average.

    In multiples of a period's typical revenue, so that large shops count no more than small ones.
    """
    episodes = validation_episodes(markets, settings.validation)

    def earned(market: Market, policy: Policy) -> Tensor:
        profits = validation_profits(market, policy, seed, settings.validation, settings.caution, episodes)
        return profits / typical_revenue(market).double().sum().cpu()

    return lambda policy: torch.stack([earned(market, policy) for market in markets]).mean(0)
