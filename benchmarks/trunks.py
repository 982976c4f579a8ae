"""What a trunk is worth and what it costs: ``python -m benchmarks.trunks``.

Every kind of trunk in every size corrects the same regressions, around the same price response, on a true
market with a season and on a public panel: negative log likelihood a row, one period ahead at logged prices,
and WQL of the simulated market, both on windows that nothing was fitted on. The cost of a series-step in the
engine, with everything that a period takes, is given over today's; all sizes take turns in one run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mercato.envs.engine.running import Runner, as_written
from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.evaluation.members import deciles_of, simulate
from mercato.forecasters.evaluation.metrics import scores
from mercato.forecasters.features import History, build_history
from mercato.forecasters.fit import identify, learn_around
from mercato.forecasters.identification import Elasticities
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network import TrunkSettings
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.response import PriceResponse
from mercato.forecasters.simulation import LearnedDemand
from mercato.forecasters.statistics import row_log_likelihood

from .record import resumed, write_result
from .speed.markets import copies, untrained
from .speed.play import Game
from .speed.timing import Effort, rates
from .tables.at_hand import PANELS as AT_HAND
from .tables.piece import Plan, Skip

TODAY = TrunkSettings()
SIZES = {"44 thousand": TODAY, "0.3 million": TrunkSettings(64, 3, 4), "2 million": TrunkSettings(160, 4, 10)}
"""About as many weights as a Transformer of that size has."""
PANELS = {"zone-season": 8, "orange-juice": 8}
"""Name and periods of a window."""
WINDOWS, COST, _SEED, _STORES = 2, "cost", 9301, 24
_SERIES, _QUICK_SERIES = 8192, 720  # at least, that are played at once


def trunks(plan: Plan) -> dict[str, TrunkSettings]:
    """Every kind in every size, by name."""
    sizes = {"44 thousand": TODAY} if plan.quick else SIZES
    sized = {
        f"{kind}, {size}": replace(settings, kind=kind)
        for size, settings in sizes.items()
        for kind in ("transformer", "gru", "lstm")
    }
    return {"none": replace(TODAY, kind="none"), **sized}


def panel_of(name: str, plan: Plan) -> SalesPanel:
    """Raises Skip where a panel is not at hand."""
    if name in FAMILIES:
        frame, _ = FAMILIES[name].make(_SEED, Size(3, 4, 80) if plan.quick else Size(8, 8, 136))
        return read_panel(frame, roles=ROLES)
    panel = AT_HAND[name](plan)
    return panel.select(panel.locations[:: max(1, len(panel.locations) // _STORES)], panel.items)


@cache
def _identified(name: str, plan: Plan) -> tuple[SalesPanel, int, History, PriceResponse, float, Elasticities]:
    """What is the same for all trunks: the panel, where its windows begin, and the price response."""
    panel = panel_of(name, plan)
    first = panel.periods - WINDOWS * PANELS[name]
    history = build_history(panel.window(0, first))
    response, residuals, found = identify(panel.window(0, first), history)
    return panel, first, replace(history, demand=residuals.demand), response, residuals.overfit, found


def fitted(panel_name: str, trunk: TrunkSettings, plan: Plan) -> dict[str, Any]:
    """Weights, seconds of training, and scores on the windows, of one trunk."""
    panel, first, history, response, overfit, found = _identified(panel_name, plan)
    past, began = panel.window(0, first), time.perf_counter()
    model = learn_around(past, history, response, found, overfit, FitSettings(trunk=trunk), seed=0)
    seconds = time.perf_counter() - began
    demand, horizon = LearnedDemand.after(model, past), PANELS[panel_name]
    index = np.arange(first, panel.periods)
    rows = np.isfinite(panel.units[index]) & (np.nan_to_num(panel.censored[index]) == 0)
    paths = [
        simulate(demand, panel, first, origin, horizon, seed=0)
        for origin in range(first, panel.periods, horizon)
    ]
    told = np.concatenate([deciles_of(sampled) for sampled in paths])
    return {
        "weights": sum(weight.numel() for weight in model.network.parameters()),
        "seconds": seconds,
        "loss": one_step_loss(demand.condition(panel, first), first),
        "wql": scores(panel.units[index][rows], told[rows])["wql"],
    }


def one_step_loss(demand: LearnedDemand, first: int) -> float:
    """Negative log likelihood a row from period ``first`` on, the mean of members' likelihoods."""
    history = demand.history
    log_mean, log_r = demand.one_step(first, history.periods)
    seen, grain = history.stock_outs.since(first), history.grain
    log_mean = log_mean + (seen.exposure.log() - grain.log()).unsqueeze(-1)
    units, bound = (
        part.unsqueeze(-1).expand_as(log_mean) for part in (history.units[first:] / grain, seen.bound)
    )
    said = row_log_likelihood(units, bound, log_mean, log_r)
    mixed = said.logsumexp(-1) - np.log(said.shape[-1])
    return -float(mixed[history.known[first:]].mean())


