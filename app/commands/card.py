"""``mercato card``: how far to trust a fitted market."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from ...forecasters.errors import InputError
from ..console import Bars, print_table, stderr, stdout
from ..output import to_json, write_text
from ..report.words import MINUS, diagnosis, number
from ..runtime import open_market


def run(market: Path, json: bool, out: Path | None, seed: int) -> None:
    from ...forecasters.panel import read_panel
    from ..market_card import market_card

    if out is not None and out.suffix != ".html":
        raise InputError(f"--out: expected a file ending in .html, found {out}")
    shop = open_market(market)
    with Bars(stderr()) as bars:
        card = market_card(shop, read_panel(market / "panel.parquet"), seed, bars)
    if out is not None:
        from ..report.card import render_card

        write_text(out, render_card(card))
        stderr().print(f"wrote {out}")
    if json:
        print(to_json(card))
    elif out is None:
        show(card)


def show(card: dict[str, Any]) -> None:
    """The card in short, on standard output."""
    console = stdout()
    own = card["elasticity"]["own"]
    rows = []
    for item in dict.fromkeys(row["item"] for row in own):
        of_item = [row for row in own if row["item"] == item]
        mean, lo, hi = (_two(median(row[end] for row in of_item)) for end in ("mean", "lo", "hi"))
        rows.append((item, mean, f"{lo} … {hi}"))
    print_table(console, "Own elasticity, median over locations", ("item", "mean", "90% interval"), rows)
    for line in diagnosis(card["identification"]):
        console.print(line)
    told = card["simulated"]
    moments = [
        (
            row["measure"],
            number(row["real"]),
            number(row["simulated"]),
            f"{number(row['lo'])} … {number(row['hi'])}",
        )
        for row in told["measures"]
    ]
    title = f"Simulated against real sales, {told['from']} to {told['to']}"
    print_table(console, title, ("measure", "real", "simulated", "80% of simulations"), moments)


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)
