"""How well elasticities are found where the truth is known: ``python -m benchmarks.price_response``.

The log-linear family: confounded panels of 20 locations × 10 items × 150 weeks, with stock-outs. The seeds
reported are used for nothing else; development used seeds from 100 on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
import torch

from mercato.envs.structural.draw import Size
from mercato.envs.structural.oracle import oracle_elasticities
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.fit import identify
from mercato.forecasters.history import History, build_history
from mercato.forecasters.panel import read_panel
from mercato.forecasters.response import WEAKEST

from .record import write_result

SEEDS = (9001, 9002, 9003, 9004, 9005)
SIZE = Size(locations=20, items=10, weeks=150)


def naive_by_item(history: History) -> torch.Tensor:
    """(I,) slope of log sales on log price within the series, as a spreadsheet would have it."""
    x, y = history.log_price, (history.units + 0.5).log()
    x, y = x - x.mean(0), y - y.mean(0)
    return (x * y).sum((0, 1)) / (x * x).sum((0, 1))


def one_panel(seed: int) -> dict[str, float]:
    """Errors of the estimates on one panel."""
    table, truth = make_reference(seed, SIZE)
    panel = read_panel(table, roles=ROLES)
    history = build_history(panel)
    began = time.perf_counter()
    _, residuals, found = identify(panel, history)
    seconds = time.perf_counter() - began
    own, cross = truth.demand.own(), truth.demand.cross().mean(0)
    item, true_item = found.own.mean(0), own.mean(0)
    off = ~torch.eye(len(cross), dtype=torch.bool)
    ranks = np.corrcoef(item.argsort().argsort(), true_item.argsort().argsort())[0, 1]
    oracle = oracle_elasticities(truth.demand, truth.history).value
    return {
        "seed": seed,
        "item_mae": float((item - true_item).abs().mean()),
        "item_bias": float((item - true_item).mean()),
        "item_rank_correlation": float(ranks),
        "at_the_sign_bound": int((found.own >= WEAKEST).sum()),  # estimated there or beyond
        "series_mae": float((found.own - own).abs().mean()),
        "series_mae_oracle_unshrunk": float((oracle - own).abs().mean()),
        "series_mae_pooled_truth": float((true_item - own).abs().mean()),
        "series_covered_90": float(((found.own_lo <= own) & (own <= found.own_hi)).float().mean()),
        "cross_mae": float((found.cross - cross)[off].abs().mean()),
        "naive_item_mae": float((naive_by_item(history) - true_item).abs().mean()),
        "overfit_ratio": residuals.overfit,
        "confounding_alarm": int(found.confounded),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    arguments = parser.parse_args()
    rows = []
    for seed in SEEDS:
        rows.append(one_panel(seed))
        print(f"seed {seed}: item MAE {rows[-1]['item_mae']:.3f}", file=sys.stderr)
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name != "seed"}
    result: dict[str, Any] = {"size": vars(SIZE), "panels": rows, "mean": means}
    path = write_result("price_response", result)
    print(f"wrote {path}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(result))
        return
    width = max(map(len, means))
    print(f"{'log-linear family':<{width}}  {'mean':>8}  " + "  ".join(f"{seed:>8}" for seed in SEEDS))
    for name, mean in means.items():
        print(f"{name:<{width}}  {mean:8.3f}  " + "  ".join(f"{row[name]:8.3f}" for row in rows))


if __name__ == "__main__":
    main()
