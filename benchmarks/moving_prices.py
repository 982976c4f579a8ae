"""What prices that move with the stock are worth at most: ``python -m benchmarks.moving_prices``.

One series of 10 units a period, give or take 50%, elasticity -2.5, unit cost 0.6 and prices from 0.7 to 1.5
of the reference price: the best prices and orders against the best price that stays with the best orders at
it, as ``mercato bound`` works it out, by economics.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from mercato.agents.optimal import Typical, bound_of
from mercato.envs.economics import Economics

from .record import write_result

TYPICAL = Typical(mean=10.0, spread=0.5, elasticity=-2.5, unit_cost=0.6, low=0.7, high=1.5, price=1.0)
ECONOMICS: dict[str, dict[str, Any]] = {
    "the assumptions": {},
    "no lead time": {"lead_time": 0},
    "lead time 3": {"lead_time": 3},
    "backorders": {"unmet": "backorder"},
    "capacity of 1.2 periods": {"capacity": 1.2},
    "an order costs as much as 10 units": {"fixed_order_cost": 10.0},
    "orders every 7 periods": {"order_every": 7},
    "half spoils a period, thrown away at 0.2": {"waste_rate": 0.5, "waste_cost_rate": 0.2},
    "a fifth spoils, at 0.2": {"waste_rate": 0.2, "waste_cost_rate": 0.2},
    "a tenth spoils, orders every 7 periods": {"waste_rate": 0.1, "order_every": 7},
    "a fifth spoils, orders every 7 periods": {"waste_rate": 0.2, "order_every": 7},
    "shelf life 2": {"shelf_life": 2, "waste_cost_rate": 0.2},
    "shelf life 3": {"shelf_life": 3, "waste_cost_rate": 0.2},
    "shelf life 2, the freshest first": {"shelf_life": 2, "issuing": "lifo", "waste_cost_rate": 0.2},
    "a season of 12, supplied, salvage 0.3": {"season": 12, "salvage_rate": 0.3},
    "a season of 12, 6 periods of stock, salvage 0.3": {
        "season": 12, "salvage_rate": 0.3, "initial_cover": 6, "decide": "price",
    },
    "a season of 12, 12 periods of stock, salvage 0.3": {
        "season": 12, "salvage_rate": 0.3, "initial_cover": 12, "decide": "price",
    },
}  # fmt: skip


def one_row(fields: dict[str, Any]) -> dict[str, Any]:
    """The bound under some economics."""
    began = time.perf_counter()
    found = bound_of(TYPICAL, Economics(**fields))
    return {
        "economics": fields,
        "gain": found.gain,
        "static_price": found.static_price,
        "static": found.static,
        "dynamic": found.dynamic,
        "seconds": time.perf_counter() - began,
        "notes": found.notes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    arguments = parser.parse_args()
    rows = {}
    for name, fields in ECONOMICS.items():
        rows[name] = one_row(fields)
        print(f"{name}: {rows[name]['gain']:+.2%}, {rows[name]['seconds']:.0f} s", file=sys.stderr)
    result = {"rows": rows}
    print(f"wrote {write_result('moving_prices', result)}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(result))
        return
    print("| economics | best price that stays | its profit | moving prices add at most |\n|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row['static_price']:.2f} | {row['static']:.2f} | {row['gain']:+.2%} |")


if __name__ == "__main__":
    main()
