"""``mercato fit``: from a sales table to a market folder."""

from __future__ import annotations

from pathlib import Path

from ..console import Bars, stderr
from ..reading import Reading


def run(panel: Path, out: Path, economics: Path | None, reading: Reading, seed: int) -> None:
    from ...envs.economics import read_economics
    from ...envs.store import check_replaceable, fit_market
    from ..runtime import device

    console = stderr()
    shop = read_economics(economics)
    check_replaceable(out)
    table = reading.read(panel)
    for note in table.report.notes:
        console.print(f"note: {note}")
    places, items = len(table.locations), len(table.items)
    console.print(
        f"{panel}: {places} locations, {items} items, {len(table.series)} series, {table.periods} periods"
        f" ({table.frequency}) from {table.dates[0]} to {table.dates[-1]}",
    )
    with Bars(console) as bars:
        told = reading.file(table)
        fit_market(table, shop, out, seed=seed, progress=bars, device=device(), also=told)
    assumed = [name.replace("_", " ") for name, given in shop.given().items() if not given]
    if assumed:
        console.print(f"assumed, since no economics file gives them: {', '.join(assumed)}")
    console.print(f"wrote the market {out}; `mercato card {out}` says how far to trust it")
