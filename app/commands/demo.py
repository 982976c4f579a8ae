"""``mercato demo``: the whole path, and the line that matters."""

from __future__ import annotations

import time
from pathlib import Path

from ..console import Bars, stderr, stdout
from ..report import words
from .benchmark import show


def run(out: Path, data: str, seed: int, quick: bool, workers: int | None, ray: str | None) -> None:
    from ...agents.workers import employ
    from ..demo import DemoSettings, rehearsal, run_demo

    console, started = stderr(), time.monotonic()
    settings = rehearsal() if quick else DemoSettings()
    with Bars(console) as bars, employ(workers, ray) as crew:
        finished = run_demo(out, data, seed, settings, bars, console.print, crew)
    show(finished.benchmark.payload())
    contents = finished.contents
    result = stdout()
    for line in (
        f"\n{words.headline(contents.headline)}",
        *words.elasticity(contents),
        f"\n{words.verdict(contents.headline)}",
    ):
        result.print(line, soft_wrap=True)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    console.print(
        f"\n{minutes} min {seconds} s; wrote the market, the policies, benchmark.json, decisions.csv and"
        f" report.html to {out}"
    )
