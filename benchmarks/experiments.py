"""What a price test tells, and whether decisions' gains are told right: ``python -m benchmarks.experiments``.

On true markets whose tables show no cost shifter: a designed test of 8 weeks against random price moves that
cost as much, and the 90% intervals of ``mercato evaluate`` against what decisions of 13 weeks really earned.
Ten seeds of tests and twenty of decisions, a fit each, which takes most of the time: about half an hour on
two quiet cores with ``--workers 2`` and ``OMP_NUM_THREADS=1``. A run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import Any

import numpy as np

from mercato.agents.workers import employ
from mercato.envs.structural import Size
from mercato.forecasters.progress import Progress

from .record import resumed, write_result
from .trials.decided import decided
from .trials.market import begun
from .trials.tested import tested

FAMILY = "log-linear"
SIZE, QUICK_SIZE = Size(locations=12, items=6, weeks=104), Size(locations=12, items=3, weeks=52)
AFTER = 13  # weeks of decisions
SEEDS, TESTS = tuple(range(9101, 9121)), 10  # a test in the first of them
QUICK_SEEDS = (201,)

MUST_REACH = {
    "narrower": "≥ 0.30",
    "covered": "0.90",
    "covered_random": "0.90",
    "market_covered": "≥ 0.85",
    "held_out_covered": "≥ 0.85",
}


def one_market(task: tuple[int, bool], size: Size = SIZE) -> dict[str, Any]:
    """All figures of a seed; of a test only where one is asked for."""
    seed, with_test = task
    found = begun(FAMILY, seed, size, AFTER)
    row: dict[str, Any] = {"seed": seed, **decided(found, seed)}
    return row | (tested(found.market, found.seen, seed) if with_test else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="one small market; not kept")
    parser.add_argument("--seeds", nargs="+", type=int, help="in place of those reported; not kept")
    parser.add_argument("--workers", type=int, help="markets at once")
    parser.add_argument("--ray", metavar="ADDRESS", help="on the Ray cluster there")
    asked = parser.parse_args()
    seeds = asked.seeds or (QUICK_SEEDS if asked.quick else SEEDS)
    tasks = [(seed, number < TESTS) for number, seed in enumerate(seeds)]
    size = QUICK_SIZE if asked.quick else SIZE
    rows = []
    with employ(asked.workers, asked.ray) as crew:
        measured = partial(crew.map, "measure the markets", partial(_measured, size))
        name = "experiments-quick" if asked.quick else "experiments"
        for (seed, _), row in resumed(name, tasks, measured):
            rows.append(row)
            told = ", ".join(f"{figure} {row[figure]:.2f}" for figure in MUST_REACH if figure in row)
            print(f"seed {seed}: {told}", file=sys.stderr)
    result = {"size": vars(size), "family": FAMILY, "markets": rows}
    if not asked.quick and not asked.seeds:
        print(f"wrote {write_result('experiments', result)}", file=sys.stderr)
    print(json.dumps(result) if asked.json else table(rows))


def _measured(size: Size, task: tuple[int, bool], _: Progress) -> dict[str, Any]:
    return one_market(task, size)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: mean of the markets [lowest … highest]."""
    figures = dict.fromkeys(figure for row in rows for figure in row if figure != "seed")
    out = ["| figure | must reach | found | markets |", "|---|---|---|---|"]
    for figure in figures:
        values = [row[figure] for row in rows if figure in row and np.isfinite(row[figure])]
        span = f"{np.mean(values):.3f} [{min(values):.3f} … {max(values):.3f}]" if values else "–"
        out.append(f"| `{figure}` | {MUST_REACH.get(figure, '')} | {span} | {len(values)} |")
    return "\n".join(out)


if __name__ == "__main__":
    main()
