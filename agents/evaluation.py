"""Paired evaluation: every policy meets the same customers, and differences carry intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from ..envs.economics import Economics
from ..envs.engine.doubt import over_market
from ..envs.engine.finite import refuse_non_finite
from ..envs.engine.guard_rails import guard_rails
from ..envs.engine.rewards import typical_revenue
from ..envs.engine.rules import binds
from ..envs.engine.types import Decision, Outcome, State
from ..envs.market import Market
from ..envs.simulator import Simulator
from ..envs.sub_markets import AT_ONCE, sub_markets
from ..forecasters.errors import InputError
from ..forecasters.progress import SILENT, Progress
from .policy import Policy, price_range
from .workers import HERE, Workers

METRICS = {
    "profit": "money an episode, over the whole market",
    "revenue": "money an episode",
    "units": "units sold or backordered an episode",
    "fill_rate": "share of demanded units served from stock at once",
    "stockout_share": "share of series-periods with unmet demand",
    "price_mean": "price as a multiple of the reference price, mean over series and periods",
    "price_sd": "standard deviation over the periods of a series' price multiple, mean over series",
    "price_at_bound": "share of series-periods priced at an end of the supported range or lists",
    "disagreement": "standard deviation of the model's log mean demand at the price, mean by typical revenue",
    "off_support": "log distance of the price from the supported range, mean by typical revenue",
    "ending_stock": "stock on hand at the end, in periods of typical demand",
}

_WEIGHTS = {  # by which parts of a market are averaged; None where they are added up
    "profit": None,
    "revenue": None,
    "units": None,
    "fill_rate": "demand",
    **dict.fromkeys(("stockout_share", "price_mean", "price_sd", "price_at_bound"), "series"),
    **dict.fromkeys(("disagreement", "off_support"), "at_stake"),
    "ending_stock": "typical",
}

_BOUND = "bound by "  # and the name of a guard-rail: the share of decisions
_RESAMPLES = 4000
_MANY, _FEW, _SERIES = 64, 8, 128_000  # episodes at most and at least; episodes times series
_CYCLES = 10  # of lead time and review period, that an episode has at least where it must not end too soon


@dataclass(frozen=True)
class Evaluation:
    """What each policy earned in each episode; column e of every policy is the same customers."""

    names: tuple[str, ...]  # (P,)
    values: dict[str, np.ndarray]  # metric -> (P, E)
    episodes: int
    horizon: int
    seed: int
    rules: dict[str, np.ndarray] = field(default_factory=dict)  # guard-rail -> (P, E) share bound

    def __repr__(self) -> str:
        size = f"{self.episodes} episodes of {self.horizon} periods, seed {self.seed}"
        return f"Evaluation({len(self.names)} policies, {size})"

    def policies(self) -> list[dict[str, float | str]]:
        """One row a policy: profit with its 95% interval, and the mean of every other metric."""
        rows: list[dict[str, float | str]] = []
        for p, name in enumerate(self.names):
            row: dict[str, float | str] = {"policy": name}
            mean, lo, hi = bootstrap(self.values["profit"][p], self.seed)
            row |= {"profit_mean": mean, "profit_lo": lo, "profit_hi": hi}
            row |= {metric: float(self.values[metric][p].mean()) for metric in METRICS if metric != "profit"}
            rows.append(row)
        return rows

    def bound(self) -> list[dict[str, float | str]]:
        """One row a policy and guard-rail of the shop: the share of series-periods in which it binds."""
        return [
            {"policy": name, "rule": rule, "bound": float(share[p].mean())}
            for p, name in enumerate(self.names)
            for rule, share in self.rules.items()
        ]

    def pairs(self, references: Sequence[str] | None = None) -> list[dict[str, float | str]]:
        """Profit of a less profit of b, episode by episode, with 95% intervals.

        Args:
            references: the policies to stand as b (the baselines); every other policy is an a. All pairs in
                the order of ``names`` where None.
        """
        if references is None:
            couples = list(combinations(self.names, 2))
        else:
            couples = [(a, b) for a in self.names if a not in references for b in references]
        return [self._pair(a, b) for a, b in couples]

    def best(self, names: Sequence[str] | None = None) -> str:
        """The policy of highest mean profit, among ``names`` where given."""
        means = dict(zip(self.names, self.values["profit"].mean(axis=1), strict=True))
        return max(names or self.names, key=lambda name: means[name])

    def _pair(self, a: str, b: str) -> dict[str, float | str]:
        profit = self.values["profit"]
        mean, lo, hi = bootstrap(profit[self.names.index(a)] - profit[self.names.index(b)], self.seed)
        return {"a": a, "b": b, "diff_mean": mean, "diff_lo": lo, "diff_hi": hi}


def bootstrap(sample: np.ndarray, seed: int, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of ``sample`` (E,) with its percentile bootstrap interval (Efron 1979): mean, lower, upper.

    The same seed draws the same resamples, so that rows of one table are comparable.
    """
    draws = np.random.default_rng(seed).integers(0, len(sample), size=(_RESAMPLES, len(sample)))
    tail = (1.0 - level) / 2.0
    lo, hi = np.quantile(sample[draws].mean(axis=1), [tail, 1.0 - tail])
    return float(sample.mean()), float(lo), float(hi)


