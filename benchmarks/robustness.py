"""What becomes of odd inputs: ``python -m benchmarks.robustness``.

Tables, settings and options, market folders and policies, drawn at random and damaged at random, are handed
in. Each is used or refused in one line; a Python error, more than five seconds, or something taken for whole
that is not, counts as a fault. Seeds are numbers from ``--from`` on: any other gives fresh inputs.
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

from .odd.damage import make, try_market, try_policy
from .odd.settings import try_settings
from .odd.tables import try_table
from .odd.verdict import FAULTS, REFUSED, TAKEN, Verdict
from .record import write_result

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
    asked = parser.parse_args()
    result = {
        kind: run(kind, asked.first, few if asked.quick else many) for kind, (_, many, few) in KINDS.items()
    }
    if not asked.quick:
        print(f"wrote {write_result('robustness', {'first': asked.first, 'kinds': result})}", file=sys.stderr)
    if asked.json:
        print(json.dumps(result))
        return
    names = ("inputs", TAKEN, REFUSED, *FAULTS)
    print(f"| | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for kind, found in result.items():
        print(f"| {kind} | {' | '.join(str(found[name]) for name in names)} |")
        for fault in found["faults"]:
            print(
                f"{kind}, seed {fault['seed']}: {fault['input']}: {fault['outcome']}: {fault['said']}",
                file=sys.stderr,
            )


if __name__ == "__main__":
    main()
