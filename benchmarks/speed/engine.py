"""The engine alone, and with a Transformer in the loop beside what the machine allows."""

from __future__ import annotations

from typing import Any

import torch

from mercato.envs.market import Market
from mercato.envs.processes import Counts, DiscreteWeibull, Geometric, NegativeBinomial

from .bound import Shape, bound
from .markets import closed_form, copies
from .plan import Plan
from .play import Game, environment
from .timing import Rate, rates

FAMILIES: dict[str, Counts] = {
    "geometric": Geometric(),
    "discrete Weibull, shape 1.5": DiscreteWeibull(1.5),
    "negative binomial, dispersion 2": NegativeBinomial(2.0),
}
Row = dict[str, Any]


def engine_alone(plan: Plan, device: torch.device | str = "cpu") -> list[Row]:
    """Closed-form demand, noise included, one thread."""
    games, count = {}, 0
    for family, counts in FAMILIES.items():
        market = closed_form(counts, *plan.closed_form).to(device)
        markets = copies(market, plan.series)
        for kind, run in plan.runs.items():
            game = Game(market, markets, run)
            games[f"{family}, {kind}"], count = game, game.count
    found = rates([game.case(name, 1) for name, game in games.items()], plan.effort, device)
    return rows(found, count)


def with_transformer(market: Market, name: str, plan: Plan, device: torch.device | str = "cpu") -> list[Row]:
    """Steps, resets and the learner's environment with a learned market, the bound, and the ratios to it."""
    market, number = market.to(device), plan.threads
    markets = copies(market, plan.series)
    games = {kind: Game(market, markets, run) for kind, run in plan.runs.items()}
    shape = Shape.of(market, markets)
    limit = bound(shape, f"{name}, bound", number, device)
    cases = [game.case(f"{name}, {kind}", number) for kind, game in games.items()]
    cases.append(next(iter(games.values())).resets(f"{name}, reset", number))
    cases.append(environment(market, markets, f"{name}, learner's environment", number))
    found = rates([*cases, limit], plan.effort, device)
    listed = rows(found, shape.series)
    for row, rate in zip(listed, found.values(), strict=True):
        row["of_bound"] = rate.over(found[limit.name])
        row["gflops"] = (
            rate.value * shape.operations / shape.series / 1e9 if row["name"] == limit.name else None
        )
    return listed


def rows(found: dict[str, Rate], series: int) -> list[Row]:
    """One a case, as the result has them."""
    return [{"name": name, "series": series, **rate.record()} for name, rate in found.items()]
