"""What can be said where the truth is unknown: ``python -m benchmarks.orange_juice``.

Dominick's orange juice, 83 stores × 11 items × 121 weeks. Three studies: forecasts of unusual prices, the
elasticity under more and more controls, and the bias of mean demand when rows are censored on purpose.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.sources import SOURCES, SourceUnavailable, cache_folder

from .orange.censoring import bias_of_mean_demand
from .orange.policy_shift import policy_shift
from .orange.specifications import specifications
from .record import write_result

STUDIES: dict[str, Callable[[SalesPanel, int], Any]] = {
    "specifications": lambda panel, seed: specifications(panel),
    "policy shift": policy_shift,
    "censoring": bias_of_mean_demand,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where the fetched table is kept")
    parser.add_argument("--seed", type=int, default=0, help="of the fits and of the rows censored")
    parser.add_argument(
        "--only", choices=STUDIES, help="one study alone, which is printed and not kept as a result"
    )
    arguments = parser.parse_args()
    try:
        panel = SOURCES["orange-juice"].panel(arguments.cache)
    except SourceUnavailable as error:
        sys.exit(str(error))
    result = run(panel, [arguments.only] if arguments.only else list(STUDIES), arguments.seed)
    if not arguments.only:
        print(f"wrote {write_result('orange_juice', result)}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else "\n\n".join(tables(result)))


def run(panel: SalesPanel, studies: list[str], seed: int) -> dict[str, Any]:
    """The results of some of ``STUDIES`` by name."""
    result: dict[str, Any] = {}
    for name in studies:
        print(name, file=sys.stderr)
        result[name] = STUDIES[name](panel, seed)
    return result


def tables(result: dict[str, Any]) -> list[str]:
    """The results as Markdown tables."""
    return [_TABLES[name](part) for name, part in result.items()]


def _specifications(lines: list[dict]) -> str:
    body = []
    for x in lines:
        error = "" if x["error"] is None else f" ({x['error']:.2f})"
        body.append(f"{x['method']} | {x['controls']} | {x['elasticity']:.2f}{error}")
    return _markdown("method | controls | own elasticity (s.e.)", body)


def _policy_shift(result: dict[str, Any]) -> str:
    body = []
    for split, found in result.items():
        for model, by_kind in found.items():
            if model == "differences":
                continue
            for kind, score in by_kind.items():
                gap = found["differences"][kind].get(model)
                gap = "" if gap is None else f"{gap[0]:+.3f} [{gap[1]:+.3f} … {gap[2]:+.3f}]"
                cells = [split, kind, model, *(f"{score[k]:.3f}" for k in ("wql", "wape", "coverage80"))]
                body.append(" | ".join([*cells, f"{score['rows']:,}", gap]))
    return _markdown(
        "weeks held out | prices | model | WQL | WAPE | 80% covers | rows | WQL above mercato's", body
    )


def _censoring(lines: list[dict]) -> str:
    body = [f"{x['table']} | {x['demand']:+.1%} | {x['model']:+.1%}" for x in lines]
    share = lines[0]["share_censored"]
    return _markdown(f"table, {share:.0%} of rows sold out | demand after imputation | learned market", body)


def _markdown(head: str, body: list[str]) -> str:
    rule = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {line} |" for line in body)])


_TABLES: dict[str, Callable[[Any], str]] = {
    "specifications": _specifications,
    "policy shift": _policy_shift,
    "censoring": _censoring,
}


if __name__ == "__main__":
    main()
