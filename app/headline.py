"""The one line that matters, why it may not hold, and how it moves with what is assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..agents.evaluation import Evaluation, bootstrap, evaluate
from ..agents.tuning import STATIC
from ..agents.workers import HERE, Workers
from ..envs.economics import Economics
from ..envs.engine.guard_rails import guard_rails, lifted
from ..envs.market import Market
from ..forecasters.progress import SILENT, Progress
from .benchmarking import Benchmark, of_price, other_markets, rise
from .report.contents import Assumption, GuardRail, Headline, Interval, Shift
from .report.words import NOTHING
from .report.words import difference as difference_in_words

LOGGED, LAST = "logged price", "last price"  # with the orders that suit them best


def difference(evaluation: Evaluation, a: str, b: str) -> Interval:
    """Profit of a less profit of b, paired, with its 95% interval."""
    profit = evaluation.values["profit"]
    paired = profit[evaluation.names.index(a)] - profit[evaluation.names.index(b)]
    mean, lo, hi = bootstrap(paired, evaluation.seed)
    return Interval(mean=mean, lo=lo, hi=hi)


def headline(benchmark: Benchmark) -> Headline:
    """The best learned policy against the best baseline, static prices and the logged prices."""
    evaluation = benchmark.evaluation
    rules = [policy.name for policy in benchmark.baselines]
    learned = evaluation.best([policy.name for policy in benchmark.learned])
    baseline, logged = evaluation.best(rules), of_price(LOGGED, rules) or of_price(LAST, rules) or rules[0]
    profit = dict(zip(evaluation.names, evaluation.values["profit"].mean(axis=1), strict=True))
    least = NOTHING * abs(profit[baseline])
    static = of_price(STATIC, rules)
    not_beaten = [rule for rule in rules if difference(evaluation, learned, rule).lo <= least]
    return Headline(
        learned=learned,
        baseline=baseline,
        logged=logged,
        versus_baseline=difference(evaluation, learned, baseline),
        versus_logged=difference(evaluation, learned, logged),
        baseline_profit=float(profit[baseline]),
        logged_profit=float(profit[logged]),
        static=static or "",
        versus_static=None if static is None else difference(evaluation, learned, static),
        static_profit=0.0 if static is None else float(profit[static]),
        not_beaten=not_beaten,
        reasons=_reasons(evaluation, benchmark.unruled, learned, not_beaten),
    )


def other_customers(
    benchmark: Benchmark,
    line: Headline,
    episodes: int,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> list[Shift]:
    """The headline before other customers that the data leave possible.

    Those whose own elasticities lie at the ends of their 90% intervals, and those of the form of substitution
    that was found less likely. Only nature changes: the shop goes on forecasting with the model that it
    fitted, as it would.
    """
    jobs = list(other_markets(benchmark.market).items())
    if not jobs:
        return []
    fitted = Shift(change="as fitted", versus_baseline=line.versus_baseline, versus_logged=line.versus_logged)
    work = partial(_shift, benchmark, line, episodes, True)
    return [fitted, *workers.map("test other customers", work, jobs, progress)]


def assumptions(
    benchmark: Benchmark,
    line: Headline,
    costs_known: bool,
    episodes: int,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> list[Assumption]:
    """Every line of the economics, and the headline with each assumed one changed."""
    market, given = benchmark.market, benchmark.market.economics.given()
    fixed = {"unit_cost_share"} if costs_known else set()
    changed = {
        name: [] if is_given or name in fixed else list(_otherwise(market, name))
        for name, is_given in given.items()
    }
    jobs = [job for markets in changed.values() for job in markets]
    work = partial(_shift, benchmark, line, episodes, False)
    shifts = iter(list(workers.map("test other assumptions", work, jobs, progress)))
    of = {name: [next(shifts) for _ in markets] for name, markets in changed.items()}
    return [
        Assumption(name=name, meaning=meaning, value=value, given=given[name], shifts=of[name])
        for name, meaning, value in _lines(market.economics, costs_known)
    ]


def rails(
    benchmark: Benchmark,
    line: Headline,
    episodes: int,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> list[GuardRail]:
    """How often each guard-rail of the shop binds, and what the headline's policies would earn without it.

    The policies are as they are, neither trained nor tuned anew. Where there are several, all together last.
    """
    market, played, names = benchmark.market, benchmark.evaluation, (line.learned, line.baseline)
    every = guard_rails(market.economics)
    if not every:
        return []
    jobs = [*((rail,) for rail in every), *([every] if len(every) > 1 else [])]
    work = partial(_unruled, benchmark, names, episodes)
    found = workers.map("test the shop without its rules", work, jobs, progress)
    return [
        GuardRail(
            rule=job[0] if len(job) == 1 else "all of them",
            bound={name: _bound(played, name, job[0]) for name in names} if len(job) == 1 else {},
            lifted={name: _interval(rise(played, other, name)) for name in names},
        )
        for job, other in zip(jobs, found, strict=True)
    ]


def _unruled(
    benchmark: Benchmark, names: Sequence[str], episodes: int, rules: Sequence[str], _: Progress
) -> Evaluation:
    settings, policies = benchmark.evaluation, [benchmark.policy(name) for name in dict.fromkeys(names)]
    market = lifted(benchmark.market, *rules)
    return evaluate(market, policies, episodes, settings.horizon, settings.seed)


def _bound(evaluation: Evaluation, name: str, rule: str) -> float:
    """Share of a policy's decisions that a guard-rail holds back."""
    return float(evaluation.rules[rule][evaluation.names.index(name)].mean())