def evaluate(
    market: Market,
    policies: Sequence[Policy],
    episodes: int,
    horizon: int,
    seed: int,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> Evaluation:
    """Play every policy through the same ``episodes`` of ``horizon`` periods, or of a season that is shorter.

    A job of the ``workers`` is a policy with a batch of episodes. A market of more series than can be in play
    together is played in parts (``sub_markets``), and the parts are added up.

    Raises:
        InputError: two policies of one name, or no episode.
    """
    names = tuple(policy.name for policy in policies)
    if len(set(names)) < len(names):
        raise InputError(
            f"evaluation: expected policies of different names, found {', '.join(names)};"
            " policy.named(…) gives another"
        )
    if episodes < 1 or horizon < 1:
        raise InputError(
            f"evaluation: expected at least one episode and period, found {episodes} and {horizon}"
        )
    horizon = market.economics.episode(horizon)
    parts = [
        _of_part(part, policies, episodes, horizon, seed, progress, workers) for part in sub_markets(market)
    ]
    values = {name: _joined(name, _WEIGHTS[name], parts) for name in METRICS}
    rules = {name: _joined(_BOUND + name, "series", parts) for name in guard_rails(market.economics)}
    return Evaluation(names, values, episodes, horizon, seed, rules)


def _joined(metric: str, by: str | None, parts: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
    """(P, E) a metric of the whole market by its parts; 0 of a part that has no such rule."""
    values = np.stack([part.get(metric, np.zeros_like(part["series"])) for part in parts])
    if by is None:
        return values.sum(0)
    weight = np.stack([part[by] for part in parts])
    return (values * weight).sum(0) / np.maximum(weight.sum(0), 1e-9)


def _of_part(
    market: Market,
    policies: Sequence[Policy],
    episodes: int,
    horizon: int,
    seed: int,
    progress: Progress,
    workers: Workers,
) -> dict[str, np.ndarray]:
    """Metrics (P, E) of a market that fits, and the weights by which those of parts are averaged."""
    batches = torch.arange(episodes).split(_batch(market))
    jobs = [(policy, batch) for policy in policies for batch in batches]
    work = partial(_played, market, horizon, seed)
    played = list(workers.map("simulate every policy with the same customers", work, jobs, progress))
    rows = [played[p * len(batches) : (p + 1) * len(batches)] for p in range(len(policies))]
    return {
        name: np.stack([np.concatenate([batch[name] for batch in row]) for row in rows]) for name in played[0]
    }


def _played(
    market: Market, horizon: int, seed: int, job: tuple[Policy, Tensor], _: Progress
) -> dict[str, np.ndarray]:
    """Metrics (B,) of a job, a policy with the numbers (B,) of its episodes."""
    metrics = play(market, *job, horizon, seed)
    refuse_non_finite(metrics, f"under {job[0].name}")
    return {name: values.double().cpu().numpy() for name, values in metrics.items()}


def enough_periods(economics: Economics, least: int) -> int:
    """Periods of an episode so long that neither its opening stock nor orders yet to arrive decide it."""
    return max(least, _CYCLES * (economics.lead_time + economics.order_every))


def usual_episodes(market: Market) -> int:
    """How many episodes to simulate: fewer in a large market, whose series average the noise already."""
    return min(_MANY, max(_FEW, _SERIES // (market.shape[0] * market.shape[1])))


def _batch(market: Market) -> int:
    series = len(market.locations) * len(market.items)
    return max(1, AT_ONCE // series)


@torch.no_grad()
def play(market: Market, policy: Policy, episodes: Tensor, horizon: int, seed: int) -> dict[str, Tensor]:
    """Metrics (B,) of one policy in the evaluation episodes numbered ``episodes`` (B,)."""
    horizon = market.economics.episode(horizon)
    simulator = Simulator(market, len(episodes), horizon, seed, evaluation=True)
    state = simulator.reset(episodes.to(market.device))
    tally = _Tally(market, len(episodes))
    for _ in range(horizon):
        decision = policy.decide(simulator.view(state))
        tally.count(decision, state)
        state, outcome = simulator.step(state, decision)
        tally.add(outcome)
    return tally.metrics(horizon, state.on_hand)


@torch.no_grad()
def earned(
    market: Market, policy: Policy, episodes: Tensor, horizon: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Profit and demand (B, S, I) of each series in the evaluation episodes numbered ``episodes`` (B,)."""
    horizon = market.economics.episode(horizon)
    simulator = Simulator(market, len(episodes), horizon, seed, evaluation=True)
    state = simulator.reset(episodes.to(market.device))
    profit, demand = (torch.zeros_like(state.on_hand, dtype=torch.float64) for _ in range(2))
    for _ in range(horizon):
        state, outcome = simulator.step(state, policy.decide(simulator.view(state)))
        profit += outcome.profit
        demand += outcome.demand
    return profit, demand


class _Tally:
    """Running sums over the periods of a batch of episodes, on the market's device."""

    def __init__(self, market: Market, markets: int) -> None:
        self.market = market
        zeros = torch.zeros(markets, dtype=torch.float64, device=market.device)
        self.sums = {
            name: zeros.clone() for name in ("profit", "revenue", "units", "demand", "served", "short")
        }
        self.bound, self.disagreement, self.off_support = zeros.clone(), zeros.clone(), zeros.clone()
        shape = (markets, *market.shape)
        self.price = torch.zeros(shape, dtype=torch.float64, device=market.device)
        self.price_squared = torch.zeros_like(self.price)
        low, high = (market.by_group.spread(bound, -2) for bound in price_range(market))
        self.low, self.high = low * 1.001, high * 0.999
        self.rules = {name: zeros.clone() for name in guard_rails(market.economics)}

    def count(self, decision: Decision, state: State) -> None:
        """Which guard-rails hold a decision back that is made in ``state``."""
        if self.rules:
            held = binds(decision, state, self.market)
            for name, times in self.rules.items():
                times += held[name].double().mean((1, 2))

    def add(self, outcome: Outcome) -> None:
        parts = {
            "profit": outcome.profit,
            "revenue": outcome.revenue,
            "units": outcome.sales + outcome.backordered,
            "demand": outcome.demand,
            "served": outcome.sales,
            "short": (outcome.lost + outcome.backordered > 0).double() / self._series(),
        }
        for name, part in parts.items():
            self.sums[name] += part.double().sum((1, 2))
        at_bound = (outcome.price <= self.low) | (outcome.price >= self.high)
        at_bound |= self.market.supported.at_edge(outcome.price)
        self.bound += at_bound.double().mean((1, 2))
        self.disagreement += over_market(outcome.disagreement, self.market)
        self.off_support += over_market(outcome.off_support, self.market)
        multiple = (outcome.price / self.market.terms.reference_price).double()
        self.price += multiple
        self.price_squared += multiple.square()

    def _series(self) -> int:
        return len(self.market.locations) * len(self.market.items)

    def metrics(self, horizon: int, on_hand: Tensor) -> dict[str, Tensor]:
        sums, mean = self.sums, self.price / horizon
        variance = (self.price_squared / horizon - mean.square()).clamp(min=0.0)
        typical = self.market.terms.typical_demand.double().sum()
        weights = {
            "demand": sums["demand"],
            "series": torch.full_like(typical, self._series()),
            "at_stake": typical_revenue(self.market).double().sum(),
            "typical": typical,
        }
        return (
            {name: weight.expand_as(sums["demand"]) for name, weight in weights.items()}
            | {
                "profit": sums["profit"],
                "revenue": sums["revenue"],
                "units": sums["units"],
                "fill_rate": sums["served"] / sums["demand"].clamp(min=1e-9),
                "stockout_share": sums["short"] / horizon,
                "price_mean": mean.mean((1, 2)),
                "price_sd": variance.sqrt().mean((1, 2)),
                "price_at_bound": self.bound / horizon,
                "disagreement": self.disagreement / horizon,
                "off_support": self.off_support / horizon,
                "ending_stock": on_hand.double().sum((1, 2)) / typical,
            }
            | {_BOUND + name: times / horizon for name, times in self.rules.items()}
        )


@dataclass(frozen=True)
class Trajectory:
    """One episode of one series under one policy; every array (H,)."""

    policy: str
    location: str
    item: str
    price: np.ndarray  # charged
    on_hand: np.ndarray  # units in stock when the policy decided
    ordered: np.ndarray  # units
    demand: np.ndarray  # units wanted
    sales: np.ndarray  # units sold


@torch.no_grad()
def trajectory(
    market: Market, policy: Policy, location: str, item: str, horizon: int, seed: int, episode: int = 0
) -> Trajectory:
    """Record one series through one evaluation episode, the same customers as in ``evaluate``.

    Raises:
        InputError: the market has no such location or item.
    """
    for name, known in ((location, market.locations), (item, market.items)):
        if name not in known:
            raise InputError(f"trajectory: expected one of {', '.join(known[:5])} …, found {name!r}")
    s, i = market.locations.index(location), market.items.index(item)
    horizon = market.economics.episode(horizon)
    simulator = Simulator(market, 1, horizon, seed, evaluation=True)
    state = simulator.reset(torch.tensor([episode], device=market.device))
    rows = []
    for _ in range(horizon):
        view = simulator.view(state)
        state, outcome = simulator.step(state, policy.decide(view))
        seen = (outcome.price, view.state.on_hand, outcome.ordered, outcome.demand, outcome.sales)
        rows.append(torch.stack([field[0, s, i] for field in seen]))
    columns = torch.stack(rows, dim=1).cpu().numpy()
    return Trajectory(policy.name, location, item, *columns)
