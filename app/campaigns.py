"""What it is worth to show customers items and to send them coupons, beside a policy's prices and orders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
import pandas as pd

from ..agents.addressing import showings, tried
from ..agents.evaluation import bootstrap
from ..agents.workers import HERE, Workers
from ..forecasters.customers import Campaign, Coupons, Lift
from ..forecasters.errors import InputError, share, whole
from ..forecasters.progress import SILENT, Progress
from .arguments import AnyMarket, AnyPolicy, open_any, valid_seed
from .benchmarking import check_horizon
from .policies import tuned, wanted

_Z = 1.645  # of a 90% interval


@dataclass(frozen=True)
class Worth:
    """What a campaign brings in an episode, in money."""

    campaign: str
    gain: tuple[float, float, float]  # mean over episodes with its 95% interval, at the effect's mean
    least: float  # the lower of the means at the two ends of the effect's 90% interval
    most: float  # … the higher one: who gives all away loses by more customers


@dataclass(frozen=True)
class Campaigns:
    """Campaigns beside one policy, the best first."""

    policy: str
    profit: float  # of the policy alone, an episode
    episodes: int
    horizon: int
    showing: Lift  # what showing an item does to its purchases, as the events tell or as it is assumed
    coupon: Lift  # … sending a coupon
    worth: tuple[Worth, ...]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a campaign."""
        rows = [(one.campaign, *one.gain, one.least, one.most) for one in self.worth]
        return pd.DataFrame(rows, columns=["campaign", "gain", "gain_lo", "gain_hi", "least", "most"])


def campaigns(
    market: AnyMarket,
    policy: AnyPolicy | None = None,
    seed: int = 0,
    *,
    slate: int = 3,
    discount: float = 0.1,
    episodes: int = 32,
    horizon: int = 26,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> Campaigns:
    """What it is worth to show customers items, by several rules, and to send coupons to whom.

    Each is played with stock and memory, before the same customers, at the mean and at both ends of the 90%
    interval of its effect, which events told or which is assumed.

    Args:
        market: one that was fitted with events.
        policy: sets prices and orders; None: the prices of the table, with base-stock orders.
        seed: of the customers.
        slate: items that each customer is shown in a period; all of them where there are fewer.
        discount: share of the price that a coupon takes off.
        episodes: simulated; of ``horizon`` periods each.

    Raises:
        InputError: the market has no customers who are known well enough, or a number is none of its kind.
    """
    shop, seed = open_any(market).remembered, valid_seed(seed)
    slate, episodes = whole("slate", slate, 1, 1000), whole("episodes", episodes, 2, 10_000)
    discount = share("discount", discount)
    check_horizon(shop, horizon)
    if shop.customers is None:
        raise InputError(f"{shop.name}: expected a market with customers (fitted with --events), found none")
    account = shop.customers.known().account
    (ready,) = tuned(shop, wanted(shop, [policy]), seed, progress)
    segments = [None, *((one.name,) for one in account.segments)]
    length = min(slate, len(shop.items))

    def made(deviations: float) -> list[Campaign]:
        shown, sent = (_moved(effect, deviations) for effect in (account.exposure, account.coupon))
        return [*showings(length, shown), *(Coupons(discount, sent, some) for some in segments)]

    each = [made(deviations) for deviations in (0.0, -_Z, _Z)]
    played = tried(shop, ready, list(chain(*each)), seed, episodes, horizon, progress, workers)
    alone, *with_each = played.values["profit"]
    gains = (np.stack(with_each) - alone).reshape(len(each), -1, len(alone))
    worth = []
    for n, one in enumerate(each[0]):
        ends = sorted(gains[1:, n].mean(1).tolist())
        worth.append(Worth(one.name, bootstrap(gains[0, n], seed), *ends))
    return Campaigns(
        policy=ready.name,
        profit=float(alone.mean()),
        episodes=episodes,
        horizon=shop.economics.episode(horizon),
        showing=account.exposure,
        coupon=account.coupon,
        worth=tuple(sorted(worth, key=lambda one: -one.gain[0])),
    )


def _moved(effect: Lift, deviations: float) -> Lift:
    return replace(effect, mean=effect.mean + deviations * effect.sd)
