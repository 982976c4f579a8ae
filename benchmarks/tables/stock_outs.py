"""Partial stock-outs: bias of mean demand where it is known, and the whole path on a table that has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from mercato.forecasters.panel import read_panel

from ..orange.censoring import expected_demand
from .at_hand import FRESH_ROLES, fitted, fresh_table
from .generator import Drawn, Shape, closures, draw
from .piece import Figure, Found, Plan, within
from .running import Ran, glance, mercato

_OFTEN, _WHOLE = 0.4, 0.04  # shares of rows out for a part of the period and throughout
_HOURS = "stockout_hours_6_22:hours/16"
_LEAST_REAL = 0.05  # by how much the level of a location may be off

_SCENARIO = """name: dearer for two weeks
horizon: {horizon}
episodes: 8
changes:
- price: 1.05
  window: [1, {horizon}]
"""


def bias(plan: Plan) -> Found:
    """Mean demand by the model, one step ahead at the prices charged, against what was really wanted."""
    shape = Shape(6, 6, 60) if plan.quick else Shape(20, 10, 150)
    seeds = (0,) if plan.quick else (0, 1, 2)
    pairs = [_biases(draw(shape, seed, closures(_OFTEN, _WHOLE)), plan) for seed in seeds]
    biases, ignored = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    worst = max(biases, key=abs)
    return Found(
        [
            within("mean demand, shares of stock-outs 0 … 1, off by", 100 * abs(worst), 1, "%"),
            Figure("sales less demand, for comparison", f"{np.mean(ignored):+.1%}"),
        ],
        {"shape": str(shape), "seeds": seeds, "bias": biases, "sales_less_demand": ignored},
    )


def _biases(drawn: Drawn, plan: Plan) -> tuple[float, float]:
    """Relative error of the model's mean demand, and of sales taken for it; rows after the first."""
    demand = fitted(read_panel(drawn.frame()), plan)
    wanted = torch.from_numpy(drawn.demand[1:].astype(np.float64)).sum()
    expected = expected_demand(demand)[1:].double().sum()
    return float(expected / wanted) - 1, float(drawn.sales[1:].sum()) / float(wanted) - 1


def whole_path(plan: Plan) -> Found:
    """FreshRetailNet through the command line, to decisions."""
    frame, named = fresh_table(plan, _HOURS)
    with TemporaryDirectory() as name:
        folder = Path(name)
        frame.to_parquet(folder / "sales.parquet", index=False)
        options = [f"{ours}={theirs}" for ours, theirs in named.items()]
        given = [part for option in options for part in ("--map", option)]
        given += [part for column, role in FRESH_ROLES.items() for part in ("--role", f"{column}={role}")]
        told: dict[str, float] = {}
        figures = list(_steps(folder, given, plan, told))
    return Found(figures, {"locations": told})


def _steps(folder: Path, given: list[str], plan: Plan, told: dict[str, float]) -> Iterator[Figure]:
    """A figure a command; the first that fails ends the path."""
    table, market, policy = folder / "sales.parquet", folder / "market", folder / "ppo.safetensors"
    (folder / "dearer.yaml").write_text(_SCENARIO.format(horizon=8 if plan.quick else 14))
    fit = mercato("fit", table, "--out", market, *given)
    yield step("fit", fit)
    if not fit.well:
        return
    card = mercato("card", market, "--json")
    yield step("card", card)
    if card.well:
        told |= _levels(card)
        worst = max(told, key=lambda place: abs(told[place]))
        yield Figure(
            "level by location, worst",
            f"{told[worst]:+.1%} ({worst})",
            f"within {_LEAST_REAL:.0%}",
            abs(told[worst]) <= _LEAST_REAL,
        )
    train = glance("train", market, policy, "20000" if plan.quick else "200000")
    yield step("train", train)
    if not train.well:
        return
    yield step("benchmark", mercato("benchmark", market, policy, "--episodes", "8", "--horizon", "13"))
    yield step("whatif", mercato("whatif", market, folder / "dearer.yaml"))
    yield step("decide", mercato("decide", market, policy, "--panel", table, "--out", folder / "out.csv"))


def step(name: str, ran: Ran, most: float | None = None) -> Figure:
    """A command's figure: seconds and memory, or why it failed.

    Args:
        name: of the command.
        ran: how it went.
        most: seconds that it may take.
    """
    must = "done" if most is None else f"≤ {most:.0f} s"
    if not ran.well:
        return Figure(name, f"failed: {ran.why}", must, False)
    return Figure(name, f"{ran.seconds:.0f} s, {ran.peak:.1f} GB", must, most is None or ran.seconds <= most)


def _levels(card: Ran) -> dict[str, float]:
    """Simulated mean over the real one, less 1, by location."""
    places = json.loads(card.out)["simulated"]["by_location"]
    return {p["location"]: p["simulated"]["mean"] / p["real"]["mean"] - 1 for p in places}
