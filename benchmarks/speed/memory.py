"""Peak memory, each case in a process of its own: ``python -m benchmarks.speed.memory CASE``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from mercato.envs.engine.running import as_written
from mercato.envs.market import Market
from mercato.envs.processes import Geometric

from .bound import Shape
from .markets import closed_form, copies, untrained
from .plan import REHEARSAL, Plan
from .play import Game

CASES = ("closed form", "small Transformer")
_STEPS = 4


def peaks(rehearsal: bool, device: str = "cpu") -> list[dict[str, Any]]:
    """Bytes that a batch takes at most, above what was taken before the market was made."""
    found = []
    for case in CASES:
        words = [sys.executable, "-m", "benchmarks.speed.memory", case, "--device", device]
        done = subprocess.run(
            [*words, *(["--rehearsal"] if rehearsal else [])],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        found.append(json.loads(done.stdout))
    return found


def _peak(case: str, plan: Plan, device: str) -> dict[str, Any]:
    before = _resident("VmRSS")
    market = _market(case, plan).to(device)
    game = Game(market, copies(market, plan.series), as_written)
    built = _resident("VmRSS")
    for _ in range(_STEPS):
        game()
    on_device = device != "cpu"
    peak = torch.cuda.max_memory_allocated() if on_device else _resident("VmHWM") - before
    cache = 0 if case == CASES[0] else Shape.of(market, game.simulator.n_markets).cache_bytes
    return {
        "name": case,
        "series": game.count,
        "peak": peak,
        "built": built - before,
        "cache": cache,
        "peak_a_series": peak / game.count,
    }


def _market(case: str, plan: Plan) -> Market:
    return closed_form(Geometric(), *plan.closed_form) if case == CASES[0] else untrained(*plan.small)


def _resident(what: str) -> int:
    """Bytes of memory of this process: ``VmRSS`` now, ``VmHWM`` at most so far (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status: expected a line {what}, found none")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rehearsal", action="store_true")
    asked = parser.parse_args()
    print(json.dumps(_peak(asked.case, REHEARSAL if asked.rehearsal else Plan(), asked.device)))
