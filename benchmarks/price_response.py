"""How true a learned price response is, where the truth is known: ``python -m benchmarks.price_response``.

Panels of every family of true markets, 20 locations × 10 items × 150 weeks: prices follow demand, and shelves
run empty. A panel is fitted once, and once more without its last half year; all figures are measured from
these fits. The seeds reported are used for nothing else; development used seeds from 101 on. About half an
hour on two quiet cores with ``--workers 2`` and ``OMP_NUM_THREADS=1``, and minutes a panel more where
pypricing is installed; a run that was cut off goes on. ``--peers`` measures the peers alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mercato.agents.workers import employ
from mercato.envs.structural import FAMILIES, Size
from mercato.forecasters.progress import Progress
from mercato.forecasters.sources import SOURCES, SourceUnavailable, cache_folder

from .price.changes import price_changes
from .price.elasticities import Row, own_and_cross, without_shifter
from .price.joint import joint_moves
from .price.market import draw, study
from .price.peers import peers
from .price.sales import held_out, rolling, stock_out_bias
from .price.sustained import sustained
from .record import resumed, write_result

PANELS = {"log-linear": 5, "nested-logit": 2, "hidden-shock": 2}  # the other families: one each
SEEDS = {name: tuple(range(9001, 9001 + PANELS.get(name, 1))) for name in FAMILIES}
SIZE = Size(locations=20, items=10, weeks=150)
QUICK_SIZE, QUICK_SEED = Size(locations=8, items=6, weeks=104), 101
QUICK_FAMILIES = ("log-linear", "nested-logit", "attraction", "zone-season")
PEER_FAMILIES = ("log-linear", "attraction", "zone-season")  # where peers are measured alone
HIDDEN = "hidden-shock"  # the family that is estimated once more without its cost shifter
REAL = "orange-juice"

MUST_REACH = {
    "item_mae": "≤ 0.08; hidden shock ≤ 0.10",
    "item_bias": "≤ 0.04 either way",
    "item_rank": "≥ 0.97",
    "wrong_signs": "0",
    "series_over_oracle_shrunk": "≤ 1.3",
    "series_below_pooled": "≥ 0.25",
    "series_covered_90": "0.80 to 0.97",
    "cross_mae": "≤ 0.08",
    "no_shifter_cannot_tell": "1",
    "change_error": "≤ 0.15",
    "optimum_wrong_side": "0",
    "joint_category": "≤ 0.10",
    "joint_shop": "≤ 0.10",
    "joint_half": "≤ 0.10",
    "list_share": "≥ 0.95, above the logged and reference prices",
    "list_promised": "0.9 to 1.1",
    "sustained_total": "≤ 0.05",
    "sustained_item": "≤ 0.12",
    "pit_distance": "≤ 0.03",
    "stock_out_bias": "≤ 0.01 either way",
}


def one_panel(task: tuple[str, int], size: Size = SIZE, quick: bool = False) -> Row:
    """All figures of a panel, ``(family, seed)``."""
    family, seed = task
    market = study(family, seed, size)
    row = own_and_cross(market) | price_changes(market) | sustained(market) | stock_out_bias(market)
    row |= joint_moves(market) | held_out(market)
    if family == HIDDEN:
        row |= without_shifter(family, seed, size)
    if not quick:
        row |= peers(market)
    return {"seed": seed, **row, "seconds_fit": market.seconds}


def peers_alone(task: tuple[str, int]) -> Row:
    """What the peers say of a panel, ``(family, seed)``; no market is learned."""
    family, seed = task
    return {"seed": seed, **peers(draw(family, seed, SIZE))}


@dataclass(frozen=True)
class Run:
    """Panels and what is measured of them."""

    name: str
    measure: Callable[[tuple[str, int]], Row]
    seeds: dict[str, tuple[int, ...]]  # by family, of those that are played unless others are named
    size: Size = SIZE
    headline: tuple[str, ...] = ("item_mae", "change_error", "sustained_total", "pit_distance")
    kept: bool = True


FULL = Run("price_response", one_panel, SEEDS)
QUICK = Run(
    "price_response-quick",
    partial(one_panel, size=QUICK_SIZE, quick=True),
    dict.fromkeys(QUICK_FAMILIES, (QUICK_SEED,)),
    QUICK_SIZE,
    kept=False,
)
PEERS = Run(
    "price_response-peers",
    peers_alone,
    dict.fromkeys(PEER_FAMILIES, (9001,)),
    headline=tuple(f"item_mae_{name}" for name in ("ridge_dml", "lightgbm_dml", "pypricing")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument(
        "--family", nargs="+", choices=FAMILIES, help="[default: all; a few with --quick or --peers]"
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, help="in place of those reported; not kept as a result"
    )
    which = parser.add_mutually_exclusive_group()
    for flag, run, what in (
        ("--quick", QUICK, "small panels of a few families, no peers; not kept"),
        ("--peers", PEERS, "the peers alone, a panel each of a few families; no market is learned"),
    ):
        which.add_argument(flag, action="store_const", dest="run", const=run, default=FULL, help=what)
    parser.add_argument("--workers", type=int, help="panels at once")
    parser.add_argument("--ray", metavar="ADDRESS", help="on the Ray cluster there")
    arguments = parser.parse_args()
    run = arguments.run
    families = arguments.family or list(run.seeds)
    ordinary = next(iter(run.seeds.values()))[:1]
    tasks = [(name, seed) for name in families for seed in arguments.seeds or run.seeds.get(name, ordinary)]
    panels: dict[str, list[Row]] = {name: [] for name in families}
    with employ(arguments.workers, arguments.ray) as crew:
        measured = partial(crew.map, "measure the panels", partial(_measured, run))
        for (family, seed), row in resumed(run.name, tasks, measured):
            panels[family].append(row)
            told = ", ".join(f"{name} {row[name]:.3f}" for name in run.headline if row[name] is not None)
            print(f"{family}, seed {seed}: {told}", file=sys.stderr)
    result: dict[str, Any] = {"size": vars(run.size), "panels": panels}
    if run is FULL:
        result[REAL] = real()
    if run.kept and not arguments.seeds and set(families) == set(run.seeds):
        print(f"wrote {write_result(run.name, result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else "\n\n".join(tables(result)))


def _measured(run: Run, task: tuple[str, int], _: Progress) -> Row:
    return run.measure(task)


def real() -> list[Row] | str:
    """Calibration on orange juice by window, or why there is none."""
    print(REAL, file=sys.stderr)
    try:
        return rolling(SOURCES[REAL].panel(cache_folder()))
    except SourceUnavailable as error:
        return str(error)


def tables(result: dict[str, Any]) -> list[str]:
    """The results as Markdown: figures by family, mean of the panels [lowest … highest]."""
    panels = result["panels"]
    figures = dict.fromkeys(f for rows in panels.values() for row in rows for f in row if f != "seed")
    body = [
        [
            f"`{figure}`",
            MUST_REACH.get(figure, ""),
            *(_cell([r.get(figure) for r in rows]) for rows in panels.values()),
        ]
        for figure in figures
    ]
    out = [_markdown(["figure", "must reach", *panels], body)]
    if isinstance(found := result.get(REAL), list):
        out.append(_markdown([REAL, *found[0]], [["", *(f"{x:.3f}" for x in row.values())] for row in found]))
    elif found:
        out.append(f"{REAL}: {found}")
    return out


def _cell(values: list[float | None]) -> str:
    known = [v for v in values if v is not None and np.isfinite(v)]
    if not known:
        return "–"
    if min(known) == max(known):
        return f"{known[0]:.3g}"
    return f"{np.mean(known):.3f} [{min(known):.3f} … {max(known):.3f}]"


def _markdown(head: list[str], body: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *body])


if __name__ == "__main__":
    main()
