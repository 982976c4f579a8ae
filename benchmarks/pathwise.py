"""How near pathwise gradients come to known optima: ``python -m benchmarks.pathwise``.

Lost sales with a lead time, the 32 cells of Zipkin 2008: in each one a policy is trained by
``train_pathwise`` on one thread, from the newsvendor's order-up-to level, and played in
simulation. Gaps are to the exact optimum, with 95% intervals of independent runs.
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

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import LastPrice
from mercato.agents.learner import Validation
from mercato.agents.optimal import optimum, simulated
from mercato.agents.pathwise import PathwiseSettings, train_pathwise
from mercato.agents.policy import Pair
from mercato.envs.problems import ZIPKIN, LostSales

from .record import resumed, write_result

SEED = 0
MARKETS, QUICK_MARKETS = 16_384, 1024  # independent runs of 240 periods
UPDATES, QUICK_UPDATES = 300, 60
QUICK_LEAD_TIME = 1
BASE = Pair("newsvendor", LastPrice(), BaseStock())


def settings_for(problem: LostSales, updates: int) -> PathwiseSettings:
    """A window is what five orders in a row take to arrive; episodes are so long that their start is rare."""
    window, markets = 5 * (problem.lead_time + 1), 512
    return PathwiseSettings(
        steps=updates * window * markets,
        markets=markets,
        window=window,
        horizon=16 * window,
        learning_rate=8e-3,
        cover_reach=1.0,
        average=0.98,
        validation=Validation(times=4, episodes=1024, horizon=60),
    )


def one_cell(problem: LostSales, updates: int, markets: int) -> dict[str, Any]:
    """Cost a period of the trained policy, the gap to the optimum, and what it took."""
    market = problem.market()
    began, at = time.process_time(), time.perf_counter()
    policy = train_pathwise(market, settings_for(problem, updates), SEED, base=BASE)
    seconds = {"processor": time.process_time() - began, "wall": time.perf_counter() - at}
    cost, error = simulated(problem, policy, SEED, markets=markets)
    best = optimum(problem).cost
    gap, half = cost / best - 1, 1.96 * error / best
    return {
        **asdict(problem),
        "optimum": best,
        "cost": cost,
        "error": error,
        "gap": [gap, gap - half, gap + half],
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
