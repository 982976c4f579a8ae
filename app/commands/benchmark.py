"""``mercato benchmark``: policies against the rules a shop would use today."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import Bars, print_table, stderr, stdout
from ..output import to_json
from ..report import answer


def run(
    market: Path,
    policies: Sequence[Path],
    truth: Path | None,
    episodes: int | None,
    horizon: int,
    rolling: bool | None,
    json: bool,
    seed: int,
    workers: int | None,
    ray: str | None,
) -> None:
    from ...agents.workers import employ
    from ..api import benchmark

    with Bars(stderr()) as bars, employ(workers, ray) as crew:
        found = benchmark(
            *(market, *policies),
            truth=truth,
            episodes=episodes,
            horizon=horizon,
            rolling=rolling,
            seed=seed,
            progress=bars,
            workers=crew,
        )
    payload = found.payload()
    if json:
        print(to_json(payload))
    else:
        show(payload)


def show(payload: dict[str, Any]) -> None:
    """The tables, on standard output."""
    console = stdout()
    scale = f"{payload['episodes']} episodes of {payload['horizon']} periods, seed {payload['seed']}"
    print_table(
        console, f"In the learned market ({scale})", answer.POLICIES, answer.policies(payload["policies"])
    )
    if "rules" in payload:
        title = "Share of decisions that each rule of the shop binds, and profit added if none did"
        print_table(console, title, *answer.rules(payload))
    if "true_market" in payload:
        rows = answer.policies(payload["true_market"]["policies"])
        print_table(console, f"In the true market ({scale})", answer.POLICIES, rows)