def _interval(told: Mapping[str, float]) -> Interval:
    return Interval(mean=told["diff_mean"], lo=told["diff_lo"], hi=told["diff_hi"])


def _shift(
    benchmark: Benchmark,
    line: Headline,
    episodes: int,
    with_logged: bool,
    job: tuple[str, Market],
    _: Progress,
) -> Shift:
    """The headline's policies, as they are, in another market: a change in words and what it leads to."""
    change, market = job
    names = dict.fromkeys((line.learned, line.baseline, *([line.logged] if with_logged else [])))
    settings = benchmark.evaluation
    policies = [benchmark.policy(name) for name in names]
    other = evaluate(market, policies, episodes, settings.horizon, settings.seed)
    return Shift(
        change=change,
        versus_baseline=difference(other, line.learned, line.baseline),
        versus_logged=difference(other, line.learned, line.logged) if with_logged else None,
    )


def _lines(economics: Economics, costs_known: bool) -> Iterator[tuple[str, str, str]]:
    """Name, meaning and value of every field that says something here."""
    for name in economics.given():
        field, value = type(economics).model_fields[name], getattr(economics, name)
        if name == "price_rules":
            rules = value.model_dump(exclude_defaults=True)
            text = ", ".join(f"{rule.replace('_', ' ')} {limit}" for rule, limit in rules.items())
            yield name, "rules that every policy's price obeys", text or "none"
        elif name == "unit_cost_share" and costs_known:
            yield name, "not used: the sales table has costs", "–"
        else:
            yield name, field.description or "", "none" if value is None else f"{value}"


def _otherwise(market: Market, name: str) -> Iterator[tuple[str, Market]]:
    """The shop with another value of one assumption, in words and as a market."""
    now = market.economics
    takings = float((market.terms.reference_price * market.terms.typical_demand).median())
    values: dict[str, tuple[Any, ...]] = {
        "lead_time": (now.lead_time + 1,),
        "unmet": ("backorder" if now.unmet == "lost" else "lost",),
        "holding_rate": (4 * now.holding_rate,),
        "shortage_rate": (0.0, 3 * now.shortage_rate),
        "fixed_order_cost": (round(0.02 * takings, 2),),
        "price_change_cost": (round(0.02 * takings, 2),),
        "unit_cost_share": (
            round(now.unit_cost_share * 0.9, 3),
            round(min(now.unit_cost_share * 1.1, 0.95), 3),
        ),
        "initial_cover": (_half(now.initial_cover),),
        "capacity": (float(now.lead_time + 2),),
        "waste_rate": (0.05,),
    }
    for value in values.get(name, ()):
        economics = now.model_copy(update={name: value})
        terms = market.terms
        if name == "unit_cost_share":
            terms = replace(terms, unit_cost=terms.unit_cost * value / now.unit_cost_share)
        yield (
            f"{value:g}" if isinstance(value, float) else f"{value}",
            replace(market, economics=economics, terms=terms),
        )


def _half(cover: float | tuple[float, float]) -> float | tuple[float, float]:
    return (cover[0] / 2, cover[1] / 2) if isinstance(cover, tuple) else cover / 2


_MOSTLY = 0.5  # share of prices at a bound beyond which the range decides rather than the policy
_TRAITS = (
    ("price_mean", "mean price, multiple of the reference price", ".3f"),
    ("fill_rate", "demand met", ".1%"),
    ("ending_stock", "periods of stock at the end", ".2f"),
)


def _reasons(
    evaluation: Evaluation, unruled: Evaluation | None, learned: str, not_beaten: Sequence[str]
) -> list[str]:
    """What a reader of the verdict must know, and what tells the policy from the rules it does not beat."""
    said = []
    bound = _mean(evaluation, learned, "price_at_bound")
    if bound > _MOSTLY:
        said.append(
            f"{bound:.0%} of its prices are at a limit of the supported range: the model would go further,"
            " but the data do not show how customers respond there. The range decides more than the policy."
        )
    if unruled is not None:
        often = (f"{rule} {_bound(evaluation, learned, rule):.0%}" for rule in evaluation.rules)
        more = difference_in_words(
            _interval(rise(evaluation, unruled, learned)), _mean(evaluation, learned, "profit")
        )
        said.append(
            f"The shop's rules bind in a share of its decisions ({', '.join(often)}); without any of them it"
            f" would earn {more} more, as it is."
        )
    for rule in not_beaten:
        gap = difference(evaluation, learned, rule)
        if gap.lo == gap.hi == 0:
            said.append(
                f"It decides as {rule} does: no trained policy was surely better in validation than the"
                " baseline that training began with."
            )
            continue
        kind = "it earns less" if gap.hi < 0 else "the difference is not significant"
        parts = [
            f"{words} {_mean(evaluation, learned, metric):{form}} against"
            f" {_mean(evaluation, rule, metric):{form}}"
            for metric, words, form in _TRAITS
        ]
        said.append(f"Compared with {rule} {kind} on {evaluation.episodes} episodes ({'; '.join(parts)}).")
    return said


def _mean(evaluation: Evaluation, name: str, metric: str) -> float:
    return float(evaluation.values[metric][evaluation.names.index(name)].mean())