def costs(named: dict[str, TrunkSettings], plan: Plan, run: Runner = as_written) -> dict[str, Any]:
    """Seconds of a series-step in the engine, one thread, and over today's, by trunk."""
    markets = {name: untrained(12, 6, trunk) for name, trunk in named.items()}
    series = _QUICK_SERIES if plan.quick else _SERIES
    games = {name: Game(market, copies(market, series), run) for name, market in markets.items()}
    effort = Effort(rounds=3, seconds=0.0) if plan.quick else Effort()
    found = rates([game.case(name, 1) for name, game in games.items()], effort)
    today = found[f"transformer, {next(iter(SIZES))}"]
    return {name: {"seconds": 1 / rate.value, "ratio": today.over(rate)} for name, rate in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument(
        "--quick", action="store_true", help="one size, small panels, in three minutes; not kept"
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder whose data/ has more")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    plan = Plan(quick=asked.quick, shared=asked.shared)
    named = trunks(plan)

    def measure(pieces: list[str]) -> Iterator[Any]:
        for piece in pieces:
            print(piece, file=sys.stderr, flush=True)
            panel, _, trunk = piece.partition(": ")
            try:
                yield costs(named, plan) if piece == COST else fitted(panel, named[trunk], plan)
            except Skip as why:
                yield {"skipped": str(why)}

    pieces = [COST, *(f"{panel}: {trunk}" for panel in PANELS for trunk in named)]
    found = dict(resumed("trunks-quick" if asked.quick else "trunks", pieces, measure))
    rows = [
        {
            "trunk": trunk,
            "settings": asdict(settings),
            "cost": found[COST][trunk],
            "panels": {panel: found[f"{panel}: {trunk}"] for panel in PANELS},
        }
        for trunk, settings in named.items()
    ]
    result = {"windows": WINDOWS, "horizon": PANELS, "trunks": rows}
    if not asked.quick:
        print(f"wrote {write_result('trunks', result)}", file=sys.stderr)
    print(json.dumps(result) if asked.json else table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    """One line a trunk and size."""
    out = [
        "| trunk | weights | cost of a series-step | "
        + " | ".join(f"{p}: loss, WQL, fit" for p in PANELS)
        + " |"
    ]
    out.append("|---|---|---|" + "---|" * len(PANELS))
    for row in rows:
        told = [
            found.get("skipped") or f"{found['loss']:.4f}, {found['wql']:.4f}, {found['seconds']:.0f} s"
            for found in row["panels"].values()
        ]
        weights = max(found.get("weights", 0) for found in row["panels"].values())
        cost = f"{row['cost']['seconds'] * 1e6:.2f} µs, {row['cost']['ratio']:.2f} ×"
        out.append(f"| {row['trunk']} | {weights:,} | {cost} | " + " | ".join(told) + " |")
    return "\n".join(out)


if __name__ == "__main__":
    main()
