"""Other processes, watched: how long they took, how much memory, and what they said last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LOOK = 0.2  # seconds between looks at the memory


@dataclass(frozen=True)
class Ran:
    """A process that has ended, with all that it had started."""

    status: int  # exit status; below 0 the number of the signal that ended it
    seconds: float
    peak: float  # GB resident at most, it and its children together as they were seen
    out: str  # standard output
    why: str  # "" where all went well, else one line: what it said last, or why it was ended

    @property
    def well(self) -> bool:
        return not self.why


def run(words: Sequence[str | Path], limit: float = float("inf"), memory: float = float("inf")) -> Ran:
    """Run a command in the project's folder to its end, or to a limit.

    Args:
        words: the command.
        limit: seconds that it may take.
        memory: GB that it and its children may hold.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen([str(word) for word in words], stdout=out, stderr=err, cwd=ROOT)
        try:
            peak, why = _watched(process, began + limit, memory)
        finally:
            if process.poll() is None:
                _end(process.pid)
            process.wait()
        out.seek(0)
        err.seek(0)
        status = process.returncode
        why = why or (_last(err.read(), status) if status else "")
        return Ran(status, time.perf_counter() - began, peak, out.read(), why)


def mercato(*words: str | Path, limit: float = float("inf"), memory: float = float("inf")) -> Ran:
    """Run the command line: ``mercato("fit", panel, "--out", folder)``."""
    return run([sys.executable, "-m", "mercato.app.cli", *words], limit, memory)


def glance(*words: str | Path) -> Ran:
    """Fit or train hardly at all (``glance.py``): the command line does so in earnest."""
    return run([sys.executable, "-m", "benchmarks.tables.glance", *words])


def _watched(process: subprocess.Popen, until: float, memory: float) -> tuple[float, str]:
    """Wait for the end: the largest memory seen (GB), and why it was ended before, if it was."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, resident(process.pid), _most(process.pid))
        if peak > memory:
            return peak, f"took more than {memory:.1f} GB"
        if time.perf_counter() > until:
            return peak, "took more time than it was given"
        time.sleep(_LOOK)
    return peak, ""


def resident(process: int) -> float:
    """GB of memory that a process and all below it hold now; 0 where this cannot be seen (not on Linux)."""
    running = _running()
    pages = sum(running[pid][1] for pid in _tree(process, running) if pid in running)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def _most(process: int) -> float:
    """GB that one process held at most so far (``ru_maxrss`` would count what its parent held, too)."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
    return 0.0


def _end(process: int) -> None:
    """End a process and all below it, wherever they moved to."""
    for pid in _tree(process, _running()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _tree(process: int, running: dict[int, tuple[int, int]]) -> list[int]:
    """The process and all below it, parents first."""
    tree = [process]
    for parent in tree:
        tree += [pid for pid, (above, _) in running.items() if above == parent]
    return tree


def _running() -> dict[int, tuple[int, int]]:
    """Parent and resident pages of every process that can be seen."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            fields = status.read_text().rpartition(")")[2].split()
            found[int(status.parent.name)] = int(fields[1]), int(fields[21])
    return found


def available() -> float:
    """GB of memory that are free to take; infinite where this cannot be seen."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 / 1e9
    return float("inf")


def _last(said: str, status: int) -> str:
    """The last line that a process said, or the signal that ended it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return lines[-1] if lines else f"exit status {status}"
