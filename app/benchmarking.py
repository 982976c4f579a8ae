"""Learned policies against the rules a shop would use, in the learned market and, if known, the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..agents.evaluation import Evaluation, bootstrap, evaluate
from ..agents.learned import LearnedPolicy
from ..agents.pathwise import start_in
from ..agents.policy import Policy
from ..agents.tuning import COST_PLUS, STATIC
from ..agents.workers import HERE, Workers
from ..envs.engine.guard_rails import guard_rails, lifted
from ..envs.market import Market
from ..envs.processes import ObservedDemand
from ..envs.structural import Truth, true_market
from ..forecasters.errors import InputError
from ..forecasters.progress import SILENT, Progress
from ..forecasters.simulation import LearnedDemand

_SAME_PRICE = 1e-3  # relative; a table's prices are rounded
_LEAST_ALIKE = 0.5  # of the prices: a table may lack rows, whose prices are filled


def of_price(pricing: str, names: Sequence[str]) -> str | None:
    """The policy that charges by a rule of that name; None where there is none."""
    return next((name for name in names if name.split(", ")[0] == pricing), None)


@dataclass(frozen=True)
class Benchmark:
    """The results of every policy with the same simulated customers."""

    market: Market
    learned: tuple[Policy, ...]
    baselines: tuple[Policy, ...]
    evaluation: Evaluation
    truth: Evaluation | None = None  # the same policies in the true market
    unruled: Evaluation | None = None  # … in the learned market without guard-rails, if the shop has some

    @property
    def table(self) -> pd.DataFrame:
        """One row per policy, best first, in the learned market; columns of ``mercato benchmark --json``."""
        return _table(self.evaluation)

    @property
    def true_table(self) -> pd.DataFrame | None:
        """The same in the true market; None if it is not known."""
        return None if self.truth is None else _table(self.truth)

    @property
    def differences(self) -> pd.DataFrame:
        """Profit per episode of policy ``a`` minus that of ``b``, with 95% interval; one row per pair."""
        return pd.DataFrame(self.payload()["pairs"])

    def __repr__(self) -> str:
        best, played = self.table.iloc[0], self.evaluation
        size = f"{len(played.names)} policies, {played.episodes} episodes of {played.horizon} periods"
        return f"Benchmark({size}, best {best.name!r}: profit {best['profit_mean']:,.6g} per episode)"

    def policy(self, name: str) -> Policy:
        """The policy of that name."""
        return next(policy for policy in (*self.learned, *self.baselines) if policy.name == name)

    def payload(self) -> dict[str, Any]:
        """What ``benchmark --json`` prints."""
        out: dict[str, Any] = self._tables(self.evaluation)
        if self.truth is not None:
            out["true_market"] = self._tables(self.truth)
        if self.unruled is not None:
            out |= {"rules": self.evaluation.bound(), "without_rules": self._without(self.unruled)}
        settings = self.evaluation
        return out | {"episodes": settings.episodes, "horizon": settings.horizon, "seed": settings.seed}

    def _without(self, unruled: Evaluation) -> list[dict[str, float | str]]:
        """One row a policy: what it would earn more, as it is, if no guard-rail held it back."""
        return [{"policy": name, **rise(self.evaluation, unruled, name)} for name in self.evaluation.names]

    def _tables(self, evaluation: Evaluation) -> dict[str, Any]:
        references = [policy.name for policy in self.baselines]
        pairs = evaluation.pairs(references if self.learned else None)
        plain = [name for rule in (STATIC, COST_PLUS) if (name := of_price(rule, references)) is not None]
        return {"policies": evaluation.policies(), "pairs": pairs, "gains": evaluation.pairs(plain)}


def _table(evaluation: Evaluation) -> pd.DataFrame:
    return pd.DataFrame(evaluation.policies()).set_index("policy").sort_values("profit_mean", ascending=False)


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
    true = unruled = None
    if truth is not None:
        true = evaluate(behind(market, truth), policies, episodes, horizon, seed, progress, workers)
    if rails := guard_rails(market.economics):
        free = lifted(market, *rails)
        unruled = evaluate(free, policies, episodes, horizon, seed, progress, workers)
    return Benchmark(market, tuple(learned), tuple(baselines), evaluation, true, unruled)


def rise(before: Evaluation, after: Evaluation, policy: str) -> dict[str, float]:
    """Profit of a policy that another market adds, in episodes that both have, with its 95% interval."""
    both = min(before.episodes, after.episodes)
    here, there = (one.values["profit"][one.names.index(policy), :both] for one in (before, after))
    mean, lo, hi = bootstrap(there - here, before.seed)
    return {"diff_mean": mean, "diff_lo": lo, "diff_hi": hi}


def behind(market: Market, truth: Path) -> Market:
    """The shop of a learned market before its true customers; policies still see what the shop would see.

    Raises:
        InputError: the folder holds no truth, or that of another panel.
    """
    known = Truth.load(truth)
    try:
        known = known.select(market.locations, market.items)
    except InputError as error:
        raise InputError(f"truth folder {truth}: not the truth of this market: {error}") from None
    _check_same_panel(market, known, truth)
    nature = true_market(known, market.economics).demand
    return market.with_demand(ObservedDemand(nature.to(market.device), market.demand))


def other_markets(market: Market) -> dict[str, Market]:
    """The shop of a learned market before other customers that the data leave possible, by what is other.

    Only nature changes: the shop goes on forecasting with the model that it fitted, as it would.
    """
    demand = market.forgotten.demand
    if not isinstance(demand, LearnedDemand):
        return {}
    return {
        name: market.with_demand(ObservedDemand(market.with_demand(other).remembered.demand, demand))
        for name, other in demand.plausible().items()
    }


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


def load_policy(source: Policy | str | Path) -> Policy:
    """A policy from its file, or as it is.

    Raises:
        InputError: neither a policy nor a file of one.
    """
    if isinstance(source, str | Path):
        return LearnedPolicy.load(source)
    if isinstance(source, type) or not isinstance(source, Policy):
        raise InputError(f"policy: expected a policy or the path of one, found {type(source).__name__}")
    return source


def load_policies(sources: Sequence[Policy | str | Path]) -> list[Policy]:
    """Policies from their files, or as they are; a name that two share is told apart by the file's.

    Raises:
        InputError: a file is no policy, or two have one name.
    """
    policies = [load_policy(source) for source in sources]
    names = [policy.name for policy in policies]
    return [
        policy.named(Path(source).stem)
        if isinstance(policy, LearnedPolicy)
        and isinstance(source, str | Path)
        and names.count(policy.name) > 1
        else policy
        for source, policy in zip(sources, policies, strict=True)
    ]


def started(policy: Policy, market: Market, seed: int, progress: Progress = SILENT) -> Policy:
    """A policy for many shops as it starts in this one (``start_in``); any other as it is."""
    return start_in(market, policy, seed, progress=progress) if isinstance(policy, LearnedPolicy) else policy


def check_horizon(market: Market, horizon: int) -> None:
    """Refuse episodes longer than the history; a market without one plays for ever.

    Raises:
        InputError: the history is shorter than an episode.
    """
    if market.logged_price is not None and horizon > market.demand.periods:
        raise InputError(
            f"horizon: expected at most the {market.demand.periods} periods of the history, found {horizon}"
        )
