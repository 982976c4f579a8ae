"""What becomes of odd inputs: ``python -m benchmarks.robustness``.

Tables, settings and options, market folders and policies, drawn at random and damaged at random, are handed
in. Each is used or refused in one line; a Python error, more than five seconds, or something taken for whole
that is not, counts as a fault. Seeds are numbers from ``--from`` on: any other gives fresh inputs.

Then ``fit``, ``train``, ``run`` and ``benchmark`` are killed at random moments and started again: a result
that is not whole, a rerun that ends otherwise, or a file left over counts as a fault. Kills that this commit
has seen are not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .odd import kills
from .odd.damage import make, try_market, try_policy
from .odd.settings import try_settings
from .odd.tables import try_table
from .odd.verdict import FAULTS, REFUSED, TAKEN, Verdict
from .record import RESULTS, circumstances, resumed, write_result

_KILLS, _FEW_KILLS = 25, 2  # of each verb

Try = Callable[[int, Path], tuple[str, Verdict]]
KINDS: dict[str, tuple[Try, int, int]] = {  # how to try one; how many, and how many with --quick
    "tables": (try_table, 2000, 400),
    "settings": (try_settings, 600, 300),
    "market folders": (try_market, 300, 60),
    "policies": (try_policy, 100, 60),
}


def run(kind: str, first: int, count: int) -> dict[str, Any]:
    """Counts of outcomes, and the faults."""
    use, outcomes, faults = KINDS[kind][0], Counter[str](), []
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")  # what a library says on its own account is no line of ours
        folder = Path(name)
        if use in (try_market, try_policy):
            make(folder)
        for seed in range(first, first + count):
            what, verdict = use(seed, folder)
            outcomes[verdict.outcome] += 1
            if verdict.outcome in FAULTS:
                faults.append({"seed": seed, "input": what, "outcome": verdict.outcome, "said": verdict.said})
    return {"inputs": count, **{name: outcomes[name] for name in (TAKEN, REFUSED, *FAULTS)}, "faults": faults}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer of each; not kept as a result")
    parser.add_argument("--from", dest="first", type=int, default=0, help="first seed")
    parser.add_argument("--part", choices=("inputs", "kills"), help="one of the two; both where not given")
    asked = parser.parse_args()
    result: dict[str, Any] = {}
    if asked.part != "kills":
        many = {kind: few if asked.quick else all_ for kind, (_, all_, few) in KINDS.items()}
        result["kinds"] = {kind: run(kind, asked.first, count) for kind, count in many.items()}
        result |= {"first": asked.first}
    if asked.part != "inputs":
        result["kills"] = kill(asked.first, _FEW_KILLS if asked.quick else _KILLS)
    if not asked.quick:
        print(f"wrote {_keep(result)}", file=sys.stderr)
    if asked.json:
        print(json.dumps(result))
        return
    _show("inputs", result.get("kinds", {}), ("inputs", TAKEN, REFUSED, *FAULTS))
    _show("kills", result.get("kills", {}), ("kills", *kills.FAULTS))


def kill(first: int, count: int) -> dict[str, Any]:
    """Counts of kills by verb, and the faults."""
    found = resumed("kills", kills.pieces(first, count), kills.tries)
    return kills.counted(list(found))


def _keep(result: dict[str, Any]) -> Path:
    """Write the result; a part that was not asked for stays as it was, with the circumstances of its own."""
    path = RESULTS / "robustness.json"
    kept = json.loads(path.read_text()) if path.is_file() else {}
    if "kills" in result:
        result = {**result, "kills": {"circumstances": circumstances(), "verbs": result["kills"]}}
    if "kinds" in result:
        return write_result("robustness", {**kept, **result, **circumstances()})
    path.write_text(json.dumps({**kept, **result}, indent=1) + "\n")
    return path


def _show(what: str, table: dict[str, Any], names: tuple[str, ...]) -> None:
    if not table:
        return
    print(f"| {what} | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for kind, found in table.items():
        print(f"| {kind} | {' | '.join(str(found[name]) for name in names)} |")
        for fault in found["faults"]:
            print(f"{kind}: {json.dumps(fault)}", file=sys.stderr)


if __name__ == "__main__":
    main()
