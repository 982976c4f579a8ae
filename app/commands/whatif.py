"""``mercato whatif``: what a scenario changes."""

from __future__ import annotations

from pathlib import Path

from ..console import Bars, print_table, stderr, stdout
from ..output import to_json
from ..report.words import number, signed
from ..runtime import open_market


def run(market: Path, scenario: Path, policy: Path | None, json: bool, seed: int) -> None:
    from ...agents.learned import LearnedPolicy
    from ..benchmarking import check_horizon
    from ..scenario import read_scenario
    from ..whatif import answer, usual_policy

    asked = read_scenario(scenario)
    shop = open_market(market)
    check_horizon(shop, asked.horizon)
    who = usual_policy(shop) if policy is None else LearnedPolicy.load(policy)
    with Bars(stderr()) as bars:
        told = answer(shop, asked, who, seed, bars)
    if json:
        print(to_json(told))
        return
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
    columns = ("an episode", "without", "with", "difference", "95% interval")
    print_table(stdout(), title, columns, rows)
