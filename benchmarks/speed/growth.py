"""What a series-step costs as markets and their series grow in number."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mercato.envs.market import Market
from mercato.envs.processes import Geometric

from .engine import Row, rows
from .markets import closed_form, copies, untrained
from .plan import Plan
from .play import Game, Runner
from .timing import rates


def by_markets(market: Market, plan: Plan, device: torch.device | str = "cpu") -> list[Row]:
    """More and more copies of one learned market."""
    games = {f"{n} markets": Game(market.to(device), n, _first(plan)) for n in plan.by_markets}
    return _measured(games, plan, device)


def by_series(plan: Plan, device: torch.device | str = "cpu") -> list[Row]:
    """Larger and larger markets, and fewer of them, so that the batch stays the same."""
    makers: dict[str, Callable[[int, int], Market]] = {
        "closed form": lambda places, goods: closed_form(Geometric(), places, goods),
        "small Transformer": untrained,
    }
    found = []
    for kind, make in makers.items():
        games = {}
        for places, goods in plan.by_series:
            market = make(places, goods).to(device)
            games[f"{kind}, {places} × {goods}"] = Game(market, copies(market, plan.total), _first(plan))
        part = _measured(games, plan, device)
        least = part[0]["rate"]
        found += [{**row, "cost": least / row["rate"]} for row in part]
    return found


def _first(plan: Plan) -> Runner:
    """The first way to run a step that is planned: sizes are many, and each would be compiled anew."""
    return next(iter(plan.runs.values()))


def _measured(games: dict[str, Game], plan: Plan, device: torch.device | str) -> list[Row]:
    found = rates([game.case(name, plan.threads) for name, game in games.items()], plan.effort, device)
    return [{**row, "series": game.count} for row, game in zip(rows(found, 0), games.values(), strict=True)]
