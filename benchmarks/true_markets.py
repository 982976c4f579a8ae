"""What the panels of the true markets are like: ``python -m benchmarks.true_markets``.

By family, over three panels of 20 locations × 10 items × 150 weeks: how far naive regression misses, how much
of the price is left to chance, how often stock ran out, and how well one does who knows base demand and the
price rule.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
import torch
from torch import Tensor

from mercato.envs.structural import (
    FAMILIES,
    Size,
    Truth,
    oracle_elasticities,
    own_elasticities,
    shrunk,
)

from .peers.naive import naive_by_item
from .record import write_result

SEEDS = (101, 102, 103)
SIZE = Size(locations=20, items=10, weeks=150)


def one_panel(truth: Truth) -> dict[str, float]:
    """Figures of one panel; elasticities are those at the prices charged, mean of the weeks."""
    demand, history = truth.demand, truth.history
    own = own_elasticities(demand, demand.rows(torch.arange(len(history.price))), history.price).mean(0)
    estimate = oracle_elasticities(demand, history)

    def error(value: Tensor) -> float:
        return float((value - own).abs().mean())

    return {
        "units": float(history.sales.mean()),
        "zero_weeks": float((history.sales == 0).float().mean()),
        "stocked_out": float((history.censored > 0).float().mean()),
        "price_beyond_rule": float((history.price / history.rule_price).log().std()),
        "own_sd_between_places": float(own.std(0, correction=0).mean()),
        "income_correlation": float(np.corrcoef(demand.shop.income, own.mean(1))[0, 1]),
        "naive_miss": float((naive_by_item(history.price.log(), history.sales) - own.mean(0)).mean()),
        "item_mae_oracle": float((estimate.value.mean(0) - own.mean(0)).abs().mean()),
        "series_mae_oracle": error(estimate.value),
        "series_mae_oracle_shrunk": error(shrunk(estimate)),
        "series_mae_pooled_truth": error(own.mean(0).expand_as(own)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    arguments = parser.parse_args()
    families = {}
    for name, family in FAMILIES.items():
        panels = [one_panel(family.make(seed, SIZE)[1]) for seed in SEEDS]
        families[name] = {figure: float(np.mean([p[figure] for p in panels])) for figure in panels[0]}
        print(f"{name}: naive misses by {families[name]['naive_miss']:.2f}", file=sys.stderr)
    result = {"size": vars(SIZE), "seeds": SEEDS, "families": families}
    print(f"wrote {write_result('true_markets', result)}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(result))
        return
    width = max(map(len, families["log-linear"]))
    print(" " * width + "  " + "  ".join(f"{name:>15}" for name in families))
    for figure in families["log-linear"]:
        print(f"{figure:<{width}}  " + "  ".join(f"{f[figure]:15.3f}" for f in families.values()))


if __name__ == "__main__":
    main()
