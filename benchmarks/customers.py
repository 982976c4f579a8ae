"""What is predicted of customers, row by row: ``python -m benchmarks.customers``.

Each part measures some rows and is kept when it is done, so that a run that was ended goes on. A part is a
function of a ``Plan`` that gives ``Found``; to add one is a line in ``PARTS``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch

from .record import resumed, write_result
from .tables import report
from .tables.piece import Plan, outcome_of
from .tables.report import ABOUT

PARTS = {  # rows, subject -> module of benchmarks.shoppers, function
    "1: neutrality": "neutral.neutrality",
    "2: customers who leave": "churn.churn",
    "3, 4: Ta Feng by time": "ta_feng.by_time",
    "5: Ta Feng, leave last": "ta_feng.leave_last",
    "6: CDNOW, 39 weeks ahead": "cdnow.weeks_ahead",
    "7: a planted exposure effect": "addressed.exposure",
    "8: likeness without contagion": "addressed.likeness",
    "9: new products of the Complete Journey": "new_items.complete_journey",
    "10: speed": "speed.speed",
}


def measure(part: str, plan: Plan) -> dict[str, Any]:
    """Outcome, figures and detail of a part."""
    module, _, function = PARTS[part].partition(".")
    began = time.perf_counter()
    parts = importlib.import_module(f".shoppers.{module}", __package__)
    return outcome_of(getattr(parts, function), plan) | {"seconds": time.perf_counter() - began}


def table(results: dict[str, dict[str, Any]]) -> str:
    """A row a figure, as Markdown."""
    return report.table(results, {"seconds": ABOUT["seconds"]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the results as JSON on standard output")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the customers, a small shop; not kept"
    )
    parser.add_argument("--only", nargs="+", metavar="PART", help="parts whose names begin so")
    asked = parser.parse_args()
    plan = Plan(asked.quick)
    torch.set_num_threads(1)
    names = [name for name in PARTS if not asked.only or any(name.startswith(part) for part in asked.only)]
    if not names:
        sys.exit(
            f"--only: expected the beginning of one of {', '.join(PARTS)}, found {', '.join(asked.only)}"
        )

    def one_by_one(parts: list[str]) -> Iterator[dict[str, Any]]:
        for part in parts:
            found = measure(part, plan)
            print(f"{part}: {found['outcome']}, {found['seconds']:.0f} s {found['why']}", file=sys.stderr)
            yield found

    results = dict(resumed(f"customers{'-quick' if asked.quick else ''}", names, one_by_one))
    if not asked.quick and names == list(PARTS):
        print(f"wrote {write_result('customers', {'parts': results})}", file=sys.stderr)
    print(json.dumps({"parts": results}, ensure_ascii=False) if asked.json else table(results))


if __name__ == "__main__":
    main()
