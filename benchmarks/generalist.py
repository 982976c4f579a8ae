"""One policy for all lost-sales problems against known optima: ``python -m benchmarks.generalist``.

Trains the policy that ``mercato.agents.pathwise.generalist`` describes, and plays it without further training
in the 32 cells of Zipkin 2008 and in problems in between. Gaps are to the exact optimum, with 95% intervals
of independent runs. ``--out FILE`` keeps the policy; ``--policy FILE`` plays one that was kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mercato.agents.learned import LearnedPolicy
from mercato.agents.optimal import optimum, simulated
from mercato.agents.pathwise.generalist import GeneralistSettings, train_generalist
from mercato.envs.problems import ZIPKIN, LostSales

from .record import write_result

SEED = 0
MARKETS, QUICK_MARKETS = 4096, 512  # independent runs of 240 periods
BETWEEN = (
    LostSales(1, 6.0, mean=4.5),
    LostSales(2, 13.0, mean=6.0),
    LostSales(3, 27.0, mean=5.5),
    LostSales(4, 6.0, mean=4.5),
    LostSales(1, 27.0, "geometric", mean=4.5),
    LostSales(2, 6.0, "geometric", mean=6.0),
    LostSales(3, 13.0, "geometric", mean=4.5),
)


def one_problem(problem: LostSales, policy: LearnedPolicy, markets: int) -> dict[str, Any]:
    """Cost a period of the policy and the gap to the optimum."""
    cost, error = simulated(problem, policy, SEED, markets=markets)
    best = optimum(problem).cost
    gap, half = cost / best - 1, 1.96 * error / best
    return {**asdict(problem), "optimum": best, "cost": cost, "gap": [gap, gap - half, gap + half]}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a problem, in Markdown."""
    heads = ("demand", "mean", "L", "p", "optimum", "generalist", "gap")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        fields = [row["demand"], f"{row['mean']:g}", str(row["lead_time"]), f"{row['penalty']:g}"]
        fields += [f"{row['optimum']:.3f}", f"{row['cost']:.3f}"]
        lines.append(f"| {' | '.join([*fields, '{:+.2%} [{:+.2%}, {:+.2%}]'.format(*row['gap'])])} |")
    gaps = [row["gap"][0] for row in rows]
    return "\n".join([*lines, f"mean gap {sum(gaps) / len(gaps):+.2%}, worst {max(gaps):+.2%}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="a brief training, a few problems; not kept")
    parser.add_argument("--policy", type=Path, help="play this policy, train none; not kept")
    parser.add_argument("--out", type=Path, help="also write the policy, a .safetensors file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = GeneralistSettings(updates=40, problems=128) if arguments.quick else GeneralistSettings()
    began = time.process_time()
    given = arguments.policy
    policy = train_generalist(settings, SEED) if given is None else LearnedPolicy.load(given)
    seconds = time.process_time() - began
    print(f"trained in {seconds:.0f} s of the processor", file=sys.stderr)
    if arguments.out is not None:
        policy.save(arguments.out)
    markets = QUICK_MARKETS if arguments.quick else MARKETS
    cells, between = (ZIPKIN[:4], BETWEEN[:1]) if arguments.quick else (ZIPKIN, BETWEEN)
    found = {
        kind: [one_problem(problem, policy, markets) for problem in problems]
        for kind, problems in (("cells", cells), ("between", between))
    }
    result = {"seed": SEED, "settings": asdict(settings), "seconds": seconds, "markets": markets, **found}
    if not arguments.quick and given is None:
        print(f"wrote {write_result('generalist', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else "\n\n".join(map(table, found.values())))


if __name__ == "__main__":
    main()
