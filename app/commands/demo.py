"""``mercato demo``: the whole path on a public table."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ..console import Bars, stderr
from .run import tell


def run(
    out: Path, data: str, seed: int, quick: bool, pathwise: bool, workers: int | None, ray: str | None
) -> None:
    from ...agents.workers import employ
    from ..demo import run_demo
    from ..run import work

    console, started = stderr(), time.monotonic()
    settings = replace(work(quick, pathwise), card=False)
    with Bars(console) as bars, employ(workers, ray) as crew:
        finished = run_demo(out, data, seed, settings, bars, console.print, crew)
    tell(finished, out, started)
