"""``mercato benchmark``: policies against the rules a shop would use today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..console import Bars, print_table, stderr, stdout
from ..output import to_json
from ..report.words import number, percent


def run(
    market: Path,
    policies: Sequence[Path],
    truth: Path | None,
    episodes: int | None,
    horizon: int,
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
    print_table(console, f"In the learned market ({scale})", _COLUMNS, _rows(payload["policies"]))
    if "true_market" in payload:
        rows = _rows(payload["true_market"]["policies"])
        print_table(console, f"In the true market ({scale})", _COLUMNS, rows)


_COLUMNS = ("policy", "profit per episode", "95% interval", "fill rate", "stock-outs", "price", "at a bound")


def _rows(policies: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for row in sorted(policies, key=lambda row: -row["profit_mean"]):
        yield (
            row["policy"],
            number(row["profit_mean"]),
            f"{number(row['profit_lo'])} … {number(row['profit_hi'])}",
            percent(row["fill_rate"]),
            percent(row["stockout_share"]),
            f"{row['price_mean']:.3f}",
            percent(row["price_at_bound"]),
        )
