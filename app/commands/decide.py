"""``mercato decide``: what to charge and order in the coming period."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..console import stderr
from ..output import to_json, write_text
from ..report.words import signed


def run(
    market: Path,
    policy: Path,
    panel: Path,
    stock: Path | None,
    out: Path,
    currency: str | None,
    explain: bool,
    json: bool,
    seed: int,
) -> None:
    from ..api import decide, load_market

    console = stderr()
    shop = load_market(market)
    shop = replace(shop, economics=shop.economics.counted_in(currency))
    decisions = decide(shop, policy, panel, stock, seed, explain=explain)
    write_text(out, decisions.csv())
    rows = decisions.rows
    if json:
        print(
            to_json(
                {
                    "date": rows["date"].iloc[0],
                    "series": len(rows),
                    "prices_changed": decisions.changed,
                    "outside_support": int(rows["outside_support"].sum()),
                    "gain": {"mean": decisions.gain, "lo": decisions.gain_lo, "hi": decisions.gain_hi},
                    "currency": shop.economics.currency,
                    "notes": decisions.notes,
                    "rows": rows.to_dict("records"),
                    "out": str(out),
                }
            )
        )
    console.print(
        f"{rows['date'].iloc[0]}: {decisions.changed} of {len(rows)} prices change,"
        f" {int(rows['order'].sum())} units ordered;"
        f" expected gain over keeping all prices {signed(decisions.gain)}"
        f" [{signed(decisions.gain_lo)}, {signed(decisions.gain_hi)}] {shop.economics.currency}, range over"
        " customers consistent with the data",
    )
    if stock is None:
        console.print("stock is assumed: give --stock for orders that fit your stock")
    for note in decisions.notes:
        console.print(note)
    console.print(f"wrote {out}")
