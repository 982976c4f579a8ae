"""Policies that show their customers items or send them coupons, beside what they charge and order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..envs.engine.types import Decision
from ..envs.engine.view import View
from ..envs.market import Market
from ..forecasters.customers import Campaign, Lift, Popular, Recommender, Showing, WorthMost
from ..forecasters.progress import SILENT, Progress
from .evaluation import Evaluation, evaluate
from .policy import Policy
from .seeds import seed_for
from .workers import HERE, Workers

CANDIDATES: tuple[Recommender, ...] = (Popular(), *(WorthMost(power) for power in (0.0, 0.5, 1.0, 2.0)))
"""Popularity, taste alone, and taste with more and more weight on what a unit leaves."""


@dataclass(frozen=True)
class Addressing:
    """A policy with a campaign, for whose customers it prices and orders."""

    name: str
    policy: Policy
    campaign: Campaign

    def decide(self, view: View) -> Decision:
        """
        Raises:
            InputError: the market's customers are not known one by one.
        """
        action = view.market.action(self.campaign)
        return replace(self.policy.decide(view.addressed(action)), customers=action)


def tried(
    market: Market,
    policy: Policy,
    campaigns: Sequence[Campaign],
    seed: int = 0,
    episodes: int = 32,
    horizon: int = 26,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> Evaluation:
    """A policy alone, then with each of some campaigns, before the same customers with stock and memory.

    Raises:
        InputError: the market's customers are not known one by one.
    """
    market = market.remembered
    for one in campaigns:
        market.action(one)  # whatever it lacks is said before anything is played
    with_each = [Addressing(f"{n}: {one.name}", policy, one) for n, one in enumerate(campaigns, 1)]
    customers = seed_for("show", seed)
    return evaluate(market, [policy, *with_each], episodes, horizon, customers, progress, workers)


def best_campaign(
    market: Market,
    policy: Policy,
    campaigns: Sequence[Campaign],
    seed: int = 0,
    episodes: int = 32,
    horizon: int = 26,
) -> tuple[Campaign, dict[str, float]]:
    """Of some campaigns the one that earns most beside a policy's prices and orders, and what each earns.

    Profits are means of an episode.

    Raises:
        InputError: as ``tried``.
    """
    profit = tried(market, policy, campaigns, seed, episodes, horizon).values["profit"][1:].mean(1)
    worth = {one.name: float(value) for one, value in zip(campaigns, profit, strict=True)}
    return max(campaigns, key=lambda one: worth[one.name]), worth


def showings(
    length: int, effect: Lift, recommenders: Sequence[Recommender] = CANDIDATES
) -> tuple[Showing, ...]:
    """Campaigns that show each customer ``length`` items, by one recommender each."""
    return tuple(Showing(one, length, effect) for one in recommenders)
