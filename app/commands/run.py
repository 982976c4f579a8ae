"""``mercato run``: the whole path on one's own table, and the line that matters."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ...forecasters.reading import Reading
from ..console import Bars, stderr, stdout
from ..reading import Beside
from ..report import words
from .benchmark import show

if TYPE_CHECKING:
    from ..run import Finished


def run(
    panel: Path | None,
    out: Path,
    economics: Path | None,
    stock: Path | None,
    currency: str | None,
    reading: Reading,
    beside: Beside,
    seed: int,
    quick: bool,
    pathwise: bool,
    workers: int | None,
    ray: str | None,
) -> None:
    from ...agents.workers import employ
    from ...envs.economics import read_economics
    from ..run import run_table, work

    console, started = stderr(), time.monotonic()
    shop = read_economics(economics).counted_in(currency)
    settings = work(quick, pathwise)
    with Bars(console) as bars, employ(workers, ray) as crew:
        finished = run_table(
            out, panel, reading, beside, shop, stock, seed, settings, bars, console.print, crew
        )
    tell(finished, out, started)


def tell(finished: Finished, out: Path, started: float) -> None:
    """The table and the headline on standard output, and what was written where."""
    show(finished.benchmark.payload())
    contents = finished.contents
    result = stdout()
    for line in (
        f"\n{words.headline(contents)}",
        *words.elasticity(contents),
        f"\n{words.verdict(contents.headline)}",
    ):
        result.print(line, soft_wrap=True)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    stderr().print(
        f"\n{minutes} min {seconds} s; wrote the market, the policies, benchmark.json, decisions.csv and"
        f" report.html to {out}"
    )
