"""From a benchmarked market to the report's contents: what to show, and the numbers behind the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...agents.evaluation import Evaluation, trajectory
from ...agents.workers import HERE, Workers
from ...envs.market import Market
from ...forecasters.names import positions
from ...forecasters.panel.sales_panel import SalesPanel
from ...forecasters.progress import SILENT, Progress
from ...forecasters.simulation import LearnedDemand, sample_paths
from ..benchmarking import Benchmark
from ..decisions import Decisions
from ..expectation import EXPECTED, ORDINARY, steps
from ..explained import parts_of
from ..headline import assumptions, difference, headline, other_customers, rails
from ..series import response
from .contents import (
    Breakdown,
    Contents,
    DecisionList,
    DecisionRow,
    Forecast,
    Headline,
    Interval,
    Numbers,
    PolicyRow,
    Trajectory,
    Trust,
)
from .words import MINUS, count, period_name

_PATHS = 64  # sampled futures behind a forecast's band
_DECIDED = 12  # rows of decisions that the page shows
_SHOWN = 60  # periods of history in a forecast's picture


@dataclass(frozen=True)
class Subject:
    """What a report is about."""

    name: str
    panel: SalesPanel
    acknowledgement: str = ""
    verdict: Mapping[str, str] | None = None  # of the market's card, where there is one
    card: str = ""  # the card's page, beside the report
    caveat: str = ""  # what to know of how the policies were trained
    decisions: Decisions | None = None  # of the best learned policy
    file: str = ""  # with all decisions, beside the report
    stock_assumed: bool = True


def gather(
    subject: Subject,
    benchmark: Benchmark,
    shift_episodes: int,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> Contents:
    """Everything that the page says; ``shift_episodes`` are played for each thing that is changed."""
    market, panel = benchmark.market.forgotten, subject.panel
    demand = market.demand
    if not isinstance(demand, LearnedDemand):
        raise TypeError(f"expected a fitted market, found one of {type(demand).__name__}")
    line, evaluation = headline(benchmark), benchmark.evaluation
    shown = _typical_series(market)
    sides = {"location": len(panel.locations), "item": len(panel.items), "period": panel.periods}
    size = " × ".join(count(n, what) for what, n in sides.items())
    with torch.no_grad():
        forecasts = _forecasts(demand, panel, shown, evaluation.seed, progress)
    return Contents(
        title=f"What learned policies earn: {subject.name}",
        subtitle=f"{size}, {panel.dates[0]} to {panel.dates[-1]}",
        acknowledgement=subject.acknowledgement,
        currency=market.economics.currency,
        period=period_name(market.frequency),
        horizon=evaluation.horizon,
        episodes=evaluation.episodes,
        seed=evaluation.seed,
        facts=[("training", subject.caveat)] * bool(subject.caveat) + _facts(panel, demand),
        trust=None if subject.verdict is None else Trust(**subject.verdict, page=subject.card),
        headline=line,
        assumptions=assumptions(benchmark, line, panel.cost is not None, shift_episodes, progress, workers),
        other_customers=other_customers(benchmark, line, shift_episodes, progress, workers),
        decisions=None if subject.decisions is None else _decisions(subject, subject.decisions),
        explanations=[] if subject.decisions is None else _explanations(market, subject.decisions),
        policies=_rows(evaluation, benchmark, line),
        rules=rails(benchmark, line, shift_episodes, progress, workers),
        true_market=[] if benchmark.truth is None else _rows(benchmark.truth, benchmark, line),
        forecasts=forecasts,
        responses=[response(market, *series) for series in _items_at(market, shown[0][0])],
        trajectory=_trajectory(benchmark, line, shown[0]),
        limits=_limits(panel, market),
    )


def _rows(evaluation: Evaluation, benchmark: Benchmark, line: Headline) -> list[PolicyRow]:
    learned = {policy.name for policy in benchmark.learned}
    rows = []
    for row in evaluation.policies():
        values: dict[str, Any] = {key: value for key, value in row.items() if key in PolicyRow.model_fields}
        name = str(row["policy"])
        rows.append(
            PolicyRow(
                **values,
                learned=name in learned,
                profit=Interval(
                    mean=float(row["profit_mean"]), lo=float(row["profit_lo"]), hi=float(row["profit_hi"])
                ),
                versus_baseline=None
                if name == line.baseline
                else difference(evaluation, name, line.baseline),
            )
        )
    return rows


def _decisions(subject: Subject, decisions: Decisions) -> DecisionList:
    """What is decided, and for which series most hangs on it."""
    rows, most = decisions.rows, _most_at_stake(decisions)
    return DecisionList(
        date=str(rows["date"].iloc[0]),
        series=len(rows),
        changed=decisions.changed,
        ordered=int(rows["order"].sum()),
        gain=Interval(mean=decisions.gain, lo=decisions.gain_lo, hi=decisions.gain_hi),
        stock_assumed=subject.stock_assumed,
        rows=[
            DecisionRow(
                **{
                    name: row[name] for name in ("location", "item", "current_price", "price", "order", "why")
                },
                gain=Interval(mean=row["expected_gain"], lo=row["gain_lo"], hi=row["gain_hi"]),
            )
            for row in most.to_dict("records")
        ],
        file=subject.file,
    )


def _most_at_stake(decisions: Decisions) -> pd.DataFrame:
    """The rows that the page shows."""
    gain = decisions.rows["expected_gain"].abs()
    return decisions.rows.loc[gain.sort_values(ascending=False, kind="stable").index[:_DECIDED]]


def _explanations(market: Market, decisions: Decisions) -> list[Breakdown]:
    """The first row that the page shows, in parts, and its demand at the new prices; none without parts."""
    if "ordinary_price" not in decisions.rows:
        return []
    first, period = _most_at_stake(decisions).iloc[0], period_name(market.frequency)
    units = {"price": f"price ({market.economics.currency} per unit)", "order": "units ordered"}
    decided = [
        Breakdown(
            title=what,
            unit=unit,
            ordinary_name=f"ordinary {what}",
            ordinary=first[f"ordinary_{what}"],
            parts=list(parts_of(first, what).items()),
            result_name=f"new {what}" if what == "price" else what,
            result=first[what],
            reference=first["current_price"] if what == "price" else None,
            reference_name="price now",
        )
        for what, unit in units.items()
    ]
    price = market.terms.reference_price.clone()
    place, item = (
        positions(decisions.rows[column].tolist(), known, f"a {column}")
        for column, known in (("location", market.locations), ("item", market.items))
    )
    price[place, item] = torch.from_numpy(decisions.rows["price"].to_numpy(np.float32)).to(price)
    row = list(decisions.rows.index).index(first.name)
    told = steps(market, market.demand.periods, int(place[row]), int(item[row]), price).set_index("step")
    parts = told["times"].drop([ORDINARY, EXPECTED])
    return [
        *decided,
        Breakdown(
            title="expected demand",
            unit=f"units per {period} that customers want",
            ordinary_name=f"ordinary {period}",
            ordinary=told.loc[ORDINARY, "units"],
            parts=list(parts.items()),
            result_name="expected",
            result=told.loc[EXPECTED, "units"],
            multiplied=True,
        ),
    ]


def _facts(panel: SalesPanel, demand: LearnedDemand) -> list[tuple[str, str]]:
    own = demand.elasticities.own.flatten().cpu()
    low, middle, high = (f"{float(own.quantile(q)):.2f}".replace("-", MINUS) for q in (0.1, 0.5, 0.9))
    weights = sum(parameter.numel() for parameter in demand.model.network.parameters())
    rows = int(np.isfinite(panel.units).sum())
    facts = [
        (
            "history",
            f"{panel.dates[0]} to {panel.dates[-1]}, {rows:,} rows, {len(panel.series)} series",
        ),
        (
            "demand model",
            f"spatiotemporal Transformer, {weights:,} weights; loss"
            f" {demand.model.validation_loss:.3f} per row on the held-out last periods",
        ),
        ("own elasticity", f"median {middle}, {low} to {high} for the middle 80% of series"),
    ]
    return facts + [("" if n else "cleaning", note) for n, note in enumerate(panel.report.notes[:4])]


def _typical_series(market: Market) -> list[tuple[int, int]]:
    """Three series to show, (location, item): of largest takings, of middling ones, of small ones."""
    takings = (market.terms.reference_price * market.terms.typical_demand).flatten().cpu()
    order = takings.argsort(descending=True)
    picks = dict.fromkeys(int(order[int(share * (len(order) - 1))]) for share in (0.0, 0.5, 0.9))
    return [divmod(pick, len(market.items)) for pick in picks]


def _items_at(market: Market, place: int) -> list[tuple[int, int]]:
    """Up to four items of largest takings at a location."""
    takings = (market.terms.reference_price * market.terms.typical_demand)[place]
    return [(place, int(item)) for item in takings.argsort(descending=True)[:4]]


def _name(market_or_demand: Market | LearnedDemand, place: int, item: int) -> str:
    return f"{market_or_demand.items[item]}, location {market_or_demand.locations[place]}"


def _forecasts(
    demand: LearnedDemand,
    panel: SalesPanel,
    shown: Sequence[tuple[int, int]],
    seed: int,
    progress: Progress,
) -> list[Forecast]:
    """The last periods, on which the trunk was not trained, from what precedes them, at their own prices."""
    held = min(demand.model.settings.validation, panel.periods // 5)
    begin = panel.periods - held
    paths = sample_paths(demand, demand.history, begin, held, _PATHS, seed, progress)
    bands = np.quantile(paths, [0.1, 0.5, 0.9], axis=0)  # (3, held, S, I)
    first = max(0, panel.periods - _SHOWN)
    units = panel.dense(panel.units)
    out = []
    for place, item in shown:
        before: Numbers = [None] * (begin - first)
        lo, median, hi = ([*before, *band[:, place, item].tolist()] for band in bands)
        out.append(
            Forecast(
                title=_name(demand, place, item),
                dates=[str(date) for date in panel.dates[first:]],
                units=[None if np.isnan(value) else float(value) for value in units[first:, place, item]],
                lo=lo,
                median=median,
                hi=hi,
            )
        )
    return out


def _trajectory(benchmark: Benchmark, line: Headline, shown: tuple[int, int]) -> Trajectory:
    market, settings = benchmark.market, benchmark.evaluation
    location, item = market.locations[shown[0]], market.items[shown[1]]
    learned, baseline = (
        trajectory(market, benchmark.policy(name), location, item, settings.horizon, settings.seed)
        for name in (line.learned, line.baseline)
    )
    return Trajectory(
        title=_name(market, *shown),
        price=learned.price.tolist(),
        baseline_price=baseline.price.tolist(),
        on_hand=learned.on_hand.tolist(),
        demand=learned.demand.tolist(),
        sales=learned.sales.tolist(),
        baseline_on_hand=baseline.on_hand.tolist(),
        baseline_demand=baseline.demand.tolist(),
        baseline_sales=baseline.sales.tolist(),
    )


def _limits(panel: SalesPanel, market: Market) -> list[str]:
    """What a reader should know before acting on the page."""
    limits = [
        "Profits are predictions of a learned market, not results of the real one. The next step is a trial"
        " in some shops, not a roll-out.",
        "The price response is estimated from the prices that were charged. A cause of both high prices and"
        " high demand that no column shows would bias it; a cost shifter in the table protects against that.",
        "Learned prices stay within the supported range (the prices of the last year), unless a price rule"
        " forces them out: how customers respond outside that range is unknown.",
        "Competitors' reactions and shelf space are not modelled.",
    ]
    if not (panel.censored > 0).any():
        limits.append(
            "The table has no record of stock-outs: demand beyond the stock is not in it, and sales are taken"
            " as demand."
        )
    if panel.cost is None:
        told = "a given" if "unit_cost_share" in market.economics.given() else "an assumed"
        limits.append(f"The table has no unit costs: they are {told} share of the reference price.")
    if not any(market.economics.given().values()):
        limits.append(
            "All costs and rules of the shop are assumed: give your own before you rely on the profits."
        )
    return limits
