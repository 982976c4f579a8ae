"""``mercato demo``: the whole path on a public table."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from ..console import Bars, stderr
from .run import tell

_SIDE_BY_SIDE = 2  # jobs of a demo, whose tables are known to fit into memory as often: its two learners


def run(
    out: Path, data: str, seed: int, quick: bool, pathwise: bool, workers: int | None, ray: str | None
) -> None:
    from ...agents.workers import employ
    from ..demo import run_demo
    from ..run import work

    console, started = stderr(), time.monotonic()
    settings = replace(work(quick, pathwise), card=False)
    if workers is None and ray is None and not quick:
        workers = min(_SIDE_BY_SIDE, os.cpu_count() or 1)
    with Bars(console) as bars, employ(workers, ray) as crew:
        finished = run_demo(out, data, seed, settings, bars, console.print, crew)
    tell(finished, out, started)
