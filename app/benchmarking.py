"""Learned policies against the rules a shop would use, in the learned market and, if known, the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..agents.evaluation import Evaluation, evaluate
from ..agents.learned import LearnedPolicy
from ..agents.policy import Policy
from ..agents.workers import HERE, Workers
from ..envs.market import Market
from ..envs.processes import ObservedDemand
from ..envs.structural import Truth, true_market
from ..forecasters.errors import InputError
from ..forecasters.learned import LearnedDemand
from ..forecasters.progress import SILENT, Progress

_SAME_PRICE = 1e-3  # relative; a table's prices are rounded
_LEAST_ALIKE = 0.5  # of the prices: a table may lack rows, whose prices are filled


@dataclass(frozen=True)
class Benchmark:
    """Every policy before the same customers."""

    market: Market
    learned: tuple[Policy, ...]
    baselines: tuple[Policy, ...]
    evaluation: Evaluation
    truth: Evaluation | None = None  # the same policies in the true market

    def policy(self, name: str) -> Policy:
        """The policy of that name."""
        return next(policy for policy in (*self.learned, *self.baselines) if policy.name == name)

    def payload(self) -> dict[str, Any]:
        """What ``benchmark --json`` prints."""
        out: dict[str, Any] = self._tables(self.evaluation)
        if self.truth is not None:
            out["true_market"] = self._tables(self.truth)
        settings = self.evaluation
        return out | {"episodes": settings.episodes, "horizon": settings.horizon, "seed": settings.seed}

    def _tables(self, evaluation: Evaluation) -> dict[str, Any]:
        references = [policy.name for policy in self.baselines]
        pairs = evaluation.pairs(references if self.learned else None)
        return {"policies": evaluation.policies(), "pairs": pairs}


def compare(
    market: Market,
    learned: Sequence[Policy],
    baselines: Sequence[Policy],
    episodes: int,
    horizon: int,
    seed: int,
    truth: Path | None = None,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> Benchmark:
    """Play all policies through the same episodes, in the market of a truth folder too if there is one."""
    check_horizon(market, horizon)
    policies = [*learned, *baselines]
    evaluation = evaluate(market, policies, episodes, horizon, seed, progress, workers)
    true = None
    if truth is not None:
        true = evaluate(behind(market, truth), policies, episodes, horizon, seed, progress, workers)
    return Benchmark(market, tuple(learned), tuple(baselines), evaluation, true)


def behind(market: Market, truth: Path) -> Market:
    """The shop of a learned market before its true customers; policies still see what the shop would see.

    Raises:
        InputError: the folder holds no truth, or that of another panel.
    """
    known = Truth.load(truth)
    try:
        known = known.select(market.locations, market.items)
    except KeyError as error:
        raise InputError(f"truth folder {truth}: not the truth of this market: {error.args[0]}") from None
    _check_same_panel(market, known, truth)
    nature = true_market(known, market.economics).demand
    return market.with_demand(ObservedDemand(nature.to(market.device), market.demand))


def other_markets(market: Market) -> dict[str, Market]:
    """The shop of a learned market before other customers that the data leave possible, by what is other.

    Only nature changes: the shop goes on forecasting with the model that it fitted, as it would.
    """
    demand = market.demand
    if not isinstance(demand, LearnedDemand):
        return {}
    others = demand.plausible().items()
    return {name: market.with_demand(ObservedDemand(customers, demand)) for name, customers in others}


def _check_same_panel(market: Market, truth: Truth, folder: Path) -> None:
    """Refuse the truth of another panel: dates and prices that were charged tell.

    Raises:
        InputError: it is another's.
    """
    what = f"truth folder {folder}: expected the truth of the panel that {market.name} was fitted on, found"
    _, here, there = np.intersect1d(market.dates, truth.dates, return_indices=True)
    if len(here) < len(market.dates):
        raise InputError(
            f"{what} one without {len(market.dates) - len(here)} of its {len(market.dates)} dates"
        )
    if market.logged_price is None:
        return
    listed = truth.listed[there]
    charged, true = market.logged_price.cpu()[here][listed], truth.history.price[there][listed]
    alike = float(((charged / true).log().abs() < _SAME_PRICE).float().mean())
    if alike < _LEAST_ALIKE:
        raise InputError(f"{what} {alike:.0%} of its prices alike")


def load_policies(paths: Sequence[Path]) -> list[LearnedPolicy]:
    """Learned policies from their files; a name that two share is told apart by the file's.

    Raises:
        InputError: a file is no policy, or two have one name.
    """
    policies = [LearnedPolicy.load(path) for path in paths]
    names = [policy.name for policy in policies]
    return [
        policy if names.count(policy.name) == 1 else policy.named(path.stem)
        for path, policy in zip(paths, policies, strict=True)
    ]


def check_horizon(market: Market, horizon: int) -> None:
    """Refuse episodes longer than the history.

    Raises:
        InputError: the history is shorter than an episode.
    """
    if horizon > market.demand.periods:
        raise InputError(
            f"horizon: expected at most the {market.demand.periods} periods of the history, found {horizon}"
        )
