"""Play episodes with and without scenarios, before the same customers, and say what they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..agents.baselines.orders import BaseStock
from ..agents.baselines.prices import LastPrice, LoggedPrice
from ..agents.evaluation import bootstrap
from ..agents.policy import Pair, Policy
from ..agents.workers import HERE, Workers
from ..envs.engine.finite import refuse_non_finite
from ..envs.engine.types import State
from ..envs.market import Market
from ..envs.processes import CustomerMarket, CustomerState, ObservedDemand
from ..envs.scenarios import Asked, Plan, Scenario
from ..envs.scenarios.played import Played
from ..envs.sub_markets import AT_ONCE
from ..forecasters.progress import SILENT, Progress
from ..forecasters.simulation import LearnedDemand
from .benchmarking import other_markets
from .report.words import signed
from .tally import ADDITIVE, METRICS, Sums, Tally, quantities

_MOST, _FEWEST, _SERIES = 16, 4, 4_096  # episodes before each of the other customers; episodes times series
_AS_FITTED = "as fitted"
_TOGETHER = 8  # runs of the same episodes that are one job: more would leave other workers without
_NOTICEABLE = 0.005  # share of series-periods
By = Literal["location", "item"]


@dataclass(frozen=True)
class WhatIf:
    """What a scenario changes: episodes simulated with and without it, with the same customers."""

    told: dict[str, Any]  # as ``mercato whatif --json`` prints it

    @property
    def table(self) -> pd.DataFrame:
        """Means per episode ``without`` and ``with`` the scenario, by metric, and ``difference``, its 95%
        interval from ``lo`` to ``hi``."""
        table = _differences(self.told["differences"], "metric")
        table.insert(0, "without", pd.Series(self.told["without"]))
        table.insert(1, "with", pd.Series(self.told["with"]))
        return table

    @property
    def items(self) -> pd.DataFrame:
        """Difference of profit per episode by item, its 95% interval from ``lo`` to ``hi``."""
        return _differences(self.told["items"], "item")

    @property
    def locations(self) -> pd.DataFrame:
        """The same by location."""
        return _differences(self.told["locations"], "location")

    @property
    def customers(self) -> pd.DataFrame:
        """The same of all items, in a few episodes, with each kind of customers consistent with the data."""
        return _differences(self.told["customers"], "customers")

    @property
    def groups(self) -> pd.DataFrame:
        """The table of each location or item, as ``by`` asked for; rows (location or item, metric)."""
        key = self.told["by"]
        names = {"diff_mean": "difference", "diff_lo": "lo", "diff_hi": "hi"}
        return pd.DataFrame(self.told["groups"]).set_index([key, "metric"]).rename(columns=names)

    def __repr__(self) -> str:
        profit = self.table.loc["profit"]
        change = f"{profit['difference']:+,.6g} [{profit['lo']:+,.6g}, {profit['hi']:+,.6g}]"
        return f"WhatIf({self.told['scenario']!r}, {self.told['policy']!r}, profit {change} per episode)"


def _differences(rows: list[dict[str, Any]], key: str) -> pd.DataFrame:
    names = {"diff_mean": "difference", "diff_lo": "lo", "diff_hi": "hi"}
    return pd.DataFrame(rows).set_index(key).rename(columns=names)[list(names.values())]


@dataclass(frozen=True)
class Totals:
    """What each of E episodes brought, by location and by item."""

    locations: tuple[str, ...]
    items: tuple[str, ...]
    by_location: Sums  # (E, S) each
    by_item: Sums  # (E, I) each
    staying: Sums  # (E,) by segment: customers at the end, to those had all been as usual; {} if not known

    def whole(self, episodes: int | None = None) -> dict[str, Tensor]:
        """(E,) each metric of the market, of the first ``episodes``."""
        return quantities({name: values[:episodes].sum(1) for name, values in self.by_location.items()})

    def groups(self, by: By) -> tuple[tuple[str, ...], dict[str, Tensor]]:
        """Names, and (E, N) each metric of their series."""
        names, sums = (self.locations, self.by_location) if by == "location" else (self.items, self.by_item)
        return names, quantities(sums)


@dataclass(frozen=True)
class _Job:
    """Episodes to play."""

    customers: str  # whose market
    policy: Policy
    scenario: Scenario
    changed: bool  # with the scenario, or without it
    episodes: int

    def key(self) -> tuple[Any, ...]:
        """The same for jobs that bring the same."""
        what = self.scenario if self.changed else self._frame()
        return (self.customers, self.policy.name, self.changed, what.model_dump_json(), self.episodes)

    def _frame(self) -> Scenario:
        """A scenario without effects, in the same episodes."""
        scenario = self.scenario
        dated = any(effect.dated for _, _, effect in scenario.effects())
        name = "dated" if dated and scenario.start is None else "frame"
        return Scenario(name=name, horizon=scenario.horizon, start=scenario.start)


def answer_each(
    market: Market,
    policies: Sequence[Policy],
    scenarios: Sequence[Asked],
    seed: int,
    by: By | None = None,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> list[dict[str, Any]]:
    """Totals an episode with and without each scenario under each policy, and paired differences.

    All of them meet the same customers. The difference of profit is told before other customers that the
    data leave possible, too.
    """
    markets = {_AS_FITTED: market, **other_markets(market)}
    jobs = {
        job.key(): job
        for asked in scenarios
        for policy in policies
        for job in _jobs(markets, policy, asked.scenario)
    }
    asked_of = [
        (some, batch) for some in _alike(jobs.values()) for batch in _batches(market, some[0].episodes)
    ]
    work = partial(_played, markets, seed)
    played = workers.map("simulate with and without the scenarios", work, asked_of, progress)
    parts: dict[tuple[Any, ...], list[Totals]] = {}
    for (some, _), totals in zip(asked_of, played, strict=True):
        for job, part in zip(some, totals, strict=True):
            parts.setdefault(job.key(), []).append(part)
    found = {key: _joined(some) for key, some in parts.items()}
    return [
        _told(market, markets, policy, asked.scenario, found, seed, by)
        for asked in scenarios
        for policy in policies
    ]


def usual_policy(market: Market) -> Policy:
    """What the shop does today, as far as the history says: its logged prices, else its last ones."""
    if market.logged_price is None:
        return Pair("last price, base-stock", LastPrice(), BaseStock())
    return Pair("logged price, base-stock", LoggedPrice(), BaseStock())


def _few(market: Market, scenario: Scenario) -> int:
    """Episodes before each of the other customers: fewer in a large market, whose series average already."""
    return min(scenario.episodes, _MOST, max(_FEWEST, _SERIES // (market.shape[0] * market.shape[1])))


def _jobs(customers: Mapping[str, Market], policy: Policy, scenario: Scenario) -> Iterator[_Job]:
    for name in customers:
        episodes = scenario.episodes if name == _AS_FITTED else _few(customers[name], scenario)
        for changed in (False, True):
            yield _Job(name, policy, scenario, changed, episodes)


def _batches(market: Market, episodes: int) -> tuple[Tensor, ...]:
    """Numbers of the first ``episodes``, as many at a time as can be in play together."""
    return torch.arange(episodes).split(max(1, AT_ONCE // (market.shape[0] * market.shape[1])))


def _alike(jobs: Iterable[_Job]) -> list[tuple[_Job, ...]]:
    """Jobs of the same policy in the same episodes, some together: what one has played the next recalls."""
    groups: dict[tuple[Any, ...], list[_Job]] = {}
    for job in jobs:
        groups.setdefault(replace(job, changed=False).key(), []).append(job)
    return [
        tuple(some[first : first + _TOGETHER])
        for some in groups.values()
        for first in range(0, len(some), _TOGETHER)
    ]


def _played(
    markets: Mapping[str, Market], seed: int, asked: tuple[tuple[_Job, ...], Tensor], _: Progress
) -> list[Totals]:
    jobs, batch = asked
    market = markets[jobs[0].customers]
    if isinstance(market.demand, LearnedDemand | ObservedDemand):
        market = market.with_demand(market.demand.recalling())
    plans = (job.scenario.plan(market) if job.changed else job.scenario.unchanged(market) for job in jobs)
    return [_simulated(plan, job.policy, batch, seed) for job, plan in zip(jobs, plans, strict=True)]


def simulated(plan: Plan, policy: Policy, episodes: int, seed: int) -> Totals:
    """What a policy brings in the first ``episodes`` of a plan."""
    return _joined([_simulated(plan, policy, batch, seed) for batch in _batches(plan.market, episodes)])


@torch.no_grad()
def _simulated(plan: Plan, policy: Policy, episodes: Tensor, seed: int) -> Totals:
    """The same in the episodes that are numbered ``episodes`` (B,)."""
    market = plan.market
    sums, after = _sums(plan, policy, episodes.to(market.device), seed)
    by = [{name: values.sum(axis).cpu() for name, values in sums.items()} for axis in (2, 1)]
    return Totals(market.locations, market.items, by[0], by[1], _staying(market, after))


def _staying(market: Market, after: State) -> Sums:
    """Customers at the end of episodes, as ``Totals`` has them."""
    if not isinstance(market.demand, CustomerMarket) or not isinstance(after.demand, CustomerState):
        return {}
    return {name: share.double().cpu() for name, share in market.demand.staying(after.demand).items()}


def _joined(parts: Sequence[Totals]) -> Totals:
    """Batches of episodes as one."""
    first = parts[0]
    by = [
        {name: torch.cat([getattr(part, side)[name] for part in parts]) for name in getattr(first, side)}
        for side in ("by_location", "by_item", "staying")
    ]
    return Totals(first.locations, first.items, by[0], by[1], by[2])


def _sums(plan: Plan, policy: Policy, episodes: Tensor, seed: int) -> tuple[Sums, State]:
    """Sums (B, S, I) over the episodes numbered ``episodes`` (B,), and how they end."""
    game = Played(plan, len(episodes), seed)
    state, tally = game.reset(episodes), Tally(plan.market, len(episodes))
    for t in range(plan.market.economics.episode(plan.horizon)):
        view = game.view(state, t)
        state, outcome = game.step(state, game.enacted(policy.decide(view), view, t), t)
        tally.add(outcome)
    sums = tally.by_series(state.on_hand)
    refuse_non_finite({name: sums[name].sum((1, 2)) for name in ("profit", "demand")}, f"under {policy.name}")
    return sums, state


def _told(
    market: Market,
    customers: Mapping[str, Market],
    policy: Policy,
    scenario: Scenario,
    found: Mapping[tuple[Any, ...], Totals],
    seed: int,
    by: By | None,
) -> dict[str, Any]:
    """What ``mercato whatif --json`` prints of one scenario under one policy."""
    both: dict[str, list[Totals]] = {}
    for job in _jobs(customers, policy, scenario):
        both.setdefault(job.customers, []).append(found[job.key()])
    without, changed = both[_AS_FITTED]
    few = _few(market, scenario)
    before, after = without.whole(), changed.whole()
    out = {
        "scenario": scenario.name,
        "policy": policy.name,
        "episodes": scenario.episodes,
        "horizon": scenario.horizon,
        "seed": seed,
        "without": {name: float(values.mean()) for name, values in before.items()},
        "with": {name: float(values.mean()) for name, values in after.items()},
        "differences": [
            {"metric": name, **_difference(after[name] - before[name], seed)} for name in METRICS
        ],
        "staying": [
            {
                "segment": name,
                "without": float(without.staying[name].mean()),
                "with": float(share.mean()),
                **_difference(share - without.staying[name], seed),
            }
            for name, share in changed.staying.items()
        ],
        "items": _of_groups(without, changed, "item", ("profit",), seed),
        "locations": _of_groups(without, changed, "location", ("profit",), seed),
        "customers": [
            {
                "customers": name,
                "metric": "profit",
                **_difference(then.whole(few)["profit"] - first.whole(few)["profit"], seed),
            }
            for name, (first, then) in both.items()
        ],
    }
    out["notes"] = [*scenario.plan(market).notes, *_unsupported(out)]
    if by is not None:
        out |= {"by": by, "groups": _of_groups(without, changed, by, tuple(METRICS), seed, means=True)}
    return out


def _of_groups(
    without: Totals, changed: Totals, by: By, metrics: Sequence[str], seed: int, means: bool = False
) -> list[dict[str, Any]]:
    """Differences by location or item; of one that is only there with the scenario, all that it brings."""
    names, after = changed.groups(by)
    known, before = without.groups(by)
    rows = []
    for n, name in enumerate(names):
        for metric in metrics:
            then = after[metric][:, n]
            new = torch.zeros_like(then) if metric in ADDITIVE else torch.full_like(then, torch.nan)
            first = before[metric][:, known.index(name)] if name in known else new
            row: dict[str, Any] = {by: name, "metric": metric}
            if means:
                row |= {"without": float(first.mean()), "with": float(then.mean())}
            rows.append(row | _difference(then - first, seed))
    return rows


def _unsupported(told: Mapping[str, Any]) -> list[str]:
    """A line where the scenario leads prices out of what the data support."""
    before, after = told["without"], told["with"]
    if after["outside"] <= before["outside"] + _NOTICEABLE:
        return []
    worst = min(told["customers"], key=lambda row: row["diff_mean"])
    line = (
        f"outside what the data support: {after['outside']:.0%} of prices were never tried, alone or together"
        f" ({before['outside']:.0%} without the scenario); demand there is extrapolated"
    )
    if len(told["customers"]) > 1:
        line += f", and the worst customers consistent with the data make it {signed(worst['diff_mean'])}"
    return [line]


def _difference(values: Tensor, seed: int) -> dict[str, float]:
    sample = values.numpy()
    if np.isnan(sample).all():
        return dict.fromkeys(("diff_mean", "diff_lo", "diff_hi"), float("nan"))
    mean, lo, hi = bootstrap(sample, seed)
    return {"diff_mean": mean, "diff_lo": lo, "diff_hi": hi}
