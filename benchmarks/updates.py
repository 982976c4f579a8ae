"""Whether a market is kept true: ``python -m benchmarks.updates``.

Drift: breaks of true markets, whose alarms have to come within a few periods, and false alarms in years
without a break. Updates: seconds at 83 × 11 series, and weekly updates of orange juice against full refits.
Every piece is kept as it is done; the same commit goes on with those that are missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mercato.envs.structural import Size

from .record import UNFINISHED, resumed, write_result
from .update import watch, weekly

SIZE, FITTED, SEEDS = Size(locations=20, items=6), 130, 20
SMALL, FEW, ONE = Size(locations=8, items=3), 78, 1
FIRST, WEEKS = 108, 13
SHORT = 2

Piece = list[Any]  # name of the part and its argument


def pieces(quick: bool) -> list[Piece]:
    """All pieces in order."""
    seeds, weeks = (ONE, SHORT) if quick else (SEEDS, WEEKS)
    return [
        ["seconds", 0],
        *(["drift", seed] for seed in range(seeds)),
        ["weekly", weeks],
        *(["refit", FIRST + k] for k in range(weeks)),
    ]


def measure(quick: bool, wanted: list[Piece]) -> Iterator[Any]:
    """The results of pieces, one by one."""
    size, fitted = (SMALL, FEW) if quick else (SIZE, FITTED)
    for name, argument in wanted:
        print(f"{name} {argument}", file=sys.stderr, flush=True)
        if name == "seconds":
            yield weekly.took(quick)
        elif name == "drift":
            found = watch.watch(argument, size, fitted)
            yield {key: None if np.isinf(value) else value for key, value in found.items()}
        elif name == "weekly":
            yield weekly.weekly(FIRST, argument, quick)
        else:
            yield weekly.refit(argument, quick)


def gathered(results: list[tuple[Piece, Any]]) -> dict[str, Any]:
    """The figures of all pieces."""
    drifts = [found for (name, _), found in results if name == "drift"]
    out: dict[str, Any] = {"drift": {}, "seeds": len(drifts)}
    for name, case in watch.CASES.items():
        out["drift"][name] = _within([one[name] for one in drifts], case.within)
    out["drift"][watch.COLUMN] = _within([one[watch.COLUMN] for one in drifts], 1)
    for name in (watch.FALSE, watch.FORGOTTEN):
        out[name] = float(np.mean([one[name] for one in drifts])) if drifts else None
    for (name, _), found in results:
        if name == "seconds":
            out["seconds"] = found
        if name == "weekly":
            out["weekly"] = {"updated": _wql(found), "weeks": found}
    if refits := [found for (name, _), found in results if name == "refit"]:
        out["weekly"]["refitted"] = _wql(refits)
    return out


def _within(waits: list[float | None], periods: int) -> dict[str, Any]:
    return {
        "found": float(np.mean([wait is not None and wait <= periods for wait in waits])) if waits else None,
        "within": periods,
        "waits": waits,
    }


def _wql(weeks: list[dict[str, Any]]) -> float:
    return float(sum(week["loss"] for week in weeks) / sum(week["units"] for week in weeks))


def table(result: dict[str, Any]) -> str:
    """As it is printed."""
    out = ["| figure | found |", "|---|---|"]
    for name, found in result["drift"].items():
        out.append(f"| {name}: found within {found['within']} periods | {found['found']:.0%} |")
    out.append(f"| {watch.FALSE}, whole chain | {result[watch.FALSE]:.2f} |")
    out.append(f"| {watch.FORGOTTEN}, nats a row | {result[watch.FORGOTTEN]:+.3f} |")
    for depth, told in result.get("seconds", {}).items():
        out.append(f"| {depth}, 83 × 11, one more week | {told['seconds']:.1f} s |")
    if "weekly" in result:
        one, other = result["weekly"]["updated"], result["weekly"]["refitted"]
        out.append(
            f"| WQL of weekly updates against refits | {one:.4f}, {other:.4f} ({one / other - 1:+.1%}) |"
        )
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="small markets, one seed, few weeks; not kept")
    asked = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) if asked.quick else UNFINISHED
        run = resumed("updates", pieces(asked.quick), lambda rest: measure(asked.quick, rest), folder)
        result = gathered(list(run))
    if not asked.quick:
        print(f"wrote {write_result('updates', result)}", file=sys.stderr)
    print(json.dumps(result) if asked.json else table(result))


if __name__ == "__main__":
    main()
