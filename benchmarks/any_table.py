"""Whether any table gets a market that simulates it: ``python -m benchmarks.any_table``.

Panels at hand are fitted and played for 500 periods; stock-outs for a part of the period, with known demand
and on a table that tells hours; partial assortments beside the full one; fits of many sizes; the demo. Every
piece runs in a process of its own, so that one that dies is a row, and is kept in
``benchmarks/results/any_table.json`` when it is done: the next run goes on with those that are missing or
that failed. Times are of a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .tables.piece import FAILED, Measure, Plan, outcome_of
from .tables.report import table
from .tables.running import ROOT, available, run
from .tables.store import Result, Store

_SPARE = 0.9  # of the memory that is free, a piece may take
_LIMIT = 90  # minutes of a piece
_QUICK_FAMILIES = ("log-linear", "sparse", "partial-assortment")
_TOO_LONG = "assortment: transfer"  # for a rehearsal: four policies a panel


def _levels(panel: str) -> Measure:
    from .tables import at_hand

    return at_hand.level(at_hand.PANELS[panel] if panel in at_hand.PANELS else at_hand.family(panel))


def _stock_outs(what: str) -> Measure:
    from .tables import stock_outs

    return {"synthetic": stock_outs.bias, "FreshRetailNet": stock_outs.whole_path}[what]


def _assortment(what: str) -> Measure:
    from .tables import assortments

    return {"learned": assortments.learned, "transfer": assortments.transfer}[what]


def _sizes(size: str) -> Measure:
    from .tables import sizes

    return sizes.fit_of(size)


def _growth(way: str) -> Measure:
    from .tables import sizes

    return sizes.growth(way)


def _demo(_: str) -> Measure:
    from .tables import demo

    return demo.ta_feng


SECTIONS: dict[str, tuple[Callable[[str], Measure], tuple[str, ...]]] = {
    "levels": (
        _levels,
        (
            "orange-juice",
            "ta-feng",
            "ta-feng, 286 items",
            "FreshRetailNet, hours of 16",
            "FreshRetailNet, which hours",
            "FreshRetailNet, no hours",
        ),
    ),
    "stock-outs": (_stock_outs, ("synthetic", "FreshRetailNet")),
    "assortment": (_assortment, ("learned", "transfer")),
    "sizes": (_sizes, ("8 × 286 × 120 days", "200 × 100 × 104 weeks", "300 × 170 × 90 days")),
    "growth": (_growth, ("locations", "items")),
    "demo": (_demo, ("ta-feng",)),
}


def pieces(quick: bool) -> list[str]:
    """All pieces by name, ``SECTION: PART``, in their order; families of true markets are panels, too."""
    from mercato.envs.structural import FAMILIES

    families = tuple(FAMILIES)
    names = [
        f"{section}: {part}"
        for section, (_, parts) in SECTIONS.items()
        for part in (*parts, *(families if section == "levels" else ()))
    ]
    left_out = {f"levels: {name}" for name in families if name not in _QUICK_FAMILIES} | {_TOO_LONG}
    return [name for name in names if not (quick and name in left_out)]


def measure(name: str, plan: Plan) -> Result:
    """Measure a piece in this process: its outcome, figures and detail."""
    section, _, part = name.partition(": ")
    return outcome_of(SECTIONS[section][0](part), plan)


def apart(name: str, plan: Plan) -> Result:
    """Measure a piece in a process of its own; whatever becomes of that is a result."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        words = [sys.executable, "-m", "benchmarks.any_table", "--shared", str(plan.shared)]
        words += ["--measure", name, str(out), *(["--quick"] if plan.quick else [])]
        ran = run(words, 60 * _LIMIT, _SPARE * available())
        about = {"seconds": round(ran.seconds, 1), "peak": round(ran.peak, 2)}
        if ran.well and out.is_file():
            return {**json.loads(out.read_text()), **about}
    return {"outcome": FAILED, "why": ran.why or "no result", "figures": [], "detail": {}, **about}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the results as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="small versions of everything, not kept")
    parser.add_argument("--only", nargs="+", metavar="PIECE", help="those whose names begin so")
    parser.add_argument("--again", action="store_true", help="measure pieces that are done, too")
    parser.add_argument("--list", action="store_true", help="print the pieces' names")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="tables of others")
    parser.add_argument("--measure", nargs=2, metavar=("PIECE", "FILE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    asked = _asked()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded, here and in what is started
    if asked.quick:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    plan = Plan(asked.quick, asked.shared.resolve())
    if asked.measure:
        name, out = asked.measure
        _measure_into(name, Path(out), plan)
        return
    names = [n for n in pieces(plan.quick) if not asked.only or any(n.startswith(p) for p in asked.only)]
    if not names:
        sys.exit(
            f"--only: expected the beginning of a piece's name, found {', '.join(asked.only)}; see --list"
        )
    if asked.list:
        print("\n".join(names))
        return
    results = collect(names, plan, None if plan.quick else Store(), asked.again)
    print(json.dumps({"pieces": results}, ensure_ascii=False) if asked.json else table(results))


def collect(names: list[str], plan: Plan, store: Store | None, again: bool) -> dict[str, Result]:
    """Results of pieces by name, in their order; those that the store has done are taken from it.

    A rehearsal's pieces run side by side: nobody reads its times.
    """
    done = {} if store is None or again else store.done()

    def result(name: str) -> Result:
        if name in done:
            return done[name]
        began = time.strftime("%H:%M:%S")
        found = apart(name, plan)
        said = f"{began} {name}: {found['outcome']}, {found['seconds']:.0f} s {found['why']}"
        print(said.rstrip(), file=sys.stderr)
        return found if store is None else store.keep(name, found)

    with ThreadPoolExecutor((os.cpu_count() or 1) if plan.quick else 1) as side_by_side:
        return dict(zip(names, side_by_side.map(result, names), strict=True))


def _measure_into(name: str, out: Path, plan: Plan) -> None:
    """What ``apart`` starts: a result in a file, or an error whose last line says what went wrong."""
    try:
        result = measure(name, plan)
    except Exception as error:
        traceback.print_exc()
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
    out.write_text(json.dumps(result, default=float, ensure_ascii=False))


if __name__ == "__main__":
    main()
