"""How far policies are from the optimum where it is known: ``python -m benchmarks.known_optima``.

Lost sales with a lead time, the 32 cells of Zipkin 2008 (``mercato.envs.problems.ZIPKIN``). Exact: the
optimum, the best base-stock, the best capped base-stock and the best constant order. Simulated in the cell's
market, with 95% intervals of independent runs: the optimal policy, which has to cost what the exact value
says, and the baseline that ``mercato train`` would start from, tuned as it tunes it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from mercato.agents.baselines.prices import LastPrice
from mercato.agents.optimal import (
    ByState,
    best_capped,
    best_constant,
    best_level,
    optimum,
    simulated_cost,
)
from mercato.agents.policy import Pair
from mercato.agents.train import best_base
from mercato.agents.tuning import tune_baselines
from mercato.envs.problems import ZIPKIN, LostSales

from .record import resumed, write_result

SEED = 0
MARKETS = 4096  # independent runs of a simulated policy
QUICK_LEAD_TIME, QUICK_MARKETS = 2, 1024
RULES = ("base-stock", "capped base-stock", "constant order")


def one_cell(problem: LostSales, markets: int) -> dict[str, Any]:
    """Costs a period of every policy, exact ones and simulated ones."""
    began = time.perf_counter()
    best = optimum(problem)
    solved = time.perf_counter() - began
    (base, base_cost), (capped, capped_cost) = best_level(problem), best_capped(problem)
    constant, constant_cost = best_constant(problem)
    exact = time.perf_counter() - began
    market = problem.market()
    chosen = best_base(market, tune_baselines(market, SEED), SEED)
    played = {
        "optimum": Pair("optimum", LastPrice(), ByState(best)),
        "mercato's baseline": chosen,
    }
    return {
        **asdict(problem),
        "optimum": best.cost,
        "base-stock": {"cost": base_cost, "level": base.level},
        "capped base-stock": {"cost": capped_cost, **asdict(capped)},
        "constant order": {"cost": constant_cost, "order": constant},
        "simulated": {
            name: simulated(problem, policy, best.cost, markets) for name, policy in played.items()
        },
        "chosen": chosen.name,
        "seconds": {"optimum": solved, "exact": exact, "all": time.perf_counter() - began},
    }


def simulated(problem: LostSales, policy: Pair, best: float, markets: int) -> dict[str, Any]:
    """Mean cost with its standard error, and the gap to the optimum with its 95% interval."""
    mean, error = simulated_cost(problem.market(), policy, SEED, markets=markets)
    gap, half = mean / best - 1, 1.96 * error / best
    return {"cost": mean, "error": error, "gap": [gap, gap - half, gap + half]}


def cells(markets: int, pieces: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The cells of those places in ``ZIPKIN``."""
    return (one_cell(ZIPKIN[piece], markets) for piece in pieces)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a cell, in Markdown: costs a period, gaps to the optimum, standard errors off it."""
    heads = ("demand", "L", "p", "optimum", *RULES, "mercato's baseline", "gap", "optimal policy, simulated")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        best, played = row["optimum"], row["simulated"]
        fields = [row["demand"], str(row["lead_time"]), f"{row['penalty']:g}", f"{best:.3f}"]
        fields += [f"{row[rule]['cost'] / best - 1:+.1%}" for rule in RULES]
        fields += [row["chosen"], "{:+.1%} [{:+.1%}, {:+.1%}]".format(*played["mercato's baseline"]["gap"])]
        off = (played["optimum"]["cost"] - best) / played["optimum"]["error"]
        fields.append(f"{played['optimum']['cost']:.3f} ({off:+.1f} standard errors)")
        lines.append(f"| {' | '.join(fields)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument(
        "--quick", action="store_true", help="lead times of 1 and 2 with fewer runs; not kept"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    longest = QUICK_LEAD_TIME if arguments.quick else max(cell.lead_time for cell in ZIPKIN)
    markets = QUICK_MARKETS if arguments.quick else MARKETS
    places = [place for place, cell in enumerate(ZIPKIN) if cell.lead_time <= longest]
    rows = []
    for place, row in resumed(f"known_optima-{markets}", places, partial(cells, markets)):
        rows.append(row)
        print(f"{ZIPKIN[place]}: {row['optimum']:.3f}, {row['seconds']['all']:.0f} s", file=sys.stderr)
    result = {"seed": SEED, "markets": markets, "cells": rows}
    if not arguments.quick:
        print(f"wrote {write_result('known_optima', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
