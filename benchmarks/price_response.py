"""How true a learned price response is, where the truth is known: ``python -m benchmarks.price_response``.

Panels of every family of true markets, 20 locations × 10 items × 150 weeks: prices follow demand, and shelves
run empty. A panel is fitted once, and once more without its last half year; all figures are measured from
these fits. The seeds reported are used for nothing else; development used seeds from 101 on. About half an
hour on two quiet cores with ``--workers 2`` and ``OMP_NUM_THREADS=1``; a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import Any

import numpy as np

from mercato.agents.workers import employ
from mercato.envs.structural import FAMILIES, Size
from mercato.forecasters.progress import Progress
from mercato.forecasters.sources import SOURCES, SourceUnavailable, cache_folder

from .price.changes import price_changes
from .price.elasticities import Row, own_and_cross, peers, without_shifter
from .price.joint import joint_moves
from .price.market import study
from .price.sales import held_out, rolling, stock_out_bias
from .price.sustained import sustained
from .record import resumed, write_result

PANELS = {"log-linear": 5, "nested-logit": 2, "hidden-shock": 2}  # the other families: one each
SEEDS = {name: tuple(range(9001, 9001 + PANELS.get(name, 1))) for name in FAMILIES}
SIZE = Size(locations=20, items=10, weeks=150)
QUICK_SIZE, QUICK_SEED = Size(locations=8, items=6, weeks=104), 101
QUICK_FAMILIES = ("log-linear", "nested-logit", "attraction", "zone-season")
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--family", nargs="+", choices=FAMILIES, help="[default: all; a few with --quick]")
    parser.add_argument(
        "--seeds", nargs="+", type=int, help="in place of those reported; not kept as a result"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small panels of a few families, no peers; not kept"
    )
    parser.add_argument("--workers", type=int, help="panels at once")
    parser.add_argument("--ray", metavar="ADDRESS", help="on the Ray cluster there")
    arguments = parser.parse_args()
    families = arguments.family or list(QUICK_FAMILIES if arguments.quick else FAMILIES)
    usual = dict.fromkeys(FAMILIES, (QUICK_SEED,)) if arguments.quick else SEEDS
    tasks = [(name, seed) for name in families for seed in arguments.seeds or usual[name]]
    panels: dict[str, list[Row]] = {name: [] for name in families}
    with employ(arguments.workers, arguments.ray) as crew:
        measured = partial(crew.map, "measure the panels", partial(_measured, arguments.quick))
        name = "price_response-quick" if arguments.quick else "price_response"
        for (family, seed), row in resumed(name, tasks, measured):
            panels[family].append(row)
            print(
                f"{family}, seed {seed}: item MAE {row['item_mae']:.3f}, ±15% {row['change_error']:.3f},"
                f" held {row['sustained_total']:.3f}, PIT {row['pit_distance']:.3f}",
                file=sys.stderr,
            )
    result: dict[str, Any] = {"size": vars(QUICK_SIZE if arguments.quick else SIZE), "panels": panels}
    if not arguments.quick:
        result[REAL] = real()
    if not arguments.seeds and not arguments.quick and set(families) == set(FAMILIES):
        print(f"wrote {write_result('price_response', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else "\n\n".join(tables(result)))


def _measured(quick: bool, task: tuple[str, int], _: Progress) -> Row:
    return one_panel(task, QUICK_SIZE if quick else SIZE, quick)


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
