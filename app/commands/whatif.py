"""``mercato whatif``: what a scenario changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import Bars, print_table, stderr, stdout
from ..output import to_json
from ..report.words import number, signed


def run(
    market: Path,
    scenarios: Sequence[Path],
    policy: Path | None,
    json: bool,
    seed: int,
    workers: int | None,
    ray: str | None,
) -> None:
    from ...agents.workers import employ
    from ..api import whatif_each

    with Bars(stderr()) as bars, employ(workers, ray) as crew:
        found = whatif_each(market, scenarios, policy, seed, progress=bars, workers=crew)
    answers = [one.told for one in found]
    if json:
        print(to_json(answers[0] if len(answers) == 1 else answers))
        return
    for told in answers:
        show(told)


def show(told: dict[str, Any]) -> None:
    """The table of one scenario, on standard output."""
    title = f"{told['scenario']}: {told['policy']}, {told['episodes']} episodes of {told['horizon']} periods"
    rows = [
        (
            row["metric"],
            number(told["without"][row["metric"]]),
            number(told["with"][row["metric"]]),
            signed(row["diff_mean"]),
            f"{signed(row['diff_lo'])} … {signed(row['diff_hi'])}",
        )
        for row in told["differences"]
    ]
    columns = ("per episode", "without", "with", "difference", "95% interval")
    print_table(stdout(), title, columns, rows)
    if len(told["customers"]) > 1:
        worst = min(told["customers"], key=lambda row: row["diff_mean"])
        best = max(told["customers"], key=lambda row: row["diff_mean"])
        print(
            f"profit, over customers consistent with the data: {signed(worst['diff_mean'])}"
            f" ({worst['customers']}) … {signed(best['diff_mean'])} ({best['customers']})"
        )
