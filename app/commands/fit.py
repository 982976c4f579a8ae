"""``mercato fit``: from a sales table to a market folder."""

from __future__ import annotations

from pathlib import Path

from ...forecasters.reading import Reading
from ...forecasters.tensorboard import drawn
from ..console import Bars, stderr
from ..reading import account


def run(
    panel: Path,
    out: Path,
    economics: Path | None,
    start: Path | None,
    effort: str,
    reading: Reading,
    seed: int,
    tune: int,
    tensorboard: Path | None,
) -> None:
    from ...envs.economics import read_economics
    from ...envs.store import check_replaceable
    from ..api import fit

    console = stderr()
    shop = read_economics(economics)
    check_replaceable(out)
    table = reading.read(panel)
    for line in account(panel, table):
        console.print(line)
    with Bars(console) as bars:
        fit(
            table,
            out,
            shop,
            seed,
            model=None if start is None else str(start),
            effort=effort,
            tune=tune,
            progress=drawn(bars, tensorboard),
        )
    if shop.assumed():
        console.print(shop.assumed())
    console.print(f"wrote the market {out}; `mercato card {out}` says how far to trust it")
