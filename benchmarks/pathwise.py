"""How near pathwise gradients come to known optima: ``python -m benchmarks.pathwise``.

Lost sales with a lead time, the 32 cells of Zipkin 2008: in each one a policy is trained by
``train_pathwise`` on one thread, from the newsvendor's order-up-to level, and played in
simulation. Gaps are to the optimal policy before the same customers, with 95% intervals of independent runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.policy import Pair
from mercato.envs.problems import ZIPKIN, LostSales

from .known_optima import WHOLE, Case
from .learners import LEARNERS, SEED, UPDATES
from .record import resumed, write_result

MARKETS, QUICK_MARKETS = 16_384, 1024  # independent runs of 240 periods
QUICK_UPDATES = 60
QUICK_LEAD_TIME = 1
BASE = Pair("newsvendor", LastPrice(), BaseStock())


def one_cell(problem: LostSales, updates: int, markets: int) -> dict[str, Any]:
    """Cost a period of the trained policy, the gap to the optimum, and what it took."""
    case = Case(problem, replace(WHOLE, markets=markets))
    began, at = time.process_time(), time.perf_counter()
    policy = LEARNERS["pathwise"].policy(case.market, BASE, updates / UPDATES)
    seconds = {"processor": time.process_time() - began, "wall": time.perf_counter() - at}
    costs = case.runs(policy)
    return {
        **asdict(problem),
        "optimum": case.best.value,
        "cost": float(costs.mean()),
        "gap": case.shares(case.optimal_runs - costs),
        "seconds": seconds,
    }


def cells(updates: int, markets: int, pieces: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The cells of those places in ``ZIPKIN``."""
    return (one_cell(ZIPKIN[piece], updates, markets) for piece in pieces)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a cell, in Markdown."""
    lines = [
        "| demand | L | p | optimum | pathwise | gap | processor seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        fields = [row["demand"], str(row["lead_time"]), f"{row['penalty']:g}", f"{row['optimum']:.3f}"]
        fields += [f"{row['cost']:.3f}", "{:+.2%} [{:+.2%}, {:+.2%}]".format(*row["gap"])]
        lines.append(f"| {' | '.join([*fields, format(row['seconds']['processor'], '.0f')])} |")
    gaps = [row["gap"][0] for row in rows]
    return "\n".join([*lines, f"mean gap {sum(gaps) / len(gaps):+.2%}, worst {max(gaps):+.2%}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="a lead time of 1, brief trainings; not kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    longest = QUICK_LEAD_TIME if arguments.quick else max(cell.lead_time for cell in ZIPKIN)
    size = (QUICK_UPDATES, QUICK_MARKETS) if arguments.quick else (UPDATES, MARKETS)
    places = [place for place, cell in enumerate(ZIPKIN) if cell.lead_time <= longest]
    rows = []
    for place, row in resumed("pathwise-{}-{}".format(*size), places, partial(cells, *size)):
        rows.append(row)
        print(f"{ZIPKIN[place]}: {row['gap'][0]:+.2%}, {row['seconds']['processor']:.0f} s", file=sys.stderr)
    result = {"seed": SEED, "updates": size[0], "markets": size[1], "cells": rows}
    if not arguments.quick:
        print(f"wrote {write_result('pathwise', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
