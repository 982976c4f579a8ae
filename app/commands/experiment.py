"""``mercato experiment``: design a price test, and read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import Bars, print_table, stderr, stdout
from ..output import to_json, write_json, write_text
from ..report.words import number, percent, signed


def design(
    market: Path,
    periods: int,
    budget: float,
    locations: Sequence[str] | None,
    items: Sequence[str] | None,
    block: int | None,
    out: Path,
    json: bool,
    seed: int,
) -> None:
    from ..experiment.api import design_experiment
    from ..spreadsheets import csv

    found = design_experiment(
        market, periods, budget, locations=locations, items=items, block=block, seed=seed
    )
    plan, console = found.plan, stderr()
    write_text(out, csv(plan.frame(), ("location", "item", "unit")))
    if json:
        told: dict[str, Any] = {
            "from": str(plan.dates[0]),
            "to": str(plan.dates[-1]),
            "blocks": plan.blocks,
            "series": int(plan.tested.sum()),
            "cost": {"mean": found.cost, "lo": found.cost_lo, "hi": found.cost_hi},
            "profit": found.profit,
            "currency": found.currency,
            "nats": found.power.nats,
            "items": found.table.to_dict("records"),
            "notes": found.notes,
            "seed": seed,
            "out": str(out),
        }
        print(to_json(told))
    else:
        rows = [
            (
                str(row.item),
                str(row.locations),
                f"{row.low:.3f} / {row.high:.3f}",
                f"± {row.error:.2f}",
                f"{row.detectable:.2f}",
                f"± {row.before:.2f}",
                f"± {row.after:.2f}",
            )
            for row in found.table.itertuples(index=False)
        ]
        columns = ("item", "locations", "price", "standard error", "detectable", "believed", "after the test")
        title = f"{plan.dates[0]} to {plan.dates[-1]}, {plan.blocks} blocks, prices in multiples of the usual"
        print_table(stdout(), title, columns, rows)
    share = f" ({percent(found.cost / found.profit, 2)} of the profit expected)" if found.profit > 0 else ""
    console.print(
        f"expected cost {number(found.cost)} {found.currency}{share},"
        f" from {signed(found.cost_lo)} to {signed(found.cost_hi)} over customers consistent with the data"
    )
    for note in found.notes:
        console.print(f"note: {note}")
    console.print(f"wrote {out}: charge its prices, then `mercato experiment read {market} --plan {out}`")


def read(market: Path, plan: Path, panel: Path, out: Path | None, json: bool) -> None:
    from ..experiment.api import read_experiment

    console = stderr()
    with Bars(console) as bars:
        found = read_experiment(market, plan, panel, progress=bars)
    if out is not None:
        write_json(out, found.payload())
    if json:
        print(to_json(found.payload()))
    else:
        rows = [
            (
                str(row.item),
                f"{row.elasticity:.2f}",
                f"{row.lo:.2f} … {row.hi:.2f}",
                str(row.rows),
                f"{row.compliance:.2f}",
                f"{row.fitted:.2f} ± {row.fitted_error:.2f}",
                f"{row.together:.2f} ± {row.together_error:.2f}",
            )
            for row in found.table.itertuples(index=False)
        ]
        columns = ("item", "elasticity", "90% interval", "rows", "compliance", "fitted", "together")
        print_table(stdout(), f"{found.findings.first} to {found.findings.last}", columns, rows)
    for note in found.notes:
        console.print(f"note: {note}")
    if out is not None:
        console.print(f"wrote {out}; `mercato fit … --experiment {out}` learns from it")
