"""Forecasts against peers on the same rows: ``python -m benchmarks.forecast``.

Three windows at the end of each panel, fitted once on what precedes the first; prices, promotions and other
columns that are known ahead are given to all. Panels are public ones, none of which the market model was
trained on, and true markets. The peer is LightGBM, tuned on the window before (extra ``peers``). What the
market model adds is the difference between mercato's forecast and the same weighted mean without it, by pairs
of window and series.

Then what a market model is worth where there are eight weeks alone, and for stores that open; and how far
levels of the simulated market are off half a year ahead.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mercato.envs.structural import FAMILIES

from .forecasts import few_weeks, levels, new_stores, panels
from .forecasts.panels import PANELS
from .record import resumed, write_result
from .tables.piece import Plan

PARTS = {"all": panels, "few weeks": few_weeks, "new stores": new_stores, "levels": levels}
_QUICK = {
    "all": ("orange-juice", "attraction"),
    "few weeks": ("orange-juice",),
    "new stores": ("orange-juice",),
    "levels": ("log-linear",),
}


def pieces(quick: bool, parts: list[str], names: list[str]) -> list[str]:
    """Names of what is measured, ``part: panel``."""
    whole = {
        "all": tuple(PANELS),
        "few weeks": tuple(name for name in PANELS if name not in FAMILIES),
        "new stores": ("orange-juice",),
        "levels": levels.LEVEL_FAMILIES,
    }
    chosen = _QUICK if quick else whole
    return [f"{part}: {name}" for part in parts for name in chosen[part] if not names or name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="small panels, in three minutes; not kept")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="some of them")
    parser.add_argument("--panels", nargs="+", default=[], help="some panels or families")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder whose data/ has more")
    asked = parser.parse_args()
    plan = Plan(quick=asked.quick, shared=asked.shared)

    def measure(names: list[str]) -> Iterator[dict[str, Any]]:
        for piece in names:
            part, _, name = piece.partition(": ")
            row = PARTS[part].measure(name, plan)
            print(f"{piece}: {json.dumps(row)[:400]}", file=sys.stderr, flush=True)
            yield row

    wanted = pieces(asked.quick, asked.parts, asked.panels)
    found = dict(resumed(f"forecast{'-quick' if asked.quick else ''}", wanted, measure))
    result: dict[str, Any] = {"windows": panels.WINDOWS}
    for part in asked.parts:
        result[part] = [row for piece, row in found.items() if piece.startswith(f"{part}: ")]
    if not asked.quick:
        print(f"wrote {write_result('forecast', result)}", file=sys.stderr)
    tables = "\n\n".join(PARTS[part].table(result[part]) for part in asked.parts if result[part])
    print(json.dumps(result) if asked.json else tables)


if __name__ == "__main__":
    main()
