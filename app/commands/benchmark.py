"""``mercato benchmark``: policies against the rules a shop would use today."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import Bars, stderr, stdout, table
from ..output import to_json
from ..report.words import MINUS, number, percent
from ..runtime import open_market


def run(
    market: Path,
    policies: Sequence[Path],
    truth: Path | None,
    episodes: int,
    horizon: int,
    json: bool,
    seed: int,
) -> None:
    from ...agents.tuning import tune_baselines
    from ..benchmarking import check_horizon, compare, load_policies

    shop = open_market(market)
    learned = load_policies(policies)
    check_horizon(shop, horizon)
    with Bars(stderr()) as bars:
        baselines = tune_baselines(shop, seed, progress=bars)
        benchmark = compare(shop, learned, baselines, episodes, horizon, seed, truth, bars)
    payload = benchmark.payload()
    if json:
        print(to_json(payload))
    else:
        show(payload)


def show(payload: dict[str, Any]) -> None:
    """The tables, on standard output."""
    console = stdout()
    scale = f"{payload['episodes']} episodes of {payload['horizon']} periods, seed {payload['seed']}"
    console.print(_policies(f"In the learned market ({scale})", payload["policies"]))
    if "true_market" in payload:
        console.print(_policies(f"In the true market ({scale})", payload["true_market"]["policies"]))


def _policies(title: str, rows: Sequence[dict[str, Any]]) -> Any:
    columns = (
        "policy",
        "profit an episode",
        "95% interval",
        "fill rate",
        "stock-outs",
        "price",
        "at a bound",
    )
    return table(
        title,
        columns,
        [
            (
                row["policy"],
                number(row["profit_mean"]),
                f"{number(row['profit_lo'])} … {number(row['profit_hi'])}",
                percent(row["fill_rate"]),
                percent(row["stockout_share"]),
                f"{row['price_mean']:.3f}".replace("-", MINUS),
                percent(row["price_at_bound"]),
            )
            for row in sorted(rows, key=lambda row: -row["profit_mean"])
        ],
    )
