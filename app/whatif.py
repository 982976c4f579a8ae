"""Play episodes with and without a scenario, before the same customers, and say what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ..agents.baselines.orders import BaseStock
from ..agents.baselines.prices import LastPrice, LoggedPrice
from ..agents.evaluation import bootstrap
from ..agents.policy import Pair, Policy
from ..envs.engine.finite import refuse_non_finite
from ..envs.engine.types import Decision
from ..envs.engine.view import View
from ..envs.market import Market
from ..envs.simulator import Simulator
from ..envs.sub_markets import AT_ONCE
from ..forecasters.progress import SILENT, Progress, Stage
from .benchmarking import other_markets
from .scenario import Scenario, multiples, periods

_EPISODES = 16  # before each of the other customers
METRICS = ("profit", "revenue", "units", "demand", "unmet", "ordered")


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
    def customers(self) -> pd.DataFrame:
        """The same of all items, in a few episodes, with each kind of customers consistent with the data."""
        return _differences(self.told["customers"], "customers")

    def __repr__(self) -> str:
        profit = self.table.loc["profit"]
        change = f"{profit['difference']:+,.6g} [{profit['lo']:+,.6g}, {profit['hi']:+,.6g}]"
        return f"WhatIf({self.told['scenario']!r}, {self.told['policy']!r}, profit {change} per episode)"


def _differences(rows: list[dict[str, Any]], key: str) -> pd.DataFrame:
    names = {"diff_mean": "difference", "diff_lo": "lo", "diff_hi": "hi"}
    return pd.DataFrame(rows).set_index(key).rename(columns=names)[list(names.values())]


def answer(
    market: Market, policy: Policy, seed: int, scenario: Scenario, progress: Progress = SILENT
) -> dict[str, Any]:
    """Totals an episode with and without the scenario, and paired differences with 95% intervals.

    The difference of profit is told before other customers that the data leave possible, too.
    """
    others = other_markets(market)
    few = min(scenario.episodes, _EPISODES)
    work = _batches(market, scenario.episodes) + len(others) * _batches(market, few)
    with progress.stage("simulate with and without the scenario", total=work) as stage:
        without, changed = _both(market, policy, seed, scenario, scenario.episodes, stage)
        customers = {"as fitted": _profit((without[:, :few], changed[:, :few]), seed)}
        for name, shop in others.items():
            customers[name] = _profit(_both(shop, policy, seed, scenario, few, stage), seed)
    return {
        "scenario": scenario.name,
        "policy": policy.name,
        "episodes": scenario.episodes,
        "horizon": scenario.horizon,
        "seed": seed,
        "without": _means(without),
        "with": _means(changed),
        "differences": [
            {"metric": name, **_difference(changed[m].sum(1) - without[m].sum(1), seed)}
            for m, name in enumerate(METRICS)
        ],
        "items": [
            {"item": item, "metric": "profit", **_difference(changed[0, :, i] - without[0, :, i], seed)}
            for i, item in enumerate(market.items)
        ],
        "customers": [{"customers": name, "metric": "profit", **found} for name, found in customers.items()],
    }


def usual_policy(market: Market) -> Policy:
    """What the shop does today, as far as the history says: its logged prices, else its last ones."""
    if market.logged_price is None:
        return Pair("last price, base-stock", LastPrice(), BaseStock())
    return Pair("logged price, base-stock", LoggedPrice(), BaseStock())


@dataclass(frozen=True)
class Repriced:
    """A policy whose prices are multiplied; its order-up-to levels follow what is expected at them."""

    policy: Policy
    multiple: Tensor  # (S, I)

    @property
    def name(self) -> str:
        return self.policy.name

    def decide(self, view: View) -> Decision:
        decision = self.policy.decide(view)
        price, position = decision.price * self.multiple, view.position()
        change = view.expected(price) / view.expected(decision.price).clamp(min=1e-9)
        order = ((position + decision.order) * change - position).clamp(min=0.0)
        return Decision(price=price, order=torch.where(decision.order > 0, order, 0.0))


def _both(
    market: Market, policy: Policy, seed: int, scenario: Scenario, episodes: int, stage: Stage
) -> tuple[Tensor, Tensor]:
    """Totals (metric, episode, item) without the scenario and with it, the same customers."""
    still = [market] * scenario.horizon
    plain = torch.ones(scenario.horizon, *market.shape, device=market.device)
    moved, prices = periods(scenario, market), multiples(scenario, market, "price")
    totals: tuple[list[Tensor], list[Tensor]] = ([], [])
    for numbers in torch.arange(episodes, device=market.device).split(_at_once(market)):
        totals[0].append(_play(still, plain, policy, numbers, seed))
        totals[1].append(_play(moved, prices, policy, numbers, seed))
        stage.advance()
    without, changed = (torch.cat(played, dim=1).double().cpu() for played in totals)
    return without, changed


def _at_once(market: Market) -> int:
    """Episodes that are played side by side."""
    return max(1, AT_ONCE // (market.shape[0] * market.shape[1]))


def _batches(market: Market, episodes: int) -> int:
    return -(-episodes // _at_once(market))


def _profit(both: tuple[Tensor, Tensor], seed: int) -> dict[str, float]:
    without, changed = both
    profit = METRICS.index("profit")
    return _difference(changed[profit].sum(1) - without[profit].sum(1), seed)


@torch.no_grad()
def _play(markets: Sequence[Market], prices: Tensor, policy: Policy, episodes: Tensor, seed: int) -> Tensor:
    """Totals of each metric by episode and item, (metric, B, I); period t is played in ``markets[t]``."""
    simulators = [Simulator(market, len(episodes), len(markets), seed, evaluation=True) for market in markets]
    state = simulators[0].reset(episodes)
    total = torch.zeros(len(METRICS), len(episodes), len(markets[0].items), device=episodes.device)
    for simulator, multiple in zip(simulators, prices, strict=True):
        decision = Repriced(policy, multiple).decide(simulator.view(state))
        state, outcome = simulator.step(state, decision)
        unmet = outcome.lost + outcome.backordered
        units = outcome.sales + outcome.backordered
        parts = (outcome.profit, outcome.revenue, units, outcome.demand, unmet, outcome.ordered)
        total += torch.stack([part.sum(1) for part in parts])
    refuse_non_finite(dict(zip(METRICS, total, strict=True)), f"under {policy.name}")
    return total


def _means(totals: Tensor) -> dict[str, float]:
    return {name: float(totals[m].sum(1).mean()) for m, name in enumerate(METRICS)}


def _difference(values: Tensor, seed: int) -> dict[str, float]:
    mean, lo, hi = bootstrap(values.numpy(), seed)
    return {"diff_mean": mean, "diff_lo": lo, "diff_hi": hi}
