"""``mercato card``: how far to trust a fitted market."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ...forecasters.errors import InputError
from ..console import Bars, print_table, stderr, stdout
from ..output import to_json, write_text
from ..report.words import (
    MEASURES,
    VERDICT,
    diagnosis,
    number,
    overfit,
    own_by_item,
    percent,
    period_name,
    two,
)
from ..runtime import fitted_panel, open_market


def run(market: Path, json: bool, out: Path | None, seed: int) -> None:
    from ..card.card import market_card

    if out is not None and out.suffix != ".html":
        raise InputError(f"--out: expected a file ending in .html, found {out}")
    shop = open_market(market)
    with Bars(stderr()) as bars:
        card = market_card(shop, fitted_panel(shop), seed, bars)
    if out is not None:
        from ..report.card import render_card

        write_text(out, render_card(card))
        stderr().print(f"wrote {out}")
    if json:
        print(to_json(card))
    elif out is None:
        show(card)


def show(card: dict[str, Any]) -> None:
    """The card in short, on standard output: the verdict first."""
    console = stdout()
    for key, name in VERDICT.items():
        console.print(f"{name}: {card['verdict'][key]}")
    rows = [
        (item, two(mean), f"{two(lo)} … {two(hi)}")
        for item, mean, lo, hi, _ in own_by_item(card["elasticity"]["own"])
    ]
    print_table(console, "Own elasticity, median location", ("item", "mean", "90% interval"), rows)
    for line in (*diagnosis(card["identification"]), overfit(card["fit"]["overfit"])):
        console.print(line)
    _show_held_out(console, card)
    told = card["simulated"]
    moments = [
        (
            MEASURES[row["measure"]],
            number(row["real"]),
            number(row["simulated"]),
            f"{number(row['lo'])} … {number(row['hi'])}",
        )
        for row in told["measures"]
        if row["real"] is not None
    ]
    title = f"Simulated against real sales, {told['from']} to {told['to']}"
    print_table(console, title, ("measure", "real", "simulated", "80% of simulations"), moments)
    if card["cleaning"]["notes"]:
        console.print(f"\n{len(card['cleaning']['notes'])} cleaning notes: `--out CARD.html` lists them")


def _show_held_out(console: Console, card: dict[str, Any]) -> None:
    told, spread = card["backtest"], card["calibration"]
    if told is None:
        console.print("The table is too short to hold out periods.")
        return
    rows = [
        (name, number(score["wql"]), percent(score["wape"]), percent(score["coverage80"]))
        for name, score in sorted(told["models"].items(), key=lambda pair: pair[1]["wql"])
    ]
    period = period_name(card["frequency"])
    title = f"Held out: {told['windows']} windows of {told['horizon']} {period}s from {told['from']} on"
    print_table(console, title, ("model", "WQL", "WAPE", "80% covers"), rows)
    held = ", ".join(f"{percent(row['share'])} in {percent(row['level'], 0)}" for row in spread["coverage"])
    console.print(
        f"One {period} ahead, outcomes within the central intervals: {held};"
        f" distance from calibration {number(spread['distance'])}"
    )
